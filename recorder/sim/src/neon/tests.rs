//! A whole simulated phone, asked over its sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::network::PathModel;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running phone.
struct Phone {
    addresses: Addresses,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<NeonReport, SimError>>,
}

impl Phone {
    async fn start(change: impl FnOnce(&mut NeonConfig)) -> Self {
        let mut config = NeonConfig::new("phone", Ipv4Addr::LOCALHOST.into());
        // What a test does not need costs it time.
        config.rates.eyes_hz = 0.0;
        change(&mut config);
        let phone = NeonPhone::bind(config).await.expect("free ports");
        let addresses = phone.addresses();
        let (stop, stopped) = watch::channel(false);
        Self { addresses, stop, running: tokio::spawn(phone.run(stopped)) }
    }

    async fn stop(self) -> NeonReport {
        self.stop.send_replace(true);
        timeout(PATIENCE, self.running).await.expect("it ends").expect("no panic").expect("a report")
    }

    /// The code and the body of the answer to a request.
    async fn http(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.addresses.http).await.expect("connected");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.expect("asked");
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("in time").expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let code = head[9..12].parse().expect("a code");
        (code, serde_json::from_str(body).expect("JSON"))
    }
}

/// A connection to RTSP.
struct Rtsp {
    stream: TcpStream,
    bytes: Vec<u8>,
    /// The reply to the last SETUP.
    set_up: String,
}

impl Rtsp {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connected");
        Self { stream, bytes: Vec::new(), set_up: String::new() }
    }

    /// Ask, and get the reply's code and text. No frames may come before it.
    async fn ask(&mut self, method: &str, url: &str, header: &str) -> (u16, String) {
        let request = format!("{method} {url} RTSP/1.0\r\nCSeq: 1\r\n{header}\r\n");
        self.stream.write_all(request.as_bytes()).await.expect("asked");
        loop {
            if let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
                let length = head.split("Content-Length: ").nth(1).and_then(|rest| rest.lines().next());
                let whole = end + 4 + length.and_then(|length| length.parse().ok()).unwrap_or(0);
                if self.bytes.len() >= whole {
                    let text: Vec<u8> = self.bytes.drain(..whole).collect();
                    let text = String::from_utf8(text).expect("text");
                    return (text[9..12].parse().expect("a code"), text);
                }
            }
            self.read().await;
        }
    }

    async fn read(&mut self) {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.bytes)).await.expect("in time");
        assert_ne!(read.expect("read"), 0, "the connection ended");
    }

    /// Describe, set up and play a sensor.
    async fn play(&mut self, sensor: &str, transport: &str) -> u16 {
        let url = format!("rtsp://127.0.0.1/?camera={sensor}");
        let (code, options) = self.ask("OPTIONS", &url, "").await;
        assert!(code == 200 && options.contains("Public: DESCRIBE,SETUP,TEARDOWN,PLAY,PAUSE\r\n"));
        let (code, described) = self.ask("DESCRIBE", &url, "Accept: application/sdp\r\n").await;
        if code != 200 {
            return code;
        }
        let base = described.split("Content-Base: ").nth(1).and_then(|rest| rest.lines().next());
        let base = base.expect("a base").to_owned();
        let (code, set_up) = self.ask("SETUP", &base, &format!("Transport: {transport}\r\n")).await;
        assert!(code == 200 && set_up.contains("Session: "), "{set_up}");
        self.set_up = set_up;
        self.ask("PLAY", &base, "Session: 1\r\n").await.0
    }

    /// The next frame: its channel and its packet.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let [b'$', channel, high, low, rest @ ..] = self.bytes.as_slice() {
                let (channel, length) = (*channel, usize::from(u16::from_be_bytes([*high, *low])));
                if rest.len() >= length {
                    let packet = rest[..length].to_vec();
                    self.bytes.drain(..4 + length);
                    return (channel, packet);
                }
            }
            self.read().await;
        }
    }
}

