//! Simulated glasses, asked over their sockets.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::*;
use crate::network::PathModel;

const PATIENCE: Duration = Duration::from_secs(20);

/// Running glasses.
struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<Glasses3Report, SimError>>,
}

impl Running {
    async fn start(change: impl FnOnce(&mut Glasses3Config)) -> Self {
        let mut config = Glasses3Config::new("TG03B-TEST", Ipv4Addr::LOCALHOST.into());
        change(&mut config);
        let glasses = Glasses3::bind(config).await.expect("a free port");
        let address = glasses.address();
        let (stop, stopped) = watch::channel(false);
        Self { address, stop, running: tokio::spawn(glasses.run(stopped)) }
    }

    async fn stop(self) -> Glasses3Report {
        self.stop.send_replace(true);
        timeout(PATIENCE, self.running).await.expect("they end").expect("no panic").expect("a report")
    }

    /// The code and the body of the answer to a request by HTTP.
    async fn http(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.expect("asked");
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("in time").expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head[9..12].parse().expect("a code"), serde_json::from_str(body).expect("JSON"))
    }
}

/// A client over a WebSocket.
struct Client {
    socket: WebSocketStream<TcpStream>,
    asked: u64,
    /// Signals that came while an answer was waited for.
    told: VecDeque<Value>,
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connected");
        let mut request = format!("ws://{address}/websocket").into_client_request().expect("a request");
        request.headers_mut().insert("Sec-WebSocket-Protocol", "g3api".parse().expect("a value"));
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("a WebSocket");
        Self { socket, asked: 0, told: VecDeque::new() }
    }

    async fn send(&mut self, path: &str, method: &str, body: Value) -> u64 {
        self.asked += 1;
        let request = json!({"path": path, "method": method, "id": self.asked, "body": body});
        self.socket.send(Message::text(request.to_string())).await.expect("sent");
        self.asked
    }

    async fn receive(&mut self) -> Value {
        let message = timeout(PATIENCE, self.socket.next()).await.expect("in time").expect("a message");
        serde_json::from_str(message.expect("received").to_text().expect("text")).expect("JSON")
    }

    async fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.receive().await;
            if message["id"] == id {
                return message;
            }
            self.told.push_back(message);
        }
    }

    async fn get(&mut self, path: &str) -> Value {
        let id = self.send(path, "GET", Value::Null).await;
        self.answer(id).await["body"].clone()
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        let id = self.send(path, "POST", body).await;
        let answer = self.answer(id).await;
        answer.get("body").unwrap_or(&answer["error"]).clone()
    }

    /// The next message of a signal.
    async fn signal(&mut self, number: u64) -> Value {
        loop {
            let message = match self.told.pop_front() {
                Some(message) => message,
                None => self.receive().await,
            };
            if message["signal"] == number {
                return message["body"].clone();
            }
        }
    }
}

fn rows(folder: &Path, file: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join(file)).expect("a truth log");
    assert!(text.starts_with("# {\"simulated\":true"), "{text}");
    text.lines().skip(2).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn signals_are_what_the_truth_logs_say_and_begin_with_a_keepalive() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(|config| {
        config.truth = Some(folder.path().to_owned());
        config.gaze_hz = 100;
    })
    .await;
    let mut client = Client::connect(running.address).await;
    assert_eq!(client.get("/rudimentary.gaze-sample").await, json!({}));
    let event = json!(["mark", {"n": 1}]);
    assert_eq!(client.post("/rudimentary!send-event", event.clone()).await, 403);
    let gaze = client.post("/rudimentary:gaze", Value::Null).await.as_u64().expect("a number");
    let events = client.post("/rudimentary:event", Value::Null).await.as_u64().expect("a number");
    assert_ne!(gaze, events);
    assert_eq!(client.post("/rudimentary!keepalive", json!([])).await, true);
    assert_eq!(client.post("/rudimentary!send-event", event).await, true);
    let mut told = Vec::new();
    for _ in 0..40 {
        told.push(client.signal(gaze).await);
    }
    let sample = client.get("/rudimentary.gaze-sample").await;
    assert_eq!((&sample["type"], sample["timestamp"].is_f64()), (&"gaze".into(), true));
    let came = client.post("/rudimentary!send-event", json!(["later", null])).await;
    assert_eq!(came, true);
    assert_eq!(client.signal(events).await[1], json!({"tag": "later", "object": null}));
    assert_eq!(client.post("/rudimentary:gaze", json!(events)).await, 404, "of another signal");
    assert_eq!(client.post("/rudimentary:gaze", json!(gaze)).await, true);
    let report = running.stop().await;
    assert_eq!((report.signals[3].messages, report.signals[3].sent, report.zeros), (3, 2, 1));
    let rows = rows(folder.path(), "gaze.csv");
    let delivered: Vec<_> = rows.iter().filter(|row| row[5] == format!("0:{gaze}")).collect();
    for (row, body) in delivered.iter().zip(&told) {
        let stamp_s: f64 = row[4].parse().expect("a number");
        assert_eq!(body[0].as_f64().map(f64::to_bits), Some(stamp_s.to_bits()));
        let x: f64 = row[6].parse().expect("a number");
        assert_eq!(body[1]["gaze2d"][0].as_f64().map(f64::to_bits), Some(x.to_bits()));
    }
    assert!(delivered.len() >= told.len(), "{} of {}", delivered.len(), told.len());
}

