//! Answers to questions about the time: SNTP of the master clock, and both protocols of the plugin udp.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockstep_recorder::ntp::{answer, ledger::Ledger, packet::Packet};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    if choice & 1 == 0 {
        return lockstep_plugin_udp::fuzzing::clock_answers(bytes);
    }
    let (mut ledger, mut now_ns) = (Ledger::default(), 1_000_000_000);
    for (number, bytes) in (1..).zip(bytes.chunks(50)) {
        ledger.ask(number, now_ns);
        let (late, bytes) = bytes.split_at(bytes.len().min(2));
        let late_ns = late.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte)) * 100_000;
        if let Some(packet) = Packet::decode(bytes) {
            assert_eq!(Packet::decode(&packet.encode()), Some(packet), "each field has its bits");
            assert!(answer::is_answer(&packet) || packet.mode != 4 || !(3..=4).contains(&packet.version));
            let _ = ledger.answer(packet.origin);
            match answer::judge(&packet, now_ns, now_ns + late_ns, 1_795_305_600.0) {
                Ok(exchange) => {
                    let held_s = exchange.t2_s - exchange.t1_s;
                    assert!(exchange.t1_s.is_finite() && held_s >= -1e-6, "{exchange:?}");
                    assert!(held_s <= (exchange.t3_s - exchange.t0_s) * 1.01 + 0.021, "{exchange:?}");
                }
                Err(refusal) => assert!(refusal.to_string().len() < 200),
            }
        }
        now_ns += 1_000_000_000;
        ledger.give_up(now_ns - 2_000_000_000);
        assert!(ledger.open() <= 16);
    }
});
