//! A WebSocket: requests and answers, and what the client listens to, all through the simulated network.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self};

use crate::host::{deadline, now_s};
use crate::serve::tcp::TcpPath;
use crate::serve::ways::{Ways, wait_until};

use super::api::{self, Asker};
use super::feed::Signal;
use super::messages::{self, Member, Refusal, Request, refuse, split};
use super::shared::{Listener, Shared, Telling, count};

/// Messages for a client that does not read. More are lost.
const TELLINGS: usize = 1024;
/// Messages on their way in either direction; for more of them the client has to wait.
const ON_THEIR_WAY: usize = 4096;
/// Bytes of a message that a client may send.
const MOST_BYTES: usize = 64 * 1024;

/// What is on its way to the glasses.
#[derive(Debug)]
struct Coming {
    due_s: f64,
    came_s: f64,
    text: String,
}

/// What is on its way to the client.
#[derive(Debug)]
struct Leaving {
    due_s: f64,
    /// A clock may be measured by it: it has to arrive to the microsecond.
    exact: bool,
    text: String,
}

/// A client from its first to its last message.
#[derive(Debug)]
struct Client<'a> {
    shared: &'a Shared,
    number: u64,
    down: TcpPath,
    up: TcpPath,
    coming: VecDeque<Coming>,
    leaving: VecDeque<Leaving>,
    last_sent_s: f64,
    tell: mpsc::Sender<Telling>,
    /// What it listens to, by the numbers it was given.
    signals: BTreeMap<u64, Signal>,
    next_signal: u64,
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        self.shared.leave(self.number, None);
        self.shared.logs.event(&self.shared.now(), "disconnected", &json!({"connection": self.number}));
    }
}

/// Serves a client whose handshake is done.
///
/// # Errors
/// Of the connection.
pub(super) async fn serve(
    stream: &mut TcpStream,
    shared: &Shared,
    number: u64,
    ways: Ways,
) -> io::Result<()> {
    match serve_all(stream, shared, number, ways).await {
        Ok(()) | Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => Ok(()),
        Err(tungstenite::Error::Io(error)) => Err(error),
        Err(other) => Err(io::Error::other(other)),
    }
}

async fn serve_all(
    stream: &mut TcpStream,
    shared: &Shared,
    number: u64,
    ways: Ways,
) -> Result<(), tungstenite::Error> {
    count(&shared.counts.sockets);
    let config =
        WebSocketConfig::default().max_message_size(Some(MOST_BYTES)).max_frame_size(Some(MOST_BYTES));
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let (mut client, mut tellings) = Client::new(shared, number, ways);
    loop {
        let coming_s = client.coming.front().map(|message| message.due_s);
        let leaving_s = client.leaving.front().map(|message| message.due_s);
        let exact = client.leaving.iter().any(|message| message.exact);
        tokio::select! {
            biased;
            () = wait_until(coming_s.unwrap_or(0.0)), if coming_s.is_some() => {
                client.arrive(&mut tellings);
            }
            () = wait(leaving_s.unwrap_or(0.0), exact), if leaving_s.is_some() => {
                if let Some(message) = client.leaving.pop_front() {
                    socket.send(Message::text(message.text)).await?;
                }
            }
            // The client has a sender itself, so there is always one.
            Some(telling) = tellings.recv(), if client.leaving.len() < ON_THEIR_WAY => {
                client.tell(telling);
            }
            received = socket.next(), if client.coming.len() < ON_THEIR_WAY => match received {
                None => return Ok(()),
                Some(message) => match message? {
                    Message::Text(text) => client.come(text.as_str().to_owned()),
                    // It is answered as what is no request.
                    Message::Binary(_) => client.come(String::new()),
                    // What is left to do is to answer it, which reading does.
                    Message::Close(_) => while let Some(message) = socket.next().await {
                        message?;
                    },
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                },
            },
        }
    }
}

/// Waits, exactly or only as long as a timer does.
async fn wait(due_s: f64, exact: bool) {
    if exact {
        wait_until(due_s).await;
    } else if due_s > now_s() {
        sleep_until(deadline(due_s)).await;
    }
}