#[tokio::test]
async fn events_have_the_time_at_which_they_arrived_for_all_who_listen() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(|config| {
        config.truth = Some(folder.path().to_owned());
        config.downlink = PathModel { delay_s: 0.08, ..PathModel::default() };
        config.uplink = PathModel { delay_s: 0.02, ..PathModel::default() };
    })
    .await;
    let mut other = Client::connect(running.address).await;
    let heard = other.post("/rudimentary:event", Value::Null).await.as_u64().expect("a number");
    let mut client = Client::connect(running.address).await;
    let events = client.post("/rudimentary:event", Value::Null).await.as_u64().expect("a number");
    assert_eq!(client.post("/rudimentary!keepalive", json!([])).await, true);
    let begun = Instant::now();
    let mut asked = Vec::new();
    for number in 0..4 {
        asked.push(client.send("/rudimentary!send-event", "POST", json!(["burst", number])).await);
    }
    for id in asked {
        assert_eq!(client.answer(id).await["body"], true);
    }
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(100), "{took:?}");
    let mut stamps = Vec::new();
    for number in 0..4 {
        let body = client.signal(events).await;
        assert_eq!(body, other.signal(heard).await);
        assert_eq!(body[1]["object"], number);
        stamps.push(body[0].as_f64().expect("a number"));
    }
    // They are on their way together, not one after the other.
    assert!(stamps.is_sorted() && stamps[3] - stamps[0] < 0.05, "{stamps:?}");
    running.stop().await;
    let rows = rows(folder.path(), "exchanges.csv");
    for (row, stamp_s) in rows.iter().zip(&stamps) {
        let number = |column: usize| row[column].parse::<f64>().expect("a number");
        assert_eq!(number(6).to_bits(), stamp_s.to_bits());
        assert!(number(4) - number(3) >= 0.08, "{row:?}");
        assert!(row[7].contains("0:1") && row[7].contains("1:1"), "{row:?}");
    }
    assert_eq!(rows.len(), 4);
}

