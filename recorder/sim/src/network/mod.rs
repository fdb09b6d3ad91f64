//! A simulated network path in one direction: delay, jitter, loss, reordering, duplication.
//!
//! The model. A datagram sent at `s` arrives at `s + delay + J`, with `J` exponential of mean
//! `jitter`, but never before the one sent ahead of it: as on a real link, jitter alone does not
//! reorder. With probability `reorder` a datagram is instead held back long enough for a later one
//! to overtake it. With probability `duplicate` a second copy follows, and with probability `loss`
//! nothing arrives.
//!
//! A path may lead through a [`Link`], a kind of network with delays and losses of its own: these come
//! on top, and the order of datagrams still holds.

mod link;
mod tail;
mod weather;

use crate::error::{ModelError, check};
use crate::rng::Draws;

pub use link::{Direction, Link, PathKind};

/// Parameters of one direction. The default is a perfect path.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PathModel {
    /// Shortest time on the way, in seconds.
    pub delay_s: f64,
    /// Mean of the exponential tail added to it, in seconds.
    pub jitter_s: f64,
    /// Probability that a datagram is lost, 0 to 1.
    pub loss: f64,
    /// Probability that a datagram is held back until a later one has overtaken it, 0 to 1.
    pub reorder: f64,
    /// Probability that a datagram arrives twice, 0 to 1.
    pub duplicate: f64,
    /// The kind of network it leads through, if any.
    pub link: Option<LinkModel>,
}

/// One direction of a kind of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkModel {
    /// The kind.
    pub kind: PathKind,
    /// The direction.
    pub direction: Direction,
    /// Seed of the network: equal for both directions, which are then busy together.
    pub seed: u64,
}

impl PathModel {
    /// Checks every parameter.
    ///
    /// # Errors
    /// Names the first parameter that is not finite or out of its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        check("delay_s", self.delay_s, 0.0..=60.0, "give 0 to 60 s")?;
        check("jitter_s", self.jitter_s, 0.0..=10.0, "give 0 to 10 s")?;
        check("loss", self.loss, 0.0..=1.0, "give a probability, 0 to 1")?;
        check("reorder", self.reorder, 0.0..=1.0, "give a probability, 0 to 1")?;
        check("duplicate", self.duplicate, 0.0..=1.0, "give a probability, 0 to 1")
    }
}

/// What the path does with one datagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deliveries {
    delays_s: [f64; 2],
    copies: usize,
    held_back: bool,
}

impl Deliveries {
    /// Seconds from sending to each arrival: none when lost, two when duplicated.
    pub fn delays_s(&self) -> &[f64] {
        &self.delays_s[..self.copies]
    }

    /// Number of copies that arrive, 0 to 2.
    pub fn copies(&self) -> usize {
        self.copies
    }

    /// True when the datagram was held back to be overtaken.
    pub fn held_back(&self) -> bool {
        self.held_back
    }
}

/// One direction of a network with its seeded history. Pure: it is told every send time.
#[derive(Debug, Clone)]
pub struct Path {
    model: PathModel,
    hold_back_s: f64,
    draws: Draws,
    link: Option<Link>,
    /// Arrival of the last datagram that was not held back.
    last_arrival_s: f64,
}

impl Path {
    /// Sets up a path for datagrams that are sent about every `interval_s` seconds.
    ///
    /// The interval only sizes the hold-back of reordered datagrams: two intervals and five mean
    /// jitters, so that the next datagram nearly always overtakes.
    pub fn new(model: PathModel, interval_s: f64, seed: u64) -> Self {
        Self {
            model,
            hold_back_s: 2.0 * interval_s + 5.0 * model.jitter_s,
            draws: Draws::new(seed, "path"),
            link: model.link.map(|link| {
                // A seed for each path: two paths over one network share its states, not their luck.
                Link::new(link.kind, link.direction, link.seed, f64::INFINITY).with_luck(seed)
            }),
            last_arrival_s: f64::NEG_INFINITY,
        }
    }

