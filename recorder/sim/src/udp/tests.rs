//! Loopback tests: a plain tokio socket plays the recorder.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::*;
use crate::clock::{ClockModel, SimClock};
use crate::format::{Format, Value};
use crate::network::PathModel;
use crate::signal::Signal;
use crate::truth::exchanges_path;

/// Long enough for any machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

async fn recorder() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("bound");
    (socket, address)
}

fn loopback_exchange(kind: ExchangeKind) -> Option<ExchangeConfig> {
    Some(ExchangeConfig { kind, address: SocketAddr::from(([127, 0, 0, 1], 0)) })
}

async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let received = timeout(PATIENCE, socket.recv_from(&mut buffer)).await.expect("a datagram comes");
    let (length, _) = received.expect("received");
    buffer.truncate(length);
    buffer
}

/// Rows of a CSV truth log below its two header lines, split at commas.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).expect("truth log");
    text.lines().skip(2).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// The metadata line of a truth log.
fn metadata(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).expect("truth log");
    let line = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("metadata");
    serde_json::from_str(line).expect("JSON")
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

#[tokio::test]
async fn echo_exchanges_enclose_the_true_offset_and_are_logged() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let truth = folder.path().join("imu.csv");
    let (_recorder, destination) = recorder().await;
    let config = UdpDeviceConfig {
        clock: ClockModel { offset_s: 1234.567, skew_ppm: 40.0, ..ClockModel::default() },
        downlink: PathModel { delay_s: 0.004, jitter_s: 0.001, ..PathModel::default() },
        uplink: PathModel { jitter_s: 0.002, ..PathModel::default() },
        exchange: loopback_exchange(ExchangeKind::Echo),
        truth: Some(truth.clone()),
        ..UdpDeviceConfig::new("imu", destination)
    };
    let simulator = Simulator::bind(vec![config.clone()]).await.expect("bound");
    let server = simulator.exchange_addresses()[0].expect("it has an exchange");
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(simulator.run(stopped));

    let probe = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    probe.send_to(b"not a request", server).await.expect("sent");
    let mut replies = Vec::new();
    for sequence in 0_u32..10 {
        let t0_s = now_s();
        let mut request = exchange::ECHO_MAGIC.to_vec();
        request.extend_from_slice(&sequence.to_le_bytes());
        request.extend_from_slice(&t0_s.to_le_bytes());
        probe.send_to(&request, server).await.expect("sent");
        let reply = receive(&probe).await;
        let t3_s = now_s();
        assert_eq!(reply[..16], request[..]);
        replies.push((t0_s, u64_at(&reply, 16), u64_at(&reply, 24), t3_s));
    }
    stop.send_replace(true);
    let reports = running.await.expect("no panic").expect("no error");

    assert_eq!(reports[0].exchanges.answered, 10);
    assert_eq!(reports[0].exchanges.ignored, 1);
    let epoch_s = metadata(&truth)["host_epoch_s"].as_f64().expect("a number");
    let clock = SimClock::new(&config.clock, epoch_s, config.seed);
    let log = rows(&exchanges_path(&truth));
    assert_eq!(log.len(), replies.len());
    for (row, (t0_s, t1, t2, t3_s)) in log.iter().zip(replies) {
        assert!(t1 <= t2);
        // The log, to the digit.
        assert_eq!(row[3], (t1 as i64).to_string());
        assert_eq!(row[4], (t2 as i64).to_string());
        assert_eq!(row[7].parse(), Ok(t0_s));
        let t1_host_s: f64 = row[1].parse().expect("a number");
        assert_eq!(clock.ticks(t1_host_s, 1_000_000), t1 as i64);
        // The delay lies where it was put, and the truth lies inside the exchange. The ticks are
        // floored to 1 us.
        assert!(t1_host_s - t0_s >= 0.004);
        let device = |ticks: u64| ticks as i64 as f64 * 1e-6;
        let offset_s = clock.offset_at(t1_host_s);
        assert!(t0_s - device(t1) <= offset_s + 1.1e-6);
        assert!(offset_s <= t3_s - device(t2) + 1e-6);
    }
}

