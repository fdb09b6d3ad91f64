//! What happens to a phone at set times: outages, and sensors that are unplugged.

use serde_json::json;
use tokio::time::sleep_until;

use crate::host::deadline;
use crate::serve::Span;

use super::config::NeonConfig;
use super::layout::Sensor;
use super::shared::{Shared, Update};

/// How often the logs of connections are written out, in seconds.
const FLUSH_S: f64 = 0.5;

/// Makes it happen, for ever.
pub(super) async fn run(shared: &Shared) {
    let mut edges = edges(&shared.config).into_iter().peekable();
    let mut flush_s = FLUSH_S;
    let mut before = Seen::at(&shared.config, 0.0);
    loop {
        let due_s = edges.peek().copied().unwrap_or(f64::INFINITY).min(flush_s);
        sleep_until(deadline(shared.phone.start_host_s() + due_s)).await;
        if due_s >= flush_s {
            shared.logs.flush();
            flush_s += FLUSH_S;
            continue;
        }
        edges.next();
        let now = Seen::at(&shared.config, due_s);
        before.tell_changes(&now, shared);
        before = now;
    }
}

/// The times at which anything changes, in order.
fn edges(config: &NeonConfig) -> Vec<f64> {
    let spans = config.outages.iter().chain(config.unplugged.iter().map(|(_, span)| span));
    let ends = |span: &Span| [span.at_s, span.at_s + span.for_s];
    let mut edges: Vec<f64> = spans.flat_map(ends).filter(|at_s| at_s.is_finite()).collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    edges
}

/// What may change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    out: bool,
    plugged: [bool; Sensor::ALL.len()],
}

impl Seen {
    fn at(config: &NeonConfig, elapsed_s: f64) -> Self {
        let plugged = Sensor::ALL.map(|sensor| config.is_plugged(sensor, elapsed_s));
        Self { out: config.is_out(elapsed_s), plugged }
    }

    fn tell_changes(&self, now: &Self, shared: &Shared) {
        if self.out != now.out {
            shared.set_out(now.out);
            shared.log(if now.out { "outage" } else { "outage_over" }, &json!({}));
        }
        for sensor in Sensor::ALL {
            let plugged = now.plugged[sensor.index()];
            if plugged != self.plugged[sensor.index()] {
                let kind = if plugged { "plugged" } else { "unplugged" };
                shared.log(kind, &json!({"sensor": sensor.name()}));
                shared.tell(Update::Sensor(sensor));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn edges_are_the_ends_of_all_spans_in_order() {
        let mut config = NeonConfig::new("phone", Ipv4Addr::LOCALHOST.into());
        config.outages = vec![Span { at_s: 5.0, for_s: 1.5 }];
        config.unplugged = vec![
            (Sensor::Gaze, Span { at_s: 2.0, for_s: 3.0 }),
            (Sensor::Imu, Span { at_s: 9.0, for_s: f64::INFINITY }),
        ];
        assert_eq!(edges(&config), [2.0, 5.0, 6.5, 9.0]);
        let seen = Seen::at(&config, 5.0);
        assert!(seen.out && seen.plugged[0]);
        assert!(!Seen::at(&config, 2.0).plugged[0] && !Seen::at(&config, 100.0).plugged[1]);
    }
}
