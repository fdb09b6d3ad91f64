//! Tests of how answers are judged.

use lockstep_plugin_api::Stamp;

use super::*;
use crate::options::{ClockKind, Stamped};

const DEVICE: &str = "127.0.0.1:5006";
const MS: i64 = 1_000_000;

fn client(kind: ExchangeKind, bits: u32) -> Client {
    let stamp = StampPlan {
        clock: ClockKind::Device,
        ticks_per_s: 1_000_000,
        bits,
        per_datagram: false,
        stamps: Stamped::First,
        resolution_s: 1e-6,
        stamp: Stamp::Floor,
    };
    let line = Arc::new(Mutex::new(Timeline::new(1_000_000, bits)));
    let plan = ExchangePlan { kind, address: device() };
    Client::open(plan, stamp, line, Arc::default()).expect("a socket")
}

fn device() -> SocketAddr {
    DEVICE.parse().expect("an address")
}

fn counters(client: &Client) -> ExchangeCounters {
    *client.counters.lock().expect("not poisoned")
}

fn echo_answer(number: u32, t1: u64, t2: u64) -> Vec<u8> {
    let mut packet = echo::question(number, 1.0).to_vec();
    packet.extend(t1.to_le_bytes());
    packet.extend(t2.to_le_bytes());
    packet
}

/// Judge an answer that arrived 10 ms after its question was sent at `t0_ms`.
fn judge(client: &mut Client, packet: &[u8], t0_ms: i64) -> Result<Option<(f64, f64)>, String> {
    let judged = client.judge(packet, device(), t0_ms * MS, (t0_ms + 10) * MS);
    judged.map(|times| times.map(|(t1_s, t2_s, _)| (t1_s, t2_s)))
}

#[test]
fn the_awaited_answer_is_used_once() {
    let mut client = client(ExchangeKind::Echo, 64);
    client.ledger.ask(1);
    client.ledger.ask(2);
    let packet = echo_answer(2, 5_000_000, 5_000_100);
    assert_eq!(judge(&mut client, &packet, 0), Ok(Some((5.0, 5.0001))));
    assert_eq!(judge(&mut client, &packet, 0), Ok(None));
    assert_eq!(judge(&mut client, &echo_answer(1, 1, 1), 0), Ok(None));
    assert_eq!(judge(&mut client, &echo_answer(9, 1, 1), 0), Ok(None));
    assert_eq!(judge(&mut client, b"noise", 0), Ok(None));
    let counted = ExchangeCounters { answered: 1, duplicate: 1, late: 1, foreign: 2, ..Default::default() };
    assert_eq!(counters(&client), counted);
}

#[test]
fn another_sender_is_not_believed() {
    let mut client = client(ExchangeKind::Echo, 64);
    client.ledger.ask(1);
    let from: SocketAddr = "127.0.0.1:9".parse().expect("an address");
    assert_eq!(client.judge(&echo_answer(1, 1, 1), from, 0, MS), Ok(None));
    assert_eq!(judge(&mut client, &echo_answer(1, 1, 1), 0), Ok(Some((1e-6, 1e-6))));
}

#[test]
fn times_that_cannot_be_are_refused_and_leave_no_trace() {
    for (bits, t1, t2) in [
        (64, 5_000_000, 4_999_999), // back
        (64, 5_000_000, 5_020_000), // held for 20 of 10 ms
        (32, 1 << 32, 1 << 32),     // too wide
        (64, u64::MAX, 5),          // from below zero is fine, but see the next line
    ] {
        let mut client = client(ExchangeKind::Echo, bits);
        client.ledger.ask(1);
        let judged = judge(&mut client, &echo_answer(1, t1, t2), 0);
        if t1 == u64::MAX {
            assert_eq!(judged, Ok(Some((-1e-6, 5e-6))));
            continue;
        }
        assert!(judged.is_err(), "{t1} {t2}");
        assert_eq!(counters(&client).rejected, 1);
        client.ledger.ask(2);
        assert_eq!(judge(&mut client, &echo_answer(2, 7, 8), 0), Ok(Some((7e-6, 8e-6))));
    }
}

#[test]
fn a_counter_that_wraps_in_the_middle_of_an_exchange_is_unwrapped() {
    let mut client = client(ExchangeKind::Echo, 32);
    client.ledger.ask(1);
    let times = judge(&mut client, &echo_answer(1, 0xFFFF_FFFE, 3), 0).expect("used").expect("awaited");
    assert_eq!(times, (4_294.967_294, 4_294.967_299));
}

#[test]
fn a_clock_that_restarts_starts_a_new_time_line() {
    let mut client = client(ExchangeKind::Echo, 32);
    client.ledger.ask(1);
    assert!(judge(&mut client, &echo_answer(1, 60_000_000, 60_000_001), 0).is_ok());
    client.ledger.ask(2);
    let judged = client.judge(&echo_answer(2, 500_000, 500_000), device(), 1000 * MS, 1010 * MS);
    let (t1_s, _, reason) = judged.expect("used").expect("awaited");
    assert_eq!(t1_s, 0.5);
    assert!(reason.is_some_and(|reason| reason.contains("-59.5")));
}

#[test]
fn an_ntp_answer_belongs_to_its_cookie() {
    let mut client = client(ExchangeKind::Ntp, 64);
    client.ledger.ask(77);
    let mut packet = ntp::question(0).to_vec();
    packet[0] = 4 << 3 | 4;
    packet[1] = 1;
    packet[32..40].copy_from_slice(&((2_208_988_800_u64 + 9) << 32).to_be_bytes());
    packet[40..].copy_from_slice(&((2_208_988_800_u64 + 9) << 32).to_be_bytes());
    assert_eq!(judge(&mut client, &packet, 0), Ok(None));
    packet[24..32].copy_from_slice(&77_u64.to_be_bytes());
    assert_eq!(judge(&mut client, &packet, 0), Ok(Some((9.0, 9.0))));
    client.ledger.ask(77);
    packet[1] = 0;
    assert!(judge(&mut client, &packet, 0).expect_err("refused").contains("kiss"));
}
