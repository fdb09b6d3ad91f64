//! Times for whoever watches live: they never run backwards.

use super::OnlineMap;
use crate::Estimate;

/// How fast an error is taken back, in seconds per second.
const SLEW: f64 = 2e-3;
/// Differences above this are jumps: slewing would take too long.
const JUMP_S: f64 = 0.05;
/// Stamps this far from the newest measurement are no stamps.
const FARTHEST_S: f64 = 3600.0;

/// The times of one stream by an [`OnlineMap`], strictly increasing.
///
/// What the map learns is taken in at 2 ms per second at most. Where it differs by more than 50 ms the output
/// jumps if that is forward, and creeps until it is caught up with otherwise; both are flagged.
#[derive(Debug, Clone, Default)]
pub struct Monotone {
    last: Option<(f64, f64)>,
}

impl Monotone {
    /// Host time of the next stamp. `None` where nothing was measured yet, and for stamps that are not
    /// finite or an hour off: they have no honest time.
    pub fn next(&mut self, map: &OnlineMap, device_time_s: f64) -> Option<Estimate> {
        let newest_s = map.newest_s()?;
        let wanted = map.at(device_time_s);
        let near = (wanted.host_time_s - newest_s).abs() <= FARTHEST_S;
        if !near {
            return None;
        }
        let mut given = wanted;
        if let Some((device_s, host_s)) = self.last {
            let passed_s = device_time_s - device_s;
            if (wanted.host_time_s - (host_s + passed_s)).abs() > JUMP_S {
                given.flagged = true;
            } else {
                let change_s = SLEW * passed_s.abs();
                let straight_s = host_s + passed_s;
                given.host_time_s = wanted.host_time_s.clamp(straight_s - change_s, straight_s + change_s);
            }
            if given.host_time_s <= host_s {
                given.host_time_s = host_s.next_up();
                given.flagged |= host_s - wanted.host_time_s > JUMP_S;
            }
        }
        let behind_s = (given.host_time_s - wanted.host_time_s).abs();
        given.relative_s = wanted.relative_s.hypot(behind_s);
        given.total_s = wanted.total_s.hypot(behind_s);
        given.bound_s = wanted.bound_s + behind_s;
        self.last = Some((device_time_s, given.host_time_s));
        Some(given)
    }
}
