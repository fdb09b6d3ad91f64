//! One direction of the simulated network as a TCP connection sees it. Pure.

use crate::network::{Path, PathModel};

/// How long it takes until what was lost is sent again, in seconds: the least that Linux waits.
const SENT_AGAIN_AFTER_S: f64 = 0.2;

/// A path on which nothing is lost, doubled or overtaken: what is lost comes later, and all that
/// follows waits for it.
#[derive(Debug, Clone)]
pub(crate) struct TcpPath {
    path: Path,
    lost_s: f64,
    last_arrival_s: f64,
}

impl TcpPath {
    /// A direction with the delays and losses of `model`, whose reordering and duplication TCP hides.
    pub(crate) fn new(model: PathModel, seed: u64) -> Self {
        let lost_s = model.delay_s + SENT_AGAIN_AFTER_S;
        let model = PathModel { reorder: 0.0, duplicate: 0.0, ..model };
        // The interval is for reordered datagrams alone.
        Self { path: Path::new(model, 0.0, seed), lost_s, last_arrival_s: f64::NEG_INFINITY }
    }

    /// How long what is sent at `sent_s` is on its way; send times must not fall.
    pub(crate) fn delay_s(&mut self, sent_s: f64) -> f64 {
        let delay_s = self.path.route(sent_s).delays_s().first().copied().unwrap_or(self.lost_s);
        self.last_arrival_s = self.last_arrival_s.max(sent_s + delay_s);
        // Exactly zero on a perfect path, whatever the rounding.
        if delay_s > 0.0 { self.last_arrival_s - sent_s } else { (self.last_arrival_s - sent_s).max(0.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_path_takes_no_time() {
        let mut path = TcpPath::new(PathModel::default(), 1);
        assert!((0..1000).all(|index| path.delay_s(f64::from(index) * 0.1) == 0.0));
    }

    #[test]
    fn what_is_lost_comes_later_and_holds_up_the_rest() {
        let model =
            PathModel { delay_s: 0.01, loss: 0.1, reorder: 0.5, duplicate: 0.5, ..PathModel::default() };
        let mut path = TcpPath::new(model, 3);
        let sent = |index: u32| f64::from(index) * 0.005;
        let arrivals: Vec<f64> = (0..2000).map(|index| sent(index) + path.delay_s(sent(index))).collect();
        assert!(arrivals.is_sorted());
        let late = (0..2000).filter(|index| arrivals[*index as usize] - sent(*index) > 0.2095).count();
        assert!((150..250).contains(&late), "{late} sent again");
        assert!((0..2000).all(|index| arrivals[index as usize] - sent(index) >= 0.01 - 1e-9));
    }
}
