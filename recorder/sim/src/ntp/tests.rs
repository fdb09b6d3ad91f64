//! Tests of the simulated NTP server.

use proptest::prelude::*;

use super::packet::{self, Question};
use super::*;
use crate::clock::{ClockModel, SimClock};
use crate::network::PathModel;

/// Seconds since 1970 at the true time 0 of these scenes.
const UNIX_S: f64 = 1.7e9;

fn question() -> Question {
    let mut bytes = [0; 48];
    bytes[0] = (4 << 3) | 3;
    bytes[40..].copy_from_slice(&77u64.to_be_bytes());
    Question::parse(&bytes).expect("a question")
}

fn answer(fault: Option<Fault>) -> Vec<u8> {
    let mut config = NtpServerConfig::new("ntp", ([127, 0, 0, 1], 0).into());
    (config.root_delay_s, config.root_dispersion_s) = (0.5, 0.25);
    let mut number = 0;
    let mut noise = || {
        number += 1;
        number * 0x0101_0101_0101
    };
    packet::answer(&config, &question(), 0x1111, 0x2222, fault, &mut noise)
}

#[test]
fn an_answer_is_that_of_a_primary_server() {
    let bytes = answer(None);
    assert_eq!(bytes[..4], [(4 << 3) | 4, 1, 0, (-30_i8) as u8]);
    assert_eq!(bytes[4..16], [0, 0, 0x80, 0, 0, 0, 0x40, 0, b'S', b'I', b'M', 0]);
    assert_eq!(bytes[24..32], 77u64.to_be_bytes(), "the question's stamp comes back");
    assert_eq!((&bytes[32..40], &bytes[40..]), (&0x1111u64.to_be_bytes()[..], &0x2222u64.to_be_bytes()[..]));
}

#[test]
fn each_fault_shows_in_the_packet() {
    assert_eq!(&answer(Some(Fault::Rate))[12..16], b"RATE");
    assert_eq!((answer(Some(Fault::Deny))[1], &answer(Some(Fault::Deny))[12..16]), (0, &b"DENY"[..]));
    assert_eq!(answer(Some(Fault::Unsynchronised))[0] >> 6, 3);
    assert_eq!(answer(Some(Fault::Stratum16))[1], 16);
    assert_eq!(answer(Some(Fault::NoTime))[40..], [0; 8]);
    assert_ne!(answer(Some(Fault::WrongOrigin))[24..32], 77u64.to_be_bytes());
    assert_eq!(answer(Some(Fault::WrongMode))[0] & 7, 3);
    assert_eq!(answer(Some(Fault::Short)).len(), 20);
    assert_eq!(answer(Some(Fault::Impossible))[40..44], [0, 0, 0, 1]);
}

#[test]
fn a_fault_is_met_by_the_questions_it_is_meant_for() {
    let plan = FaultPlan { fault: Fault::Rate, from: 2, count: 3 };
    let met: Vec<u64> = (0..10).filter(|n| plan.of(*n).is_some()).collect();
    assert_eq!(met, [2, 3, 4]);
    assert_eq!(FaultPlan { from: 5, count: u64::MAX, ..plan }.of(u64::MAX), Some(Fault::Rate));
}

fn clock(offset_s: f64, skew_ppm: f64) -> SimClock {
    SimClock::new(&ClockModel { offset_s, skew_ppm, ..ClockModel::default() }, 0.0, 1)
}

#[test]
fn two_machines_with_one_server_agree_on_its_time_and_not_on_their_own() {
    let server = clock(-UNIX_S, 0.0);
    let path = PathModel { delay_s: 0.001, jitter_s: 0.0005, loss: 0.1, ..PathModel::default() };
    // Machine a was switched on 5000 s before, b 100 s, and b's clock gains 50 us a second.
    let machines = [(-5000.0, 0.0), (-100.0, 50.0)];
    for (k, (offset_s, skew_ppm)) in (0..).zip(machines) {
        let mut scene = Scene::new(clock(offset_s, skew_ppm), server.clone(), path, path, 16.0, k);
        let bursts: Vec<Vec<Stamps>> = (0..200).map(|i| scene.burst(f64::from(i) * 16.0, 4, 0.1)).collect();
        let all: Vec<&Stamps> = bursts.iter().flatten().collect();
        assert!((600..700).contains(&all.len()), "19 % are lost: {}", all.len());
        for stamps in all {
            // What the four stamps say of the clock is true within half the round trip.
            let offset_s = 0.5 * ((stamps.t0_s - stamps.t1_s) + (stamps.t3_s - stamps.t2_s));
            let bound_s = 0.5 * ((stamps.t3_s - stamps.t0_s) - (stamps.t2_s - stamps.t1_s));
            let true_s = stamps.t2_s - UNIX_S;
            let truth_s = scene.host().device_time_s(true_s) - (true_s + UNIX_S);
            assert!((offset_s - truth_s).abs() <= bound_s + 1e-6, "{offset_s} {truth_s} {bound_s}");
            assert!(stamps.t3_s - stamps.t0_s >= 0.002 + 20e-6 - 2e-9);
        }
    }
}

proptest! {
    #[test]
    fn parsing_and_answering_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        fault in proptest::sample::select(Fault::ALL.to_vec()),
        mut noise in any::<u64>(),
        (receive, transmit) in any::<(u64, u64)>(),
    ) {
        if let Some(question) = Question::parse(&bytes) {
            let config = NtpServerConfig::new("ntp", ([127, 0, 0, 1], 0).into());
            let mut more = || { noise = noise.wrapping_mul(31).wrapping_add(7); noise };
            let answer = packet::answer(&config, &question, receive, transmit, Some(fault), &mut more);
            prop_assert!(answer.len() <= 120);
        }
    }

    #[test]
    fn a_stamp_of_this_era_is_the_time_it_came_from(ticks in 0i64..2_000_000_000_000_000_000) {
        let unix_s = packet::unix_s(packet::stamp(ticks));
        prop_assert!((unix_s - ticks as f64 / 1e9).abs() < 5e-7);
    }
}
