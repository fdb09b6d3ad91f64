//! The backend of Glasses 3: their recording unit talks WebSocket, and nothing of Tobii's is needed on this machine.

pub mod messages;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use lockstep_platform::monotonic_ns;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;
use tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

use self::messages::{Incoming, Signal, incoming, items};
use crate::backend::{Backend, Item, SyncOperation, Tracker, Trouble};
use crate::options::Options;
use crate::streams::Kind;

/// Longest message: JSON takes much more room in memory.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// The port where none is said.
const PORT: u16 = 80;
/// What the protocol is called.
const PROTOCOL: &str = "g3api";
/// Longest wait for a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest wait for something to come.
const LOOK: Duration = Duration::from_millis(20);
/// Signals are sent for 6 s after this was said.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// Nothing for so long, though they were kept alive: the connection is dead, whatever the system thinks.
const SILENT: Duration = Duration::from_secs(3);
/// Gaze samples a second.
const FREQUENCY: &str = "/settings.gaze-frequency";
/// What our events are called, by which their clock is measured.
const TAG: &str = "LockstepTimeSync";

/// Glasses, connected.
#[derive(Debug)]
pub struct Glasses3 {
    at: (String, u16),
    /// `None`: the connection is lost.
    socket: Option<WebSocket<TcpStream>>,
    tracker: Tracker,
    signals: HashMap<u64, Signal>,
    next_id: u64,
    next_event: u64,
    /// Tells our events from those of another recorder.
    session: String,
    kept_alive: Instant,
    heard: Instant,
    /// What came while an answer was waited for.
    waiting: Vec<Item>,
}

impl Glasses3 {
    /// Connect to the recording unit, and subscribe.
    ///
    /// # Errors
    /// [`Trouble`]: refused with what to do, or not connected.
    pub fn open(options: &Options) -> Result<Self, Trouble> {
        let at = host_and_port(&options.address).map_err(Trouble::Refused)?;
        let mut this = Self {
            tracker: Tracker { address: options.address.clone(), ..Tracker::default() },
            at,
            socket: None,
            signals: HashMap::new(),
            next_id: 0,
            next_event: 0,
            session: uuid::Uuid::new_v4().to_string(),
            kept_alive: Instant::now(),
            heard: Instant::now(),
            waiting: Vec::new(),
        };
        this.connect()?;
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        let mut get = |path: &str| this.ask(path, "GET", &Value::Null);
        let tracker = Tracker {
            serial: text(get("/system.recording-unit-serial")?),
            model: "Glasses 3".to_owned(),
            firmware: text(get("/system.version")?),
            address: options.address.clone(),
            library: "Glasses 3 API".to_owned(),
            frequency_hz: get(FREQUENCY)?.as_f64().unwrap_or(0.0),
            streams: vec![
                Kind::GlassesGaze,
                Kind::Accelerometer,
                Kind::Gyroscope,
                Kind::Magnetometer,
                Kind::SyncPort,
                Kind::Events,
            ],
        };
        this.tracker = tracker;
        Ok(this)
    }

