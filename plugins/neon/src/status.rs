//! The phone's status, as it tells what changes.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

/// Longest message: JSON takes much more room in memory.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Longest wait for a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest wait for a message before it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(50);
/// A phone that says nothing for so long is asked whether it is there.
const ASK: Duration = Duration::from_secs(3);
/// And is gone when it does not answer by then.
const GONE: Duration = Duration::from_secs(8);

/// A connection on which the phone tells what changes.
#[derive(Debug)]
pub struct Listener {
    socket: WebSocket<TcpStream>,
    heard: Instant,
    asked: Instant,
}

impl Listener {
    /// Connect.
    ///
    /// # Errors
    /// It cannot be reached or refuses, in words.
    pub fn open(at: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect_timeout(&at, PATIENCE).map_err(|error| error.to_string())?;
        let set =
            |timeout| stream.set_read_timeout(Some(timeout)).and(stream.set_write_timeout(Some(PATIENCE)));
        set(PATIENCE).map_err(|error| error.to_string())?;
        let bounds = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let (socket, _) =
            tungstenite::client::client_with_config(format!("ws://{at}/api/status"), stream, Some(bounds))
                .map_err(|error| error.to_string())?;
        socket.get_ref().set_read_timeout(Some(LOOK)).map_err(|error| error.to_string())?;
        Ok(Self { socket, heard: Instant::now(), asked: Instant::now() })
    }

    /// The next message, waited for for a moment.
    ///
    /// # Errors
    /// The connection has ended, in words.
    pub fn next(&mut self) -> Result<Option<Value>, String> {
        match self.socket.read() {
            Ok(message) => {
                self.heard = Instant::now();
                // What is no JSON is nothing to us.
                let text = match message {
                    Message::Text(text) => serde_json::from_str(text.as_str()).ok(),
                    _ => None,
                };
                Ok(text)
            }
            Err(tungstenite::Error::Io(e))
                if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                let silent = self.heard.elapsed();
                if silent > GONE {
                    return Err("it says nothing any more".to_owned());
                }
                if silent > ASK && self.asked.elapsed() > ASK {
                    self.asked = Instant::now();
                    self.socket.send(Message::Ping(Vec::new().into())).map_err(|error| error.to_string())?;
                }
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }
}
