//! What happens to the tracker at times that were given in advance.

use std::collections::VecDeque;

use super::config::TrackerConfig;
use super::config_parts::PlannedNotification;
use super::streams::NotificationKind;

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// The cable is pulled out.
    CableOut,
    /// New firmware ends the connection.
    Upgrade,
    /// The device clock begins again.
    Restart,
    /// The licence is revoked.
    Revoked,
    /// Somebody comes, or goes.
    Presence(bool),
    /// The device tells something.
    Notify(PlannedNotification),
}

/// All of it, in order of time.
#[derive(Debug)]
pub(super) struct Schedule(VecDeque<(f64, Change)>);

impl Schedule {
    pub(super) fn new(config: &TrackerConfig, start_host_s: f64) -> Self {
        let mut all: Vec<(f64, Change)> = Vec::new();
        all.extend(config.disconnects.iter().map(|span| (span.at_s, Change::CableOut)));
        all.extend(config.firmware_upgrades.iter().map(|span| (span.at_s, Change::Upgrade)));
        all.extend(config.clock_restarts_s.iter().map(|at_s| (*at_s, Change::Restart)));
        all.extend(config.licence.revoked_at_s.map(|at_s| (at_s, Change::Revoked)));
        for away in &config.away {
            all.push((away.at_s, Change::Presence(false)));
            all.push((away.at_s + away.for_s, Change::Presence(true)));
        }
        for paused in &config.paused {
            let paused_is = |at_s: f64, number: f64| {
                let kind = NotificationKind::DevicePaused;
                (at_s, Change::Notify(PlannedNotification { at_s, kind, number, text: String::new() }))
            };
            all.push(paused_is(paused.at_s, 1.0));
            all.push(paused_is(paused.at_s + paused.for_s, 0.0));
        }
        all.extend(
            config.notifications.iter().map(|planned| (planned.at_s, Change::Notify(planned.clone()))),
        );
        // What lasts for ever has no end that could happen.
        all.retain(|(at_s, _)| at_s.is_finite());
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self(all.into_iter().map(|(at_s, change)| (start_host_s + at_s, change)).collect())
    }

    /// Host time of the next one; infinite when there is none.
    pub(super) fn next_s(&self) -> f64 {
        self.0.front().map_or(f64::INFINITY, |(at_s, _)| *at_s)
    }

    /// The next one that happens until `now_s`.
    pub(super) fn pop_until(&mut self, now_s: f64) -> Option<(f64, Change)> {
        self.0.pop_front_if(|(at_s, _)| *at_s <= now_s)
    }
}
