//! Tests of the sequence tracker: examples of every fate, and random networks.

use proptest::prelude::*;

use super::*;

const MS: i64 = 1_000_000;
const LIMITS: Limits = Limits { window_ns: 50 * MS, held: 32 };

/// Offer single numbers at given times and give back the steps; the item is the number.
fn run(bits: u32, arrivals: &[(i64, i64)]) -> Vec<Step<i64>> {
    let mut tracker = Tracker::new(bits, LIMITS);
    let mut steps = Vec::new();
    for &(number, at_ms) in arrivals {
        tracker.offer(number, 1, at_ms * MS, number, &mut steps);
    }
    tracker.finish(&mut steps);
    steps
}

fn delivered(steps: &[Step<i64>]) -> Vec<i64> {
    let item = |step: &Step<i64>| match step {
        Step::Deliver { item, .. } => Some(*item),
        _ => None,
    };
    steps.iter().filter_map(item).collect()
}

fn gaps(steps: &[Step<i64>]) -> Vec<(i64, i64)> {
    let gap = |step: &Step<i64>| match step {
        Step::Gap(from, to) => Some((*from, *to)),
        _ => None,
    };
    steps.iter().filter_map(gap).collect()
}

fn rejected(steps: &[Step<i64>]) -> Rejected {
    steps.iter().fold(Rejected::default(), |sum, step| match step {
        Step::Reject { why, .. } | Step::Deliver { skip: why, .. } => Rejected {
            duplicate: sum.duplicate + why.duplicate,
            late: sum.late + why.late,
            stray: sum.stray + why.stray,
        },
        _ => sum,
    })
}

#[test]
fn overtaken_datagrams_are_put_back_in_order() {
    let steps = run(32, &[(1, 0), (2, 60), (4, 61), (3, 62), (5, 63)]);
    assert_eq!(delivered(&steps), [1, 2, 3, 4, 5]);
    assert_eq!(gaps(&steps), []);
    // 3 was sent before 4, so it did not arrive later by its own merit.
    let at = steps.iter().find_map(|s| match s {
        Step::Deliver { item: 3, arrival_ns, .. } => Some(*arrival_ns),
        _ => None,
    });
    assert_eq!(at, Some(61 * MS));
}

#[test]
fn the_very_first_datagrams_may_be_out_of_order_too() {
    assert_eq!(delivered(&run(32, &[(7, 0), (6, 1), (8, 2), (9, 60)])), [6, 7, 8, 9]);
}

#[test]
fn what_does_not_come_in_time_is_lost_and_then_late_and_then_repeated() {
    let steps = run(32, &[(1, 0), (2, 60), (5, 61), (6, 80), (7, 112), (3, 113), (3, 114), (8, 115)]);
    assert_eq!(delivered(&steps), [1, 2, 5, 6, 7, 8]);
    assert_eq!(gaps(&steps), [(3, 5)]);
    assert_eq!(rejected(&steps), Rejected { late: 1, duplicate: 1, stray: 0 });
}

#[test]
fn what_is_older_than_the_first_recorded_is_late() {
    let steps = run(32, &[(5, 0), (6, 60), (4, 61)]);
    assert_eq!(delivered(&steps), [5, 6]);
    assert_eq!(rejected(&steps), Rejected { late: 1, ..Rejected::default() });
}

#[test]
fn silence_ends_the_wait_through_expire() {
    let mut tracker = Tracker::new(32, LIMITS);
    let mut steps = Vec::new();
    tracker.offer(1, 1, 0, 1, &mut steps);
    assert_eq!(tracker.deadline_ns(), Some(50 * MS));
    tracker.expire(49 * MS, &mut steps);
    assert!(steps.is_empty());
    tracker.expire(50 * MS, &mut steps);
    assert_eq!(delivered(&steps), [1]);
    assert_eq!(tracker.deadline_ns(), None);
}

#[test]
fn at_most_so_many_are_held() {
    let mut arrivals = vec![(0, 0), (1, 60)];
    arrivals.extend((3..40).map(|n| (n, 61)));
    let steps = run(32, &arrivals);
    assert_eq!(gaps(&steps), [(2, 3)]);
    assert_eq!(delivered(&steps).len(), 39);
}

#[test]
fn the_counter_may_wrap() {
    let steps = run(8, &[(254, 0), (255, 60), (1, 61), (0, 62), (2, 63)]);
    assert_eq!(delivered(&steps), [254, 255, 0, 1, 2]);
    assert_eq!((gaps(&steps), rejected(&steps)), (vec![], Rejected::default()));
}

#[test]
fn a_restart_is_believed_when_three_agree() {
    let steps = run(32, &[(5000, 0), (5001, 60), (0, 70), (1, 71), (2, 72), (3, 73)]);
    assert_eq!(delivered(&steps), [5000, 5001, 0, 1, 2, 3]);
    assert!(steps.contains(&Step::Restart { expected: 5002, found: 0 }));
    assert_eq!(rejected(&steps), Rejected::default());
}

#[test]
fn a_restart_soon_after_the_start_is_believed_after_a_pause() {
    let steps = run(32, &[(0, 0), (1, 60), (2, 70), (0, 2000), (1, 2010), (2, 2020)]);
    assert_eq!(delivered(&steps), [0, 1, 2, 0, 1, 2]);
    assert!(steps.contains(&Step::Restart { expected: 3, found: 0 }));
}

#[test]
fn one_stray_number_moves_nothing() {
    let steps = run(32, &[(1, 0), (2, 60), (900_000, 61), (3, 62), (4, 63)]);
    assert_eq!(delivered(&steps), [1, 2, 3, 4]);
    assert_eq!(rejected(&steps), Rejected { stray: 1, ..Rejected::default() });
    assert_eq!(gaps(&steps), []);
}

