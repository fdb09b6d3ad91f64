//! From the clock of one host to that of another, through clocks that both have measured.

use lockstep_clock::{ClockMap, Estimate, Piece};

/// A bridge is evaluated at the edges of cells of this many seconds and straight in between: clocks
/// bend by less than a picosecond in that time.
const CELL_S: f64 = 0.125;

/// One step: a clock that two hosts have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link<'a> {
    /// Its map on the host to come from; `None`: it is that host's own clock.
    pub(super) from: Option<&'a ClockMap>,
    /// Its map on the host to go to; `None`: it is that host's own clock.
    pub(super) to: Option<&'a ClockMap>,
}

impl Link<'_> {
    /// Time of the other host at a time of this one, and the errors of both maps together: sigmas in
    /// quadrature, for both were measured apart; bounds added.
    pub(super) fn at(&self, host_s: f64) -> Estimate {
        let exact = |time_s| Estimate {
            host_time_s: time_s,
            relative_s: 0.0,
            total_s: 0.0,
            bound_s: 0.0,
            flagged: false,
        };
        // The common clock may count from 1970, where doubles have steps of 0.24 us: what is lost by
        // rounding is carried over to the other host.
        let (common_s, lost_s, mut errors) = match self.from.map(|map| (map, by_host(map, host_s))) {
            None => (host_s, 0.0, exact(host_s)),
            Some((_, None)) => (host_s, 0.0, nothing(host_s)),
            Some((map, Some(piece))) => {
                let common_s = piece.device_time_s(host_s);
                let back = piece.at(common_s);
                let flagged = in_event(map, host_s);
                (common_s, host_s - back.host_time_s, Estimate { flagged, ..back })
            }
        };
        let there = match self.to.map(|map| (map, by_device(map, common_s))) {
            None => exact(common_s),
            Some((_, None)) => nothing(common_s),
            Some((map, Some(piece))) => {
                let there = piece.at(common_s);
                Estimate { flagged: in_event(map, there.host_time_s), ..there }
            }
        };
        errors = joined(errors, there);
        Estimate { host_time_s: there.host_time_s + lost_s, ..errors }
    }
}

/// A time and the errors of two independent measurements.
pub(super) fn joined(first: Estimate, second: Estimate) -> Estimate {
    Estimate {
        host_time_s: second.host_time_s,
        relative_s: first.relative_s.hypot(second.relative_s),
        total_s: first.total_s.hypot(second.total_s),
        bound_s: first.bound_s + second.bound_s,
        flagged: first.flagged || second.flagged,
    }
}

fn nothing(time_s: f64) -> Estimate {
    let unknown = f64::INFINITY;
    Estimate { host_time_s: time_s, relative_s: unknown, total_s: unknown, bound_s: unknown, flagged: false }
}

/// The piece whose span in host time is nearest.
fn by_host(map: &ClockMap, host_s: f64) -> Option<&Piece> {
    nearest(map, host_s, |piece| piece.host_span_s)
}

/// The piece whose span in device time is nearest.
fn by_device(map: &ClockMap, device_s: f64) -> Option<&Piece> {
    nearest(map, device_s, |piece| piece.device_span_s)
}

fn nearest(map: &ClockMap, time_s: f64, span_s: impl Fn(&Piece) -> (f64, f64)) -> Option<&Piece> {
    let outside_s = |piece: &Piece| {
        let (from_s, to_s) = span_s(piece);
        (from_s - time_s).max(time_s - to_s).max(0.0)
    };
    map.pieces.iter().min_by(|a, b| outside_s(a).total_cmp(&outside_s(b)))
}

fn in_event(map: &ClockMap, host_s: f64) -> bool {
    map.events.iter().any(|event| event.host_from_s < host_s && host_s < event.host_to_s)
}

/// From one host to another, by any number of links.
#[derive(Debug, Clone, Default)]
pub(super) struct Bridge<'a> {
    /// In the order of the way; none: it is the same clock.
    pub(super) links: Vec<Link<'a>>,
    cell: Option<Cell>,
}

/// The last cell that was evaluated.
#[derive(Debug, Clone, Copy)]
struct Cell {
    from_s: f64,
    to_s: f64,
    gained: (f64, f64),
}

impl<'a> Bridge<'a> {
    pub(super) fn new(links: Vec<Link<'a>>) -> Self {
        Self { links, cell: None }
    }