#[tokio::test]
async fn an_ntp_client_reads_the_simulated_clock() {
    let (_recorder, destination) = recorder().await;
    let config = UdpDeviceConfig {
        clock: ClockModel { offset_s: -1_700_000_000.0, ..ClockModel::default() },
        exchange: loopback_exchange(ExchangeKind::Ntp),
        ..UdpDeviceConfig::new("clock", destination)
    };
    let simulator = Simulator::bind(vec![config]).await.expect("bound");
    let server = simulator.exchange_addresses()[0].expect("it has an exchange");
    let (_stop, stopped) = watch::channel(false);
    let running = tokio::spawn(simulator.run(stopped));

    let probe = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let mut request = [0; exchange::NTP_BYTES];
    request[0] = (3 << 3) | 3;
    let t0_s = now_s();
    probe.send_to(&request, server).await.expect("sent");
    let reply = receive(&probe).await;
    let t3_s = now_s();
    running.abort();
    assert_eq!(reply.len(), exchange::NTP_BYTES);
    let unix_s = |at: usize| {
        let stamp = u64::from_be_bytes(reply[at..at + 8].try_into().expect("8 bytes"));
        stamp as f64 / 4_294_967_296.0 - exchange::NTP_UNIX_OFFSET_S as f64
    };
    // f64 resolves a unix time to about 0.5 us, and the clock ticks in microseconds.
    assert!(unix_s(32) >= t0_s + 1.7e9 - 2e-6);
    assert!(unix_s(40) <= t3_s + 1.7e9 + 2e-6);
    assert!(unix_s(32) <= unix_s(40));
}

#[tokio::test]
async fn what_arrives_over_a_bad_network_is_what_the_log_says() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let truth = folder.path().join("eeg.csv");
    let (recorder, destination) = recorder().await;
    let config = UdpDeviceConfig {
        format: Format::Int64,
        channel_names: default_channel_names(2),
        rate: Rate::Regular { hz: 1000.0 },
        samples_per_datagram: 3,
        uplink: PathModel {
            delay_s: 0.001,
            jitter_s: 0.002,
            loss: 0.1,
            reorder: 0.05,
            duplicate: 0.1,
            link: None,
        },
        seed: 5,
        duration: Some(Duration::from_millis(400)),
        truth: Some(truth.clone()),
        ..UdpDeviceConfig::new("eeg", destination)
    };
    let (_stop, stopped) = watch::channel(false);
    let running = tokio::spawn(run(vec![config.clone()], stopped));
    let mut copies_seen: HashMap<u32, usize> = HashMap::new();
    let mut seen: HashMap<u32, (i64, i64, i64)> = HashMap::new();
    let mut take = |datagram: Vec<u8>| {
        assert_eq!(datagram[..4], payload::BINARY_MAGIC);
        let first = u32::from_le_bytes(datagram[4..8].try_into().expect("4 bytes"));
        for (index, sample) in (first..).zip(datagram[8..].chunks_exact(24)) {
            let field = |at| u64_at(sample, at) as i64;
            *copies_seen.entry(index).or_default() += 1;
            seen.insert(index, (field(0), field(8), field(16)));
        }
    };
    let mut running = running;
    let report = loop {
        tokio::select! {
            biased;
            datagram = receive(&recorder) => take(datagram),
            ended = &mut running => break ended.expect("no panic").expect("no error").remove(0),
        }
    };
    // Everything was sent before the run ended, so whatever is left is in the socket already.
    let mut buffer = vec![0; 65_536];
    while let Ok((length, _)) = recorder.try_recv_from(&mut buffer) {
        take(buffer[..length].to_vec());
    }

    let log = rows(&truth);
    assert_eq!(log.len(), 400);
    let signal = Signal::new(Format::Int64, 1000.0, 5);
    for (index, row) in (0_u32..).zip(&log) {
        assert_eq!(row[0], index.to_string());
        let delivered: usize = row[4].parse().expect("a number");
        assert_eq!(copies_seen.get(&index).copied().unwrap_or(0), delivered, "sample {index}");
        assert_eq!(Value::Int64(row[5].parse().expect("a number")), signal.value(index.into(), 0));
        if let Some((ticks, first, second)) = seen.get(&index) {
            assert_eq!(row[2], ticks.to_string());
            assert_eq!((row[5].as_str(), row[6].as_str()), (&*first.to_string(), &*second.to_string()));
        }
    }
    assert_eq!((report.samples, report.datagrams), (400, 134));
    assert!(report.lost > 0 && report.duplicated > 0 && report.reordered > 0, "{report:?}");
    assert_eq!((report.queue_full, report.send_errors), (0, 0));
}

