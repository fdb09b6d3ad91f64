//! Who may come: HTTP, the door to the WebSocket, and connections that are reset when the glasses go away.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::host::now_s;
use crate::serve;
use crate::serve::message::{Inbox, Input, Request};

use super::api::{self, Asker};
use super::messages::{Refusal, refuse};
use super::shared::{Shared, count};
use super::socket;

/// What a client must say it speaks.
const PROTOCOL: &str = "g3api";
/// Where the WebSocket is.
const WEBSOCKET: &str = "/websocket";
/// Before the path of a property or an action.
pub(super) const REST: &str = "/rest";
/// Most connections at a time; more are closed at once.
const CONNECTIONS: usize = 128;
/// Pause after an error of a listening socket, so that a lasting one cannot spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Serves all who come until `stop` turns true or is dropped.
pub(super) async fn run(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    // Dropped at the end, which ends every connection.
    let mut connections = JoinSet::new();
    while !*stop.borrow() {
        tokio::select! {
            changed = stop.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if shared.is_out(now_s()) => reset(&stream, &shared),
                Ok(_) if connections.len() >= CONNECTIONS => {}
                Ok((stream, _)) => {
                    connections.spawn(serve_one(stream, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::debug!(%error, "accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

fn reset(stream: &TcpStream, shared: &Shared) {
    count(&shared.counts.resets);
    serve::reset_at_end(stream);
}

async fn serve_one(mut stream: TcpStream, shared: Arc<Shared>) {
    // Small answers leave at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "nodelay");
    }
    let mut outages = shared.outages();
    let away = tokio::select! {
        served = answer_all(&mut stream, &shared) => {
            if let Err(error) = served {
                tracing::debug!(%error, "connection");
            }
            false
        }
        _ = outages.wait_for(|out| *out) => true,
    };
    if away {
        reset(&stream, &shared);
    }
}

async fn answer_all(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let mut inbox = Inbox::default();
    let (connection, mut ways) = shared.connect();
    loop {
        let request = match inbox.next(stream).await {
            Ok(Some(Input::Request(request))) => request,
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return stream.write_all(&page(&Err(refuse(400, error.to_string())), true)).await;
            }
            Err(error) => return Err(error),
        };
        let came_host_s = now_s();
        ways.there().await;
        if request.path() == WEBSOCKET {
            match upgrade(&request) {
                Ok(head) => {
                    ways.back().await;
                    stream.write_all(head.as_bytes()).await?;
                    return socket::serve(stream, shared, connection, ways).await;
                }
                Err(refusal) => {
                    count(&shared.counts.refused);
                    let details = json!({"path": WEBSOCKET, "message": refusal.message});
                    shared.logs.event(&shared.now(), "refused", &details);
                    return stream.write_all(&page(&Err(refusal), true)).await;
                }
            }
        }
        let answer = rest(shared, connection, came_host_s, &request);
        count(&shared.counts.requests);
        if answer.is_err() {
            count(&shared.counts.refused);
        }
        ways.back().await;
        let close = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        stream.write_all(&page(&answer, close)).await?;
        if close {
            return Ok(());
        }
    }
}

/// The answer to a request for a WebSocket, with which it begins.
///
/// # Errors
/// When it is none, or for something else than what is spoken here.
fn upgrade(request: &Request) -> Result<String, Refusal> {
    let key = request.header("sec-websocket-key");
    let key = key.ok_or_else(|| refuse(400, "here is a WebSocket: ask for an upgrade"))?;
    let offered = request.header("sec-websocket-protocol").unwrap_or_default();
    if !offered.split(',').any(|name| name.trim() == PROTOCOL) {
        return Err(refuse(400, format!("the subprotocol {PROTOCOL} is spoken here, not {offered:?}")));
    }
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    ))
}

/// The same properties and actions by HTTP.
fn rest(shared: &Shared, connection: u64, came_host_s: f64, request: &Request) -> Result<Value, Refusal> {
    let path = request.path();
    let Some(path) = path.strip_prefix(REST) else {
        return Err(refuse(404, format!("there is nothing at {path}")));
    };
    let posts = match request.method.as_str() {
        "GET" => false,
        "POST" => true,
        method => return Err(refuse(405, format!("{method} is not understood"))),
    };
    let body = if request.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&request.body).map_err(|error| refuse(400, format!("not JSON: {error}")))?
    };
    let asker = Asker { connection, request: &Value::Null, came_host_s };
    api::answer(shared, &asker, path, posts, &body)
}

/// All of an answer, to be written in one go.
fn page(answer: &Result<Value, Refusal>, close: bool) -> Vec<u8> {
    let (code, body) = match answer {
        Ok(body) => (200, body.to_string()),
        Err(refusal) => {
            (refusal.error, json!({"error": refusal.error, "message": refusal.message}).to_string())
        }
    };
    let reason = match code {
        200 => "OK",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Bad Request",
    };
    let connection = if close { "Connection: close\r\n" } else { "" };
    let length = body.len();
    let head = "Content-Type: application/json\r\n";
    format!("HTTP/1.1 {code} {reason}\r\n{head}Content-Length: {length}\r\n{connection}\r\n{body}")
        .into_bytes()
}