fn rows(folder: &Path, file: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join(file)).expect("a truth log");
    assert!(text.starts_with("# {\"simulated\":true"), "{text}");
    text.lines().skip(2).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn gaze_over_udp_is_what_the_truth_log_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = folder.path().join("truth");
    let phone = Phone::start(|config| config.truth = Some(truth.clone())).await;
    let (rtp, rtcp) = (udp().await, udp().await);
    let transport = format!("RTP/AVP;unicast;client_port={}-{}", port(&rtp), port(&rtcp));
    let mut client = Rtsp::connect(phone.addresses.rtsp).await;
    assert_eq!(client.play("gaze", &transport).await, 200);
    let report = receive(&rtcp).await;
    assert_eq!((report.len(), report[1]), (rtp::REPORT_BYTES, 200));
    let mut packets = Vec::new();
    for _ in 0..40 {
        packets.push(receive(&rtp).await);
    }
    drop(client);
    let report = phone.stop().await;
    assert_eq!((report.sensors[0].clients, report.sensors[0].lost), (1, 0));
    let rows = rows(&truth, "gaze.csv");
    assert!(rows.iter().enumerate().all(|(place, row)| row[0] == place.to_string()));
    for packet in packets {
        let time = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let row = rows.iter().find(|row| row[4] == time.to_string()).expect("a row");
        assert_eq!((row[5].as_str(), row[6].as_str(), row[7].as_str()), ("0:1", "binocular", "9"));
        let x = f32::from_be_bytes([packet[12], packet[13], packet[14], packet[15]]);
        assert_eq!(row[9].parse::<f32>().expect("a number").to_bits(), x.to_bits());
    }
}

#[tokio::test]
async fn as_many_copies_arrive_as_the_truth_log_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let phone = Phone::start(|config| {
        config.uplink =
            PathModel { delay_s: 0.003, loss: 0.1, reorder: 0.1, duplicate: 0.1, ..PathModel::default() };
        config.truth = Some(folder.path().to_owned());
    })
    .await;
    let (rtp, rtcp) = (udp().await, udp().await);
    let transport = format!("RTP/AVP;unicast;client_port={}-{}", port(&rtp), port(&rtcp));
    let mut client = Rtsp::connect(phone.addresses.rtsp).await;
    assert_eq!(client.play("gaze", &transport).await, 200);
    let mut times = Vec::new();
    for _ in 0..200 {
        let packet = receive(&rtp).await;
        times.push(u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]).to_string());
    }
    let report = phone.stop().await;
    let counts = &report.sensors[0];
    assert!(counts.lost > 0 && counts.duplicated > 0 && counts.reordered > 0, "{counts:?}");
    let rows = rows(folder.path(), "gaze.csv");
    let place = |time: &String| rows.iter().position(|row| row[4] == *time).expect("a row");
    let latest = times.iter().map(place).max().expect("some");
    // Those of the last moments may still have been on their way.
    let played = rows[..latest - 10].iter().filter(|row| !row[5].is_empty());
    for row in played {
        let came = times.iter().filter(|time| row[4] == **time).count();
        assert_eq!(row[5], format!("0:{came}"), "{row:?}");
    }
}

async fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("a socket")
}

fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().expect("an address").port()
}

async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut bytes = vec![0; 2000];
    let length = timeout(PATIENCE, socket.recv(&mut bytes)).await.expect("in time").expect("received");
    bytes.truncate(length);
    bytes
}

#[tokio::test]
async fn interleaved_frames_keep_their_channels_and_their_garbage() {
    let phone = Phone::start(|config| {
        config.interleaved = InterleavedFaults { hide_channels: true, garbage_every: Some(5) };
        config.rtp.first_report_s = 3600.0;
    })
    .await;
    let mut client = Rtsp::connect(phone.addresses.rtsp).await;
    assert_eq!(client.play("imu", "RTP/AVP/TCP;unicast;interleaved=6-7").await, 200);
    assert!(client.set_up.contains("RTP/AVP/TCP") && !client.set_up.contains("interleaved"));
    for _ in 0..4 {
        let (channel, packet) = client.frame().await;
        assert_eq!((channel, packet[1] & 0x7f), (6, 100));
    }
    while client.bytes.len() < 200 {
        client.read().await;
    }
    let text = String::from_utf8_lossy(&client.bytes).into_owned();
    assert!(text.contains("RTSP/1.0 400 Bad Request\r\n"), "{text:?}");
    phone.stop().await;
}