    /// Time at the far end, and its errors.
    pub(super) fn at(&self, host_s: f64) -> Estimate {
        let here =
            Estimate { host_time_s: host_s, relative_s: 0.0, total_s: 0.0, bound_s: 0.0, flagged: false };
        self.links.iter().fold(here, |so_far, link| joined(so_far, link.at(so_far.host_time_s)))
    }

    /// Puts times of this host on the clock of the far one.
    pub(super) fn apply(&mut self, times_s: &mut [f64]) {
        if self.links.is_empty() {
            return;
        }
        for time_s in times_s.iter_mut().filter(|time_s| time_s.is_finite()) {
            let cell = match self.cell {
                Some(cell) if cell.from_s <= *time_s && *time_s < cell.to_s => cell,
                _ => {
                    let from_s = (*time_s / CELL_S).floor() * CELL_S;
                    let to_s = from_s + CELL_S;
                    let gained = |at_s: f64| self.at(at_s).host_time_s - at_s;
                    let cell = Cell { from_s, to_s, gained: (gained(from_s), gained(to_s)) };
                    self.cell = Some(cell);
                    cell
                }
            };
            let share = (*time_s - cell.from_s) / CELL_S;
            *time_s += cell.gained.0 + share * (cell.gained.1 - cell.gained.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use lockstep_clock::{Exchange, History, Method, fit};

    use super::*;

    /// A map measured without delay: host minus device is `offset_s + ppm * device`.
    fn map(offset_s: f64, ppm: f64, device_from_s: f64) -> ClockMap {
        let exchanges = (0..100).map(|i| {
            let device_s = device_from_s + 6.0 * f64::from(i);
            let host_s = device_s + offset_s + 1e-6 * ppm * (device_s - device_from_s);
            Exchange { t0_s: host_s - 1e-4, t1_s: device_s, t2_s: device_s, t3_s: host_s + 1e-4 }
        });
        fit(Method::Smooth, &History { exchanges: exchanges.collect(), ..History::default() })
    }

    #[test]
    fn both_legs_are_applied_and_their_errors_joined() {
        let unix_s = 1_790_000_000.0;
        // Host A began 1000 s after its start, host B 5000 s after its own; B is 50 ppm fast.
        let (a, b) = (map(1000.0 - unix_s, 0.0, unix_s), map(5000.0 - unix_s, 50.0, unix_s));
        let link = Link { from: Some(&b), to: Some(&a) };
        let mut bridge = Bridge::new(vec![link]);
        for elapsed_s in [0.0, 12.34567, 300.0, 599.0] {
            let host_s = 5000.0 + elapsed_s * (1.0 + 50e-6);
            let got = bridge.at(host_s);
            assert!((got.host_time_s - (1000.0 + elapsed_s)).abs() < 1e-6, "{got:?}");
            let (one, other) = (a.in_piece(0, unix_s + elapsed_s), b.in_piece(0, unix_s + elapsed_s));
            assert!((got.total_s - one.total_s.hypot(other.total_s)).abs() < 1e-9);
            assert!((got.bound_s - one.bound_s - other.bound_s).abs() < 1e-9);
            let mut times_s = [host_s];
            bridge.apply(&mut times_s);
            assert!((times_s[0] - got.host_time_s).abs() < 1e-9, "{times_s:?} {got:?}");
        }
        // Regular stamps stay regular, though the common clock has steps of 0.24 us.
        let mut times_s: Vec<f64> = (0..2000).map(|i| 5100.0 + f64::from(i) * 1e-3).collect();
        bridge.apply(&mut times_s);
        let off = times_s.windows(2).map(|p| (p[1] - p[0] - 1e-3 / (1.0 + 50e-6)).abs());
        assert!(off.fold(0.0, f64::max) < 3e-9);
    }

    #[test]
    fn one_clock_needs_nothing_and_nothing_measured_is_not_known() {
        let mut none = Bridge::new(vec![Link { from: None, to: None }]);
        assert_eq!(none.at(5.5).host_time_s, 5.5);
        assert_eq!(none.at(5.5).total_s, 0.0);
        let mut times_s = [1.25, f64::NAN, f64::INFINITY];
        none.apply(&mut times_s);
        assert_eq!(times_s[0], 1.25);
        assert!(times_s[1].is_nan() && times_s[2].is_infinite());
        let empty = ClockMap::identity(Method::Smooth);
        assert_eq!(Link { from: Some(&empty), to: None }.at(1.0).total_s, f64::INFINITY);
    }
}