#[tokio::test]
async fn an_event_comes_back_after_the_answer_or_before_it() {
    for event_first in [false, true] {
        let running = Running::start(|config| {
            config.event_first = event_first;
            config.uplink = PathModel { delay_s: 0.01, ..PathModel::default() };
        })
        .await;
        let mut client = Client::connect(running.address).await;
        let events = client.post("/rudimentary:event", Value::Null).await;
        assert_eq!(client.post("/rudimentary!keepalive", json!([])).await, true);
        for _ in 0..5 {
            client.send("/rudimentary!send-event", "POST", json!(["tag", {}])).await;
            let both = [client.receive().await, client.receive().await];
            let (event, answer) = if event_first { (&both[0], &both[1]) } else { (&both[1], &both[0]) };
            assert_eq!((&event["signal"], &answer["body"]), (&events, &true.into()), "{event_first}");
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn properties_are_the_same_by_http_and_some_can_be_set() {
    let running = Running::start(|_| {}).await;
    let mut client = Client::connect(running.address).await;
    for path in
        ["/system.recording-unit-serial", "/system/battery.level", "/system.available-gaze-frequencies"]
    {
        let (code, body) = running.http("GET", &format!("/rest{path}"), "").await;
        assert_eq!((code, body), (200, client.get(path).await), "{path}");
    }
    assert_eq!(running.http("GET", "/rest/nothing.here", "").await.0, 404);
    assert_eq!(running.http("GET", "/system.time", "").await.0, 404);
    assert_eq!(running.http("PUT", "/rest/system.time", "").await.0, 405);
    assert_eq!(running.http("POST", "/rest/system.time", "1").await.0, 403);
    assert_eq!(running.http("GET", "/websocket", "").await.0, 400);
    assert_eq!(client.post("/settings.gaze-frequency", json!(75)).await, 400);
    assert_eq!(client.post("/settings.gaze-frequency", json!(100)).await, true);
    assert_eq!(running.http("GET", "/rest/settings.gaze-frequency", "").await, (200, json!(100)));
    assert_eq!(client.get("/recorder.uuid").await, Value::Null);
    assert_eq!(client.post("/recorder!stop", json!([])).await, false);
    assert_eq!(client.post("/recorder!start", json!([])).await, true);
    assert_eq!(client.post("/recorder!start", json!([])).await, false);
    assert_eq!(client.get("/recorder.uuid").await.as_str().map(str::len), Some(36));
    assert_eq!(client.post("/recorder!send-event", json!(["a", {}])).await, true);
    assert!(client.get("/recorder.duration").await.as_f64() >= Some(0.0));
    assert_eq!(client.post("/recorder!cancel", json!([])).await, true);
    assert_eq!(client.get("/recorder.duration").await, Value::Null);
    client.socket.send(Message::text("nonsense")).await.expect("sent");
    assert_eq!(client.receive().await["id"], Value::Null);
    let report = running.stop().await;
    assert_eq!((report.sockets, report.refused), (1, 7));
}

#[tokio::test]
async fn who_does_not_speak_the_protocol_is_refused() {
    let running = Running::start(|_| {}).await;
    let stream = TcpStream::connect(running.address).await.expect("connected");
    let url = format!("ws://{}/websocket", running.address);
    let error = tokio_tungstenite::client_async(url, stream).await.expect_err("no subprotocol").to_string();
    assert!(error.contains("400"), "{error}");
    assert_eq!(running.stop().await.sockets, 0);
}

#[tokio::test]
async fn an_outage_resets_connections_and_then_they_are_back() {
    let running = Running::start(|config| config.outages = vec![Span { at_s: 0.6, for_s: 0.6 }]).await;
    let mut client = Client::connect(running.address).await;
    client.post("/rudimentary:imu", Value::Null).await;
    client.post("/rudimentary!keepalive", json!([])).await;
    let end = loop {
        match timeout(PATIENCE, client.socket.next()).await.expect("in time") {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error.to_string(),
            None => panic!("an orderly end"),
        }
    };
    assert!(end.contains("reset"), "{end}");
    let mut refused = TcpStream::connect(running.address).await.expect("connected");
    let mut nothing = [0; 1];
    let read = timeout(PATIENCE, refused.read(&mut nothing)).await.expect("in time");
    assert_eq!(read.expect_err("a reset").kind(), std::io::ErrorKind::ConnectionReset);
    tokio::time::sleep(Duration::from_millis(800)).await;
    let mut again = Client::connect(running.address).await;
    let imu = again.post("/rudimentary:imu", Value::Null).await.as_u64().expect("a number");
    let stamp_s = again.signal(imu).await[0].as_f64();
    assert!(stamp_s > Some(0.5), "the keepalive of before still holds: {stamp_s:?}");
    assert!(running.stop().await.resets >= 2);
}

#[tokio::test]
async fn they_end_by_themselves_and_overwrite_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = |duration: Option<Duration>| {
        let mut config = Glasses3Config::new("TG03B-TEST", Ipv4Addr::LOCALHOST.into());
        (config.duration, config.truth) = (duration, Some(folder.path().to_owned()));
        config
    };
    let glasses = Glasses3::bind(config(Some(Duration::from_millis(300)))).await.expect("a free port");
    let (_stop, stopped) = watch::channel(false);
    let report = timeout(PATIENCE, glasses.run(stopped)).await.expect("they end").expect("a report");
    assert!((14..=20).contains(&report.signals[0].messages), "{report:?}");
    assert_eq!((report.signals[0].alive, report.zeros), (0, 0));
    let rows = rows(folder.path(), "gaze.csv");
    assert!(rows.iter().all(|row| row[4].is_empty() && row[5].is_empty()));
    let error = Glasses3::bind(config(None)).await.expect_err("the logs exist").to_string();
    assert!(error.contains("never overwritten"), "{error}");
}