    fn connect(&mut self) -> Result<(), Trouble> {
        self.socket = None;
        let (host, port) = &self.at.clone();
        let lost = |why: String| Trouble::Disconnected(format!("{host}:{port} cannot be reached: {why}"));
        let io = |error: std::io::Error| lost(error.to_string());
        // A name has several addresses, and not all of them may be reached.
        let mut failed = lost("it has no address".to_owned());
        let mut connected = None;
        for address in (host.as_str(), *port).to_socket_addrs().map_err(io)? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => {
                    connected = Some(stream);
                    break;
                }
                Err(error) => failed = io(error),
            }
        }
        let Some(stream) = connected else { return Err(failed) };
        stream.set_nodelay(true).map_err(io)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(io)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(io)?;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let url = format!("ws://{host}:{port}/websocket");
        let mut request = url.into_client_request().map_err(|error| lost(error.to_string()))?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        let bounds = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let (socket, _) = tungstenite::client::client_with_config(request, stream, Some(bounds))
            .map_err(|error| lost(error.to_string()))?;
        socket.get_ref().set_read_timeout(Some(LOOK)).map_err(io)?;
        self.socket = Some(socket);
        self.signals.clear();
        self.keep_alive()?;
        for signal in Signal::ALL {
            let id = self.ask(signal.path(), "POST", &Value::Null)?;
            let id = id.as_u64().ok_or_else(|| lost(format!("it does not send {}", signal.path())))?;
            self.signals.insert(id, signal);
        }
        self.heard = Instant::now();
        Ok(())
    }

    fn keep_alive(&mut self) -> Result<(), Trouble> {
        self.kept_alive = Instant::now();
        self.send("/rudimentary!keepalive", "POST", &json!([])).map(drop)
    }

    /// Send a request: its number.
    fn send(&mut self, path: &str, method: &str, body: &Value) -> Result<u64, Trouble> {
        self.next_id += 1;
        let id = self.next_id;
        let text = json!({"path": path, "method": method, "id": id, "body": body}).to_string();
        let sent = match &mut self.socket {
            Some(socket) => socket.send(Message::Text(text.into())).map_err(|error| error.to_string()),
            None => Err("it is not connected".to_owned()),
        };
        sent.map(|()| id).map_err(|why| self.lost(&why))
    }

    fn lost(&mut self, why: &str) -> Trouble {
        self.socket = None;
        Trouble::Disconnected(format!("the connection is lost: {why}"))
    }

    /// What comes next, and when; `None`: nothing yet.
    fn receive(&mut self) -> Result<Option<(Incoming, i64)>, Trouble> {
        let Some(socket) = &mut self.socket else { return Err(self.lost("it is not connected")) };
        match socket.read() {
            Ok(Message::Text(text)) => {
                let arrived_ns = monotonic_ns();
                let message = incoming(text.as_str());
                // Answers tell that they are there, and not that they send.
                if matches!(message, Incoming::Signal { .. }) {
                    self.heard = Instant::now();
                }
                Ok(Some((message, arrived_ns)))
            }
            Ok(_) => Ok(None),
            Err(tungstenite::Error::Io(e))
                if matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.lost(&error.to_string())),
        }
    }

    /// Take in a message; signals become items.
    fn take(&mut self, message: Incoming) {
        if message == Incoming::Unreadable {
            self.waiting.push(Item::Lost(1));
        }
        if let Incoming::Signal { id, stamp_s, body } = message
            && let Some(signal) = self.signals.get(&id)
        {
            // Our own events are not the wearer's; those of another recorder are somebody's.
            if *signal == Signal::Event && body["tag"] == TAG && body["object"]["session"] == self.session {
                return;
            }
            items(*signal, stamp_s, &body, &mut self.waiting);
        }
    }

    /// Ask, and wait for the answer.
    fn ask(&mut self, path: &str, method: &str, body: &Value) -> Result<Value, Trouble> {
        let id = self.send(path, method, body)?;
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            match self.receive()? {
                Some((Incoming::Answer { id: of, result }, _)) if of == id => {
                    return result
                        .map_err(|why| Trouble::Refused(format!("{path}: the glasses refuse: {why}")));
                }
                Some((message, _)) => self.take(message),
                None => {}
            }
        }
        Err(self.lost(&format!("{path} was not answered")))
    }

    /// An event of ours goes to the glasses and comes back with their time.
    fn operation(&mut self, patience: Duration) -> Result<Option<SyncOperation>, Trouble> {
        self.next_event += 1;
        let number = self.next_event;
        let request_us = monotonic_ns() / 1000;
        let sent = self.send(
            "/rudimentary!send-event",
            "POST",
            &json!([TAG, {"session": self.session, "id": number}]),
        )?;
        let asked = Instant::now();
        while asked.elapsed() < patience {
            let Some((message, arrived_ns)) = self.receive()? else { continue };
            if let Incoming::Answer { id, result: Err(why) } = &message
                && *id == sent
            {
                return Err(Trouble::Refused(format!("the glasses refuse an event: {why}")));
            }
            if let Incoming::Signal { id, stamp_s, body } = &message
                && self.signals.get(id) == Some(&Signal::Event)
                && body["tag"] == TAG
                && body["object"]["session"] == self.session
                && body["object"]["id"] == number
            {
                let device_us = (stamp_s * 1e6).round() as i64;
                return Ok(Some(SyncOperation { request_us, device_us, response_us: arrived_ns / 1000 }));
            }
            self.take(message);
        }
        Ok(None)
    }
}

impl Backend for Glasses3 {
    fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    fn pump(&mut self, out: &mut Vec<Item>) -> Result<(), Trouble> {
        if self.kept_alive.elapsed() > KEEP_ALIVE {
            self.keep_alive()?;
        }
        let begun = Instant::now();
        let result = loop {
            match self.receive() {
                Ok(Some((message, _))) => self.take(message),
                Ok(None) => break Ok(()),
                Err(trouble) => break Err(trouble),
            }
            if begun.elapsed() > LOOK {
                break Ok(());
            }
        };
        out.append(&mut self.waiting);
        result?;
        if self.heard.elapsed() > SILENT {
            return Err(self.lost("nothing comes any more"));
        }
        Ok(())
    }

    fn syncs_itself(&self) -> bool {
        false
    }

    fn time_sync(&mut self, patience: Duration) -> Result<Option<SyncOperation>, Trouble> {
        self.operation(patience)
    }

    fn reconnect(&mut self) -> Result<(), Trouble> {
        self.connect()?;
        let hz = self.ask(FREQUENCY, "GET", &Value::Null)?.as_f64().unwrap_or(0.0);
        self.waiting.push(Item::Frequency(hz));
        Ok(())
    }

    fn system_clock_us(&self) -> Option<i64> {
        // There is no library that has another one.
        Some(monotonic_ns() / 1000)
    }
}

fn host_and_port(address: &str) -> Result<(String, u16), String> {
    let split = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = match split {
        // An address of IPv6 stands in brackets where a port follows it.
        Some((host, port)) if !host.contains(':') || host.starts_with('[') => (host, port),
        _ => (address, PORT),
    };
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() || host.contains(['/', ' ']) {
        return Err("give the address of the recording unit, as \"tg03b-080200012345.local\" (its serial number), or \
                    \"192.168.75.51\" on its own Wi-Fi"
            .to_owned());
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_leave_out_the_port_and_nothing_else() {
        assert_eq!(host_and_port("192.168.75.51"), Ok(("192.168.75.51".to_owned(), 80)));
        assert_eq!(host_and_port("tg03b.local:8000"), Ok(("tg03b.local".to_owned(), 8000)));
        assert_eq!(host_and_port("[fe80::1]:8000"), Ok(("fe80::1".to_owned(), 8000)));
        assert_eq!(host_and_port("fe80::1"), Ok(("fe80::1".to_owned(), 80)));
        assert!(host_and_port("").unwrap_err().contains("serial number"));
        assert!(host_and_port("http://tg03b.local").is_err());
    }
}