#[tokio::test]
async fn recordings_and_events_are_answered_and_refused() {
    let phone = Phone::start(|_| {}).await;
    let (code, status) = phone.http("GET", "/api/status", "").await;
    let models: Vec<&str> =
        status["result"].as_array().expect("a list").iter().filter_map(|m| m["model"].as_str()).collect();
    assert_eq!((code, models.len(), models[0]), (200, 7, "Phone"));
    let (code, event) = phone.http("POST", "/api/event", r#"{"name":"a","timestamp":5}"#).await;
    assert_eq!((code, &event["result"]["timestamp"]), (200, &5.into()));
    assert_eq!(event["result"]["recording_id"], Value::Null);
    assert_eq!(phone.http("POST", "/api/recording:cancel", "").await.0, 500);
    let (code, started) = phone.http("POST", "/api/recording:start", "").await;
    assert_eq!(code, 200);
    let (code, again) = phone.http("POST", "/api/recording:start", "").await;
    assert_eq!((code, &again["message"]), (500, &"Already recording!".into()));
    let (_, event) = phone.http("POST", "/api/event", r#"{"name":"b"}"#).await;
    assert_eq!(event["result"]["recording_id"], started["result"]["id"]);
    let (code, saved) = phone.http("POST", "/api/recording:stop_and_save", "").await;
    assert!(code == 200 && saved["result"]["rec_duration_ns"].as_i64() > Some(0), "{saved}");
    assert_eq!(phone.http("POST", "/api/event", "{}").await.0, 400);
    assert_eq!(phone.http("GET", "/nothing", "").await.0, 404);
    let (code, gain) = phone.http("POST", "/api/camera_control?camera=world&gain=900", "").await;
    assert_eq!((code, &gain["message"]), (400, &"gain: give a whole number from 0 to 100".into()));
    let report = phone.stop().await;
    assert_eq!((report.events, report.requests), (2, 10));
    let phone = Phone::start(|config| config.refusal = Some("Battery low".to_owned())).await;
    let (code, refused) = phone.http("POST", "/api/recording:start", "").await;
    assert_eq!((code, &refused["message"]), (500, &"Battery low".into()));
    phone.stop().await;
}

#[tokio::test]
async fn the_time_echo_floors_its_clock_and_does_wrong_when_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let phone = Phone::start(|config| {
        config.clock.offset_s = 1234.5;
        config.echo.wrong_every = Some(3);
        config.echo.split_every = Some(5);
        config.truth = Some(folder.path().to_owned());
    })
    .await;
    let mut stream = TcpStream::connect(phone.addresses.echo.expect("a port")).await.expect("connected");
    let mut replies = Vec::new();
    for t1 in 10_u64..14 {
        stream.write_all(&t1.to_be_bytes()).await.expect("asked");
        let mut reply = [0; 16];
        timeout(PATIENCE, stream.read_exact(&mut reply)).await.expect("in time").expect("answered");
        let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| reply[at + byte]));
        replies.push((word(0), word(8)));
    }
    assert_eq!(replies.iter().map(|reply| reply.0).collect::<Vec<_>>(), [10, 11, 13, 13]);
    stream.write_all(&[0; 8]).await.expect("asked");
    let mut reply = [0; 16];
    let half = timeout(PATIENCE, stream.read(&mut reply)).await.expect("in time").expect("answered");
    assert_eq!(half, 8, "it comes in two parts");
    timeout(PATIENCE, stream.read_exact(&mut reply[half..])).await.expect("in time").expect("the rest");
    // The last one is counted when all of it is sent.
    stream.write_all(&[0; 8]).await.expect("asked");
    timeout(PATIENCE, stream.read_exact(&mut reply)).await.expect("in time").expect("answered");
    assert!(phone.stop().await.echoes >= 5);
    let rows = rows(folder.path(), "exchanges.csv");
    let (_, utc_ns) = lockstep_platform::monotonic_and_utc_ns();
    for (row, (_, device_ms)) in rows.iter().zip(&replies) {
        assert_eq!(row[5], device_ms.to_string());
        let ahead_ms = utc_ns / 1_000_000 - i64::try_from(*device_ms).expect("fits");
        assert!((1_234_500..1_264_500).contains(&ahead_ms), "{ahead_ms}");
    }
    assert_eq!(rows[2][7], "wrong");
}