impl<'a> Client<'a> {
    fn new(shared: &'a Shared, number: u64, ways: Ways) -> (Self, mpsc::Receiver<Telling>) {
        let (tell, tellings) = mpsc::channel(TELLINGS);
        let (down, up) = ways.into_paths();
        shared.logs.event(&shared.now(), "connected", &json!({"connection": number}));
        let client = Self {
            shared,
            number,
            down,
            up,
            coming: VecDeque::new(),
            leaving: VecDeque::new(),
            last_sent_s: f64::NEG_INFINITY,
            tell,
            signals: BTreeMap::new(),
            next_signal: 1,
        };
        (client, tellings)
    }

    /// Something begins its way to the glasses.
    fn come(&mut self, text: String) {
        let came_s = now_s();
        self.coming.push_back(Coming { due_s: came_s + self.down.delay_s(came_s), came_s, text });
    }

    /// Something begins its way to the client.
    fn leave(&mut self, sent_s: f64, exact: bool, text: String) {
        // Samples may be handed over a little later than an answer that was given meanwhile.
        self.last_sent_s = self.last_sent_s.max(sent_s);
        let due_s = self.last_sent_s + self.up.delay_s(self.last_sent_s);
        self.leaving.push_back(Leaving { due_s, exact, text });
    }

    /// Something it listens to begins its way to the client.
    fn tell(&mut self, telling: Telling) {
        self.leave(telling.sent_s, telling.signal == Signal::Event, telling.text);
    }

    /// The next that comes has arrived at the glasses.
    fn arrive(&mut self, tellings: &mut mpsc::Receiver<Telling>) {
        let Some(message) = self.coming.pop_front() else { return };
        let answer = match messages::parse(&message.text) {
            Ok(request) => {
                let result = self.answer(&request, message.came_s);
                if let Err(refusal) = &result {
                    self.refused(&request.path, refusal);
                }
                messages::answer(&request.id, result)
            }
            Err(answer) => {
                self.refused("", &refuse(400, answer["message"].as_str().unwrap_or_default()));
                answer
            }
        };
        count(&self.shared.counts.requests);
        if self.shared.config.event_first {
            // What was told meanwhile, the event among it, leaves before the answer.
            while let Ok(telling) = tellings.try_recv() {
                self.tell(telling);
            }
        }
        self.leave(now_s(), true, answer.to_string());
    }

    fn refused(&self, path: &str, refusal: &Refusal) {
        count(&self.shared.counts.refused);
        let details = json!({
            "connection": self.number,
            "path": path,
            "error": refusal.error,
            "message": refusal.message,
        });
        self.shared.logs.event(&self.shared.now(), "refused", &details);
    }

    fn answer(&mut self, request: &Request, came_host_s: f64) -> Result<Value, Refusal> {
        if let (Some((object, Member::Signal, name)), true) = (split(&request.path), request.posts) {
            let signal = Signal::named(name).filter(|_| object == "rudimentary");
            let signal = signal.ok_or_else(|| refuse(404, format!("there is no signal {}", request.path)))?;
            return self.subscribe(signal, &request.body);
        }
        let asker = Asker { connection: self.number, request: &request.id, came_host_s };
        api::answer(self.shared, &asker, &request.path, request.posts, &request.body)
    }

    /// Listens to a signal, or no longer to the one of this number.
    fn subscribe(&mut self, signal: Signal, body: &Value) -> Result<Value, Refusal> {
        if body.is_null() {
            let number = self.next_signal;
            self.next_signal += 1;
            self.signals.insert(number, signal);
            let (connection, tell) = (self.number, self.tell.clone());
            self.shared.listen(Listener { connection, number, signal, tell });
            return Ok(number.into());
        }
        let number = body.as_u64().filter(|number| self.signals.get(number) == Some(&signal));
        let number = number.ok_or_else(|| refuse(404, "nobody here listens to it by this number"))?;
        self.signals.remove(&number);
        self.shared.leave(self.number, Some(number));
        Ok(true.into())
    }
}
