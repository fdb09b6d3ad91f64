//! The status socket: the whole state at once, then what changes.

use std::io;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::broadcast::error::RecvError;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};
use tokio_tungstenite::tungstenite::{self};

use crate::serve::message::Request;

use super::shared::{Shared, count};
use super::status;

/// Answers a request for a status socket, and serves it until it ends.
///
/// # Errors
/// Of the connection.
pub(super) async fn serve(stream: &mut TcpStream, shared: &Shared, request: &Request) -> io::Result<()> {
    let Some(key) = request.header("sec-websocket-key") else {
        return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    };
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    count(&shared.counts.status_sockets);
    match tell(stream, shared).await {
        Ok(()) | Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => Ok(()),
        Err(tungstenite::Error::Io(error)) => Err(error),
        Err(other) => Err(io::Error::other(other)),
    }
}

async fn tell(stream: &mut TcpStream, shared: &Shared) -> Result<(), tungstenite::Error> {
    let address = stream.local_addr()?.ip();
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    // Listen first: a change while the state is written is told twice rather than never.
    let mut updates = shared.listen();
    for model in status::all(shared, address) {
        socket.send(Message::text(model.to_string())).await?;
    }
    loop {
        tokio::select! {
            update = updates.recv() => match update {
                Ok(update) => {
                    let message = status::change(shared, update, address);
                    socket.send(Message::text(message.to_string())).await?;
                }
                // It did not read for long: when it comes back it gets the whole state.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return socket.close(None).await,
            },
            // Pings are answered in here; nothing else that a client says matters.
            received = socket.next() => match received {
                None => return Ok(()),
                Some(message) => drop(message?),
            },
        }
    }
}