#[test]
fn a_long_outage_is_counted_once_it_is_confirmed() {
    let steps = run(32, &[(1, 0), (2, 60), (100_000, 9000), (100_001, 9001), (100_002, 9002)]);
    assert_eq!(delivered(&steps), [1, 2, 100_000, 100_001, 100_002]);
    assert_eq!(gaps(&steps), [(3, 100_000)]);
}

#[test]
fn a_whole_block_that_comes_twice_is_no_restart() {
    let arrivals: Vec<_> = (0..10).chain(0..10).chain(10..12).zip(60..).collect();
    let steps = run(32, &arrivals);
    assert_eq!(delivered(&steps), (0..12).collect::<Vec<_>>());
    assert_eq!(rejected(&steps).duplicate, 10);
}

#[test]
fn overlapping_runs_are_recorded_once() {
    // A sender that repeats its last samples in every datagram, against loss.
    let mut tracker = Tracker::new(32, LIMITS);
    let mut steps = Vec::new();
    for (first, at_ms) in [(0, 0), (2, 60), (5, 61), (4, 62), (9, 63)] {
        tracker.offer(first, 4, at_ms * MS, first, &mut steps);
    }
    tracker.finish(&mut steps);
    let fates: Vec<_> = steps
        .iter()
        .map(|step| match step {
            Step::Deliver { first, skip, .. } => (*first, skip.duplicate),
            Step::Reject { item, why } => (*item, why.duplicate),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(fates, [(0, 0), (2, 2), (5, 1), (4, 4), (9, 0)]);
}

/// Send a datagram of `len` numbers every other millisecond through a network that loses, delays
/// and repeats; what arrives, in order of arrival: number, time.
fn network(fates: &[(bool, bool, u8)], len: i64, start: i64) -> Vec<(i64, i64)> {
    let mut arrivals = Vec::new();
    for (index, &(lost, repeated, delay_ms)) in fates.iter().enumerate() {
        let (first, sent) = (start + index as i64 * len, 100 + 2 * index as i64);
        if !lost {
            arrivals.push((first, sent + i64::from(delay_ms)));
            if repeated {
                arrivals.push((first, sent + i64::from(delay_ms) + 3));
            }
        }
    }
    arrivals.sort_by_key(|&(_, at)| at);
    arrivals
}

proptest! {
    #[test]
    fn whatever_arrives_in_the_window_is_recorded_once_and_in_order(
        fates in proptest::collection::vec((proptest::bool::weighted(0.2), any::<bool>(), 0u8..20), 1..300),
        len in 1i64..4,
        start in prop_oneof![Just(0i64), Just(0xFFFF_FF00), 0i64..0xFFFF_FFFF],
    ) {
        let arrivals = network(&fates, len, start);
        let mut tracker = Tracker::new(32, LIMITS);
        let mut steps = Vec::new();
        for &(first, at_ms) in &arrivals {
            tracker.offer(first & 0xFFFF_FFFF, len as u32, at_ms * MS, first, &mut steps);
        }
        tracker.finish(&mut steps);
        let mut sent: Vec<i64> = arrivals.iter().map(|&(first, _)| first).collect();
        sent.sort_unstable();
        sent.dedup();
        prop_assert_eq!(delivered(&steps), sent.clone());
        if let (Some(first), Some(last)) = (sent.first(), sent.last()) {
            let lost: i64 = gaps(&steps).iter().map(|(from, to)| to - from).sum();
            prop_assert_eq!(lost + sent.len() as i64 * len, last + len - first);
        }
        prop_assert_eq!(rejected(&steps).duplicate, ((arrivals.len() - sent.len()) as i64 * len) as u64);
        prop_assert_eq!(rejected(&steps).late + rejected(&steps).stray, 0);
    }

    #[test]
    fn beyond_the_window_nothing_is_recorded_twice_or_out_of_order_and_all_is_accounted_for(
        fates in proptest::collection::vec((proptest::bool::weighted(0.1), any::<bool>(), 0u8..110), 1..300),
    ) {
        let arrivals = network(&fates, 1, 10_000);
        let steps = run(32, &arrivals);
        let delivered = delivered(&steps);
        prop_assert!(!steps.iter().any(|s| matches!(s, Step::Restart { .. })), "{steps:?}");
        prop_assert!(delivered.windows(2).all(|w| w[0] < w[1]));
        prop_assert_eq!(delivered.len() as u64 + rejected(&steps).total(), arrivals.len() as u64);
        if let (Some(first), Some(last)) = (delivered.first(), delivered.last()) {
            let lost: i64 = gaps(&steps).iter().map(|(from, to)| to - from).sum();
            prop_assert_eq!(lost + delivered.len() as i64, last + 1 - first);
        }
    }

    #[test]
    fn no_numbers_and_no_times_make_it_panic_or_lose_an_item(
        offers in proptest::collection::vec((any::<i64>(), any::<u32>(), any::<i64>()), 0..60),
        bits in 8u32..=64,
    ) {
        let mut tracker = Tracker::new(bits, LIMITS);
        let mut steps = Vec::new();
        for (index, &(reading, len, at)) in offers.iter().enumerate() {
            tracker.offer(reading, len, at, index, &mut steps);
        }
        tracker.finish(&mut steps);
        let mut items: Vec<usize> = steps
            .into_iter()
            .filter_map(|step| match step {
                Step::Deliver { item, .. } | Step::Reject { item, .. } => Some(item),
                _ => None,
            })
            .collect();
        items.sort_unstable();
        prop_assert_eq!(items, (0..offers.len()).collect::<Vec<_>>());
    }
}
