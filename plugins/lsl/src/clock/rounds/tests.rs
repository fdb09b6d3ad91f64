use super::*;

const SETTINGS: ProbeSettings = ProbeSettings { interval_s: 5.0, probes_per_burst: 4 };

fn at(port: u16) -> SocketAddr {
    ([10, 0, 0, 1], port).into()
}

/// Lets everything happen until `until_s`; outlets for which `answers` holds answer after 2 ms, their
/// clock 100 s behind. What was finished, with its time.
fn run(
    rounds: &mut Rounds,
    from_s: f64,
    until_s: f64,
    answers: impl Fn(SocketAddr) -> bool,
) -> Vec<(f64, Burst)> {
    let (mut done, mut now_s, mut on_their_way) = (Vec::new(), from_s, Vec::new());
    while now_s < until_s {
        while let Some((id, to)) = rounds.next_question(now_s) {
            if answers(to) {
                let device_s = now_s + 0.001 - 100.0;
                on_their_way.push((now_s + 0.002, Answer { id, t1_s: device_s, t2_s: device_s }, to));
            }
        }
        on_their_way.retain(|(arrives_s, answer, from)| {
            let here = *arrives_s <= now_s;
            if here {
                rounds.answer(*answer, *from, *arrives_s);
            }
            !here
        });
        done.extend(rounds.finished(now_s).into_iter().map(|burst| (now_s, burst)));
        now_s += 0.001;
    }
    done
}

#[test]
fn a_clock_is_measured_densely_at_first_and_then_at_the_interval() {
    let mut rounds = Rounds::new(SETTINGS, 7);
    rounds.measure(3, vec![at(1)], 1000.0);
    let done = run(&mut rounds, 1000.0, 1021.0, |_| true);
    let begun: Vec<f64> = done.iter().map(|(_, b)| (b.exchanges[0].t0_s - 1000.0).round()).collect();
    assert_eq!(begun, [0.0, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0]);
    assert!(done.iter().all(|(_, b)| b.whose == Whose::Clock(3) && b.exchanges.len() == 2 * 4));
    // Each question is followed by another as soon as it is answered.
    let left_s: Vec<f64> = done[0].1.exchanges.iter().map(|e| e.t0_s).collect();
    assert!(left_s.chunks(2).all(|pair| pair[1] - pair[0] < 0.004), "{left_s:?}");
    assert_eq!((rounds.counters.asked, rounds.counters.answered), (56, 56));
}

#[test]
fn nothing_is_measured_while_nobody_is_there_and_densely_again_afterwards() {
    let mut rounds = Rounds::new(SETTINGS, 7);
    rounds.measure(0, vec![at(1)], 0.0);
    run(&mut rounds, 0.0, 12.0, |_| true);
    rounds.measure(0, vec![], 12.0);
    assert_eq!(run(&mut rounds, 12.0, 60.0, |_| true).len(), 0);
    assert_eq!(rounds.due_s(), f64::INFINITY);
    rounds.measure(0, vec![at(2)], 60.0);
    let done = run(&mut rounds, 60.0, 63.0, |_| true);
    assert_eq!(done.len(), 3, "0, 1 and 2 s after it came back");
}

#[test]
fn one_that_does_not_answer_brings_nothing_and_the_next_of_its_clock_is_asked() {
    let mut rounds = Rounds::new(SETTINGS, 7);
    rounds.measure(0, vec![at(1), at(2)], 0.0);
    let done = run(&mut rounds, 0.0, 5.0, |to| to == at(2));
    let exchanges: Vec<usize> = done.iter().map(|(_, b)| b.exchanges.len()).collect();
    assert_eq!(exchanges, [0, 8, 8]);
    // The one that answers is kept when another leaves or joins.
    rounds.measure(0, vec![at(3), at(2)], 5.0);
    assert!(run(&mut rounds, 5.0, 11.0, |to| to == at(2)).iter().all(|(_, b)| b.exchanges.len() == 8));
}

#[test]
fn a_look_is_quick_and_ends_when_nobody_answers() {
    let mut rounds = Rounds::new(SETTINGS, 7);
    rounds.look(9, at(1), 0.0);
    let done = run(&mut rounds, 0.0, 1.0, |_| true);
    assert_eq!((done.len(), done[0].1.exchanges.len()), (1, 16));
    assert!(done[0].0 < 0.04, "{}", done[0].0);
    rounds.look(10, at(1), 1.0);
    let done = run(&mut rounds, 1.0, 2.0, |_| false);
    assert_eq!((done.len(), done[0].1.exchanges.len()), (1, 0));
    assert!(done[0].0 < 1.3);
}

#[test]
fn answers_that_are_late_foreign_double_or_impossible_are_counted_and_not_used() {
    let mut rounds = Rounds::new(SETTINGS, 7);
    rounds.look(1, at(1), 0.0);
    let (id, _) = rounds.next_question(0.0).expect("a question");
    let answer = |id, held_s: f64| Answer { id, t1_s: 5.0, t2_s: 5.0 + held_s };
    rounds.answer(answer(id, 0.0), at(2), 0.001);
    rounds.answer(answer(id + 1, 0.0), at(1), 0.001);
    assert_eq!(rounds.counters.unasked, 2, "another outlet's, and one that was not asked");
    rounds.answer(answer(id, 0.5), at(1), 0.001);
    assert_eq!(rounds.counters.impossible, 1, "held for longer than it took");
    let (second, _) = rounds.next_question(0.01).expect("a question");
    rounds.answer(answer(second, 0.0), at(1), 0.9);
    rounds.answer(answer(second, 0.0), at(1), 0.9);
    assert_eq!((rounds.counters.late, rounds.counters.answered), (2, 0));
}

#[test]
fn the_last_burst_is_over_soon() {
    let mut rounds = Rounds::new(SETTINGS, 7);
    rounds.measure(0, vec![at(1)], 0.0);
    rounds.measure(1, vec![at(2)], 0.0);
    run(&mut rounds, 0.0, 3.0, |_| true);
    rounds.last(3.0);
    let done = run(&mut rounds, 3.0, 4.0, |to| to == at(1));
    let exchanges: Vec<usize> = done.iter().map(|(_, b)| b.exchanges.len()).collect();
    assert_eq!(exchanges, [8, 0]);
    assert!(done.iter().all(|(at_s, _)| *at_s < 3.1) && !rounds.is_busy());
}