#[tokio::test]
async fn stamps_follow_the_device_clock_at_even_steps() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let truth = folder.path().join("ppg.csv");
    let (_recorder, destination) = recorder().await;
    let config = UdpDeviceConfig {
        payload: Payload::Csv,
        clock: ClockModel { offset_s: 77.7, skew_ppm: -300.0, ..ClockModel::default() },
        clock_unit: crate::clock::TickUnit::Nanoseconds,
        start_delay: Duration::from_millis(30),
        duration: Some(Duration::from_millis(200)),
        truth: Some(truth.clone()),
        ..UdpDeviceConfig::new("ppg", destination)
    };
    let (_stop, stopped) = watch::channel(false);
    run(vec![config.clone()], stopped).await.expect("runs");
    let epoch_s = metadata(&truth)["host_epoch_s"].as_f64().expect("a number");
    let clock = SimClock::new(&config.clock, epoch_s, config.seed);
    let log = rows(&truth);
    assert_eq!(log.len(), 20);
    let ticks: Vec<i64> = log.iter().map(|row| row[2].parse().expect("a number")).collect();
    for pair in ticks.windows(2) {
        // 10 ms of the device's own time, whatever its skew; the floor may cost one tick.
        assert!((pair[1] - pair[0] - 10_000_000).abs() <= 1);
    }
    for row in &log {
        let sent_s: f64 = row[1].parse().expect("a number");
        let device_s: f64 = row[3].parse().expect("a number");
        assert!(sent_s >= clock.host_time_s(device_s) - 1e-9, "never sent before it was taken");
    }
}

#[tokio::test]
async fn a_taken_exchange_port_is_named_before_anything_runs() {
    let (_taken, address) = recorder().await;
    let mut config = UdpDeviceConfig::new("imu", address);
    config.exchange = Some(ExchangeConfig { kind: ExchangeKind::Echo, address });
    let error = Simulator::bind(vec![config]).await.expect_err("the port is taken").to_string();
    assert!(error.contains("'imu'") && error.contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn a_datagram_beyond_udp_is_an_error() {
    let (_recorder, destination) = recorder().await;
    let config = UdpDeviceConfig {
        channel_names: default_channel_names(1000),
        rate: Rate::Regular { hz: 10_000.0 },
        samples_per_datagram: 20,
        ..UdpDeviceConfig::new("big", destination)
    };
    let (_stop, stopped) = watch::channel(false);
    let error = run(vec![config], stopped).await.expect_err("80 kB do not fit");
    assert!(matches!(error, SimError::DatagramTooLarge { bytes: 80_168, .. }), "{error}");
}

#[tokio::test]
async fn a_dropped_stop_sender_ends_the_run() {
    let (_recorder, destination) = recorder().await;
    let (stop, stopped) = watch::channel(false);
    drop(stop);
    let config = UdpDeviceConfig::new("imu", destination);
    let ended = timeout(PATIENCE, run(vec![config], stopped)).await.expect("it ends");
    assert_eq!(ended.expect("no error").len(), 1);
}

#[test]
fn the_blocking_run_ends_at_its_flag() {
    let destination = SocketAddr::from(([127, 0, 0, 1], 9));
    let devices = vec![
        UdpDeviceConfig::new("a", destination),
        UdpDeviceConfig {
            payload: Payload::Marker,
            format: Format::String,
            channel_names: default_channel_names(1),
            rate: Rate::Irregular { mean_hz: 50.0 },
            ..UdpDeviceConfig::new("b", destination)
        },
    ];
    let reports = run_blocking(devices, Arc::new(AtomicBool::new(true))).expect("runs");
    let names: Vec<&str> = reports.iter().map(|report| report.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}