    /// Decides the fate of a datagram sent at host time `sent_s`; send times must not fall.
    ///
    /// Every call takes the same number of random draws, so which datagrams are lost depends on
    /// the seed and `loss` only, whatever else is set.
    pub fn route(&mut self, sent_s: f64) -> Deliveries {
        let lost = self.draws.chance(self.model.loss);
        let held_back = self.draws.chance(self.model.reorder);
        let duplicated = self.draws.chance(self.model.duplicate);
        let first_tail_s = self.draws.exponential(self.model.jitter_s);
        let second_tail_s = self.draws.exponential(self.model.jitter_s);
        let link_s = self.link.as_mut().map_or(Some(0.0), |link| link.send(sent_s));
        let Some(link_s) = link_s.filter(|_| !lost) else {
            return Deliveries { delays_s: [0.0; 2], copies: 0, held_back: false };
        };
        let mut delay_s = self.model.delay_s + first_tail_s + link_s;
        if held_back {
            delay_s += self.hold_back_s;
        } else {
            delay_s = delay_s.max(self.last_arrival_s - sent_s);
            self.last_arrival_s = sent_s + delay_s;
        }
        Deliveries {
            delays_s: [delay_s, delay_s + second_tail_s],
            copies: if duplicated { 2 } else { 1 },
            held_back,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fates(model: PathModel, interval_s: f64, count: usize) -> Vec<(f64, Deliveries)> {
        let mut path = Path::new(model, interval_s, 11);
        (0..count)
            .map(|index| {
                let sent_s = 1e6 + index as f64 * interval_s;
                (sent_s, path.route(sent_s))
            })
            .collect()
    }

    #[test]
    fn a_perfect_path_delivers_everything_at_once() {
        for (_, fate) in fates(PathModel::default(), 0.01, 1000) {
            assert_eq!(fate.delays_s(), [0.0]);
            assert!(!fate.held_back());
        }
    }

    #[test]
    fn loss_duplication_and_jitter_have_their_rates() {
        let model =
            PathModel { delay_s: 0.002, jitter_s: 0.005, loss: 0.1, duplicate: 0.05, ..PathModel::default() };
        let fates = fates(model, 1.0, 20_000);
        let share = |copies| fates.iter().filter(|f| f.1.copies() == copies).count() as f64 / 20_000.0;
        assert!((share(0) - 0.1).abs() < 0.01);
        assert!((share(2) - 0.9 * 0.05).abs() < 0.01);
        let delays: Vec<f64> = fates.iter().filter_map(|f| f.1.delays_s().first().copied()).collect();
        let mean_s = delays.iter().sum::<f64>() / delays.len() as f64;
        assert!((mean_s - 0.007).abs() < 2e-4, "mean delay {mean_s}");
        assert!(delays.iter().all(|delay_s| *delay_s >= 0.002));
    }

    #[test]
    fn jitter_alone_never_reorders() {
        let model = PathModel { jitter_s: 0.05, ..PathModel::default() };
        let arrivals: Vec<f64> =
            fates(model, 0.001, 5000).iter().map(|(sent_s, f)| sent_s + f.delays_s()[0]).collect();
        assert!(arrivals.is_sorted());
    }

    #[test]
    fn a_link_adds_its_delays_and_losses_and_keeps_the_order() {
        let link = |kind| Some(LinkModel { kind, direction: Direction::ToHost, seed: 3 });
        let lossy = PathModel { link: link(PathKind::Lossy), ..PathModel::default() };
        let fates = fates(lossy, 0.01, 5000);
        let lost = fates.iter().filter(|(_, fate)| fate.copies() == 0).count();
        assert!((700..2000).contains(&lost), "{lost}");
        let arrivals: Vec<f64> = fates
            .iter()
            .filter_map(|(sent_s, fate)| fate.delays_s().first().map(|delay_s| sent_s + delay_s))
            .collect();
        assert!(arrivals.is_sorted());
        let delays = fates.iter().filter_map(|(_, fate)| fate.delays_s().first());
        assert!(delays.clone().all(|delay_s| *delay_s >= 0.9e-3) && delays.clone().any(|d| *d > 5e-3));
    }

    #[test]
    fn a_datagram_held_back_is_overtaken() {
        let model = PathModel { delay_s: 0.001, reorder: 0.1, ..PathModel::default() };
        let fates = fates(model, 0.01, 5000);
        let mut held = 0;
        for pair in fates.windows(2) {
            if pair[0].1.held_back() && !pair[1].1.held_back() {
                held += 1;
                let arrival = |(sent_s, fate): (f64, Deliveries)| sent_s + fate.delays_s()[0];
                assert!(arrival(pair[0]) > arrival(pair[1]));
            }
        }
        assert!(held > 300, "{held} held back");
    }

    #[test]
    fn the_lost_datagrams_do_not_depend_on_other_settings() {
        let lost =
            |model| -> Vec<bool> { fates(model, 0.01, 500).iter().map(|f| f.1.copies() == 0).collect() };
        let only_loss = PathModel { loss: 0.2, ..PathModel::default() };
        let all = PathModel { jitter_s: 0.01, reorder: 0.1, duplicate: 0.1, ..only_loss };
        assert_eq!(lost(only_loss), lost(all));
    }

    proptest! {
        #[test]
        fn delays_are_never_shorter_than_the_path(
            delay_s in 0.0..1.0_f64, jitter_s in 0.0..1.0_f64, chance in 0.0..1.0_f64, seed in any::<u64>(),
        ) {
            let model = PathModel {
                delay_s, jitter_s, loss: chance, reorder: chance, duplicate: chance, link: None,
            };
            prop_assert!(model.validate().is_ok());
            let mut path = Path::new(model, 0.01, seed);
            for index in 0..50 {
                let fate = path.route(f64::from(index) * 0.01);
                prop_assert!(fate.delays_s().iter().all(|d| d.is_finite() && *d >= delay_s));
                prop_assert!(fate.delays_s().is_sorted());
            }
        }
    }
}
