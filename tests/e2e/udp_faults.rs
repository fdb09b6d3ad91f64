//! What networks and devices do wrong: loss, reordering and duplicates are put right or counted
//! exactly; datagrams that make no sense, or come from somebody else, do no harm.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::net::UdpSocket;

use serde_json::Value;
use support::{
    Recorder, Recording, Simulator, TestDir, assert_closed_cleanly, check, config_for, events, record_all,
    stream,
};

/// Details of the only event of this name that a plugin wrote.
fn plugin_event<'a>(info: &'a Value, source: &str, name: &str) -> &'a Value {
    let found: Vec<_> = events(info, "plugin_event")
        .into_iter()
        .filter(|e| e["source"] == source && e["name"] == name)
        .collect();
    assert_eq!(found.len(), 1, "events {name} of {source}: {info}");
    &found[0]["details"]
}

#[test]
fn loss_reordering_and_duplicates_are_put_right_or_counted_as_they_were() {
    let dir = TestDir::new();
    let simulators = [
        "--rate-hz=200 --name=loss --loss=0.1 --seed=21",
        "--rate-hz=200 --name=all-binary --loss=0.05 --reorder=0.1 --duplicate=0.1 --jitter-ms=2 --seed=22",
        "--rate-hz=200 --name=all-json --loss=0.05 --reorder=0.1 --duplicate=0.1 --payload=json --samples-per-datagram=3 --seed=23",
        "--rate-hz=200 --name=all-csv --loss=0.05 --reorder=0.1 --duplicate=0.1 --payload=csv --samples-per-datagram=2 --seed=24",
        "--rate-hz=200 --name=heavy --loss=0.5 --duplicate=0.5 --seed=25",
        "--rate-hz=0 --name=irregular --loss=0.1 --duplicate=0.1 --mean-rate-hz=100 --seed=26",
    ]
    .map(|flags| {
        let flags = format!("--exchange=none --duration-s=5 {flags}");
        Simulator::new(&dir.join("truth"), 1, &flags)
    });
    let recording = record_all(&dir, &simulators);
    recording.expect_code(3);
    let info = recording.info();
    assert_closed_cleanly(&info);
    for name in ["loss", "all-binary", "all-json", "all-csv", "heavy", "irregular"] {
        assert_eq!(recording.verdict_of(name)["outcome"], "lossy");
        let lost = stream(&info, name)["lost_samples"].as_u64().expect("a count");
        let gaps = events(&info, "gap").into_iter().filter(|e| e["source"] == name);
        let told: u64 = gaps.map(|e| e["lost_samples"].as_u64().expect("a count")).sum();
        assert_eq!(told, lost, "the gaps of {name} tell of every sample");
        assert_eq!(plugin_event(&info, name, "udp summary")["sequence"]["lost"], lost);
    }
    let mut arguments = vec![recording.file.clone()];
    arguments.extend(simulators.iter().flat_map(Simulator::truths));
    check("losses", arguments);
}

#[test]
fn reordering_and_duplicates_without_loss_make_a_complete_recording() {
    let dir = TestDir::new();
    let flags =
        "--name=mixed --rate-hz=200 --reorder=0.2 --duplicate=0.2 --exchange=none --duration-s=4 --seed=31";
    let simulators = [Simulator::new(&dir.join("truth"), 1, flags)];
    let recording = record_all(&dir, &simulators);
    recording.expect_code(0);
    let info = recording.info();
    assert_closed_cleanly(&info);
    let sequence = &plugin_event(&info, "mixed", "udp summary")["sequence"];
    assert!(sequence["reordered_datagrams"].as_u64() > Some(50), "{sequence}");
    assert!(sequence["duplicate"].as_u64() > Some(50), "{sequence}");
    assert_eq!(stream(&info, "mixed")["samples"], 800);
    check("samples", [recording.file.clone(), simulators[0].truths().remove(0)]);
}

/// Record a device while `disturb` sends what it likes to the same port.
fn disturbed(dir: &TestDir, options: &str, disturb: impl Fn(&UdpSocket, u16)) -> (Recording, Simulator) {
    let flags = "--name=it --rate-hz=200 --exchange=none --duration-s=3 --seed=41";
    let simulator = Simulator::new(&dir.join("truth"), 1, flags);
    let config = format!("{}{options}\n", config_for(std::slice::from_ref(&simulator)));
    let recorder = Recorder::start(dir, &config);
    recorder.wait_until_listening(1);
    let device = simulator.start();
    recorder.wait_until_recording();
    disturb(&UdpSocket::bind("127.0.0.1:0").expect("a socket"), simulator.port);
    device.wait();
    (recorder.interrupt(), simulator)
}

#[test]
fn malformed_datagrams_are_counted_and_the_first_are_shown_and_harm_nothing() {
    let dir = TestDir::new();
    let (recording, simulator) = disturbed(&dir, "", |socket, port| {
        let send = |bytes: &[u8]| {
            assert_eq!(socket.send_to(bytes, ("127.0.0.1", port)).expect("sent"), bytes.len());
        };
        send(b"");
        send(b"GET / HTTP/1.1\r\n\r\n");
        send(b"LKS1");
        send(b"LKS1 and something");
        send(&[0; 60_000]);
        for length in 1..=95 {
            send(&vec![0xA5; length]);
        }
    });
    let info = recording.info();
    assert_closed_cleanly(&info);
    let summary = plugin_event(&info, "it", "udp summary");
    assert_eq!(summary["malformed_datagrams"], 100, "{summary}");
    assert_eq!(summary["samples"], 600, "{summary}");
    recording.expect_told("malformed datagram from 127.0.0.1").expect_told("47 45 54 20");
    let shown = recording.all("notice").filter(|n| n["text"].to_string().contains("malformed datagram from"));
    assert!((1..=20).contains(&shown.count()), "the first few are shown");
    check("samples", [recording.file.clone(), simulator.truths().remove(0)]);
}

// 127.0.0.2 is an address of this machine on Linux only.
#[cfg(target_os = "linux")]
#[test]
fn datagrams_of_senders_that_are_not_allowed_are_counted_and_ignored() {
    let dir = TestDir::new();
    let (recording, simulator) = disturbed(&dir, "allow_from = [\"127.0.0.1\"]", |_, port| {
        let foreign = UdpSocket::bind("127.0.0.2:0").expect("a socket");
        for _ in 0..50 {
            foreign.send_to(b"LKS1 not yours", ("127.0.0.1", port)).expect("sent");
        }
    });
    recording.expect_code(0);
    let info = recording.info();
    assert_closed_cleanly(&info);
    let summary = plugin_event(&info, "it", "udp summary");
    assert_eq!((&summary["foreign_datagrams"], &summary["malformed_datagrams"]), (&50.into(), &0.into()));
    assert_eq!(plugin_event(&info, "it", "udp foreign sender")["address"], "127.0.0.2");
    check("bit_exact", [recording.file.clone(), simulator.truths().remove(0)]);
}

#[test]
fn a_port_that_is_taken_is_told_with_the_mend() {
    let dir = TestDir::new();
    let simulator = Simulator::new(&dir.join("truth"), 1, "--exchange=none");
    let _taken = UdpSocket::bind(("127.0.0.1", simulator.port)).expect("the port is free");
    let recording = Recorder::start(&dir, &config_for(&[simulator])).wait();
    recording.expect_code(1);
    recording.expect_told("another program, or another source, listens there already");
}