#[tokio::test]
async fn an_outage_resets_everything_and_then_it_is_back() {
    let phone = Phone::start(|config| config.outages = vec![Span { at_s: 0.7, for_s: 0.6 }]).await;
    let mut playing = Rtsp::connect(phone.addresses.rtsp).await;
    assert_eq!(playing.play("gaze", "RTP/AVP/TCP;unicast;interleaved=0-1").await, 200);
    assert!(playing.set_up.contains(";interleaved=0-1;"), "{}", playing.set_up);
    let mut idle = TcpStream::connect(phone.addresses.http).await.expect("connected");
    let mut nothing = [0; 1];
    let read = timeout(PATIENCE, idle.read(&mut nothing)).await.expect("in time");
    assert_eq!(read.expect_err("a reset").kind(), std::io::ErrorKind::ConnectionReset);
    let end = loop {
        match timeout(PATIENCE, playing.stream.read_buf(&mut playing.bytes)).await.expect("in time") {
            Ok(0) => panic!("an orderly end"),
            Ok(_) => playing.bytes.clear(),
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(end, std::io::ErrorKind::ConnectionReset);
    tokio::time::sleep(Duration::from_millis(900)).await;
    let mut again = Rtsp::connect(phone.addresses.rtsp).await;
    assert_eq!(again.play("gaze", "RTP/AVP/TCP;unicast;interleaved=0-1").await, 200);
    again.frame().await;
    assert!(phone.stop().await.resets >= 2);
}

#[tokio::test]
async fn places_are_bounded_and_a_sensor_that_is_not_there_is_an_error() {
    let phone = Phone::start(|config| {
        config.clients = 1;
        config.unplugged = vec![(Sensor::Imu, Span { at_s: 0.0, for_s: f64::INFINITY })];
    })
    .await;
    let tcp = "RTP/AVP/TCP;unicast;interleaved=0-1";
    let mut first = Rtsp::connect(phone.addresses.rtsp).await;
    assert_eq!(first.play("gaze", tcp).await, 200);
    let mut second = Rtsp::connect(phone.addresses.rtsp).await;
    assert_eq!(second.play("gaze", tcp).await, 453);
    assert_eq!(second.play("imu", tcp).await, 500);
    assert_eq!(second.play("eyes", tcp).await, 500);
    assert_eq!(second.ask("OPTIONS", "rtsp://127.0.0.1/?camera=nose", "").await.0, 404);
    assert_eq!(second.ask("GET_PARAMETER", "rtsp://127.0.0.1/", "").await.0, 405);
    drop(first);
    // Its place is free once the phone has seen that it is gone.
    let mut third = Rtsp::connect(phone.addresses.rtsp).await;
    let mut code = third.play("gaze", tcp).await;
    for _ in 0..50 {
        if code == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        code = third.ask("PLAY", "rtsp://127.0.0.1/", "").await.0;
    }
    assert_eq!(code, 200);
    phone.stop().await;
}

#[tokio::test]
async fn it_ends_by_itself_and_overwrites_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = |duration: Option<Duration>| {
        let mut config = NeonConfig::new("phone", Ipv4Addr::LOCALHOST.into());
        config.duration = duration;
        config.truth = Some(folder.path().to_owned());
        config
    };
    let phone = NeonPhone::bind(config(Some(Duration::from_millis(300)))).await.expect("free ports");
    let (_stop, stopped) = watch::channel(false);
    let report = timeout(PATIENCE, phone.run(stopped)).await.expect("it ends").expect("a report");
    assert_eq!(report.sensors.len(), 5);
    for (sensor, samples) in [(0, 60), (1, 33), (3, 9), (4, 60)] {
        let taken = report.sensors[sensor].samples;
        assert!((samples - 1..=samples + 20).contains(&taken), "{:?}", report.sensors[sensor]);
    }
    let scene = rows(folder.path(), "scene.csv");
    assert_eq!((scene[0][6].as_str(), scene[0][7].as_str(), scene[1][7].as_str()), ("0", "1", "0"));
    let error = NeonPhone::bind(config(None)).await.expect_err("the logs exist").to_string();
    assert!(error.contains("never overwritten"), "{error}");
}
