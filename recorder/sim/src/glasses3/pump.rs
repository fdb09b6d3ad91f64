//! The glasses at work: takes each sample when it is due, and sees to what happens at set times.

use tokio::sync::watch;
use tokio::time::sleep_until;

use crate::host::{deadline, now_s};

use super::feed::Feed;
use super::shared::Shared;

/// How often the logs are written out, in seconds.
const FLUSH_S: f64 = 0.5;

/// Works until `stop` turns true or is dropped.
pub(super) async fn run(shared: &Shared, mut stop: watch::Receiver<bool>) {
    let mut feed = Feed::new(&shared.config);
    let mut edges = edges(shared).into_iter().peekable();
    let mut flush_s = now_s() + FLUSH_S;
    while !*stop.borrow() {
        feed.set_gaze_hz(shared.state().gaze_hz);
        let sample_s = shared.time.at_oscillator(feed.next_s()).host_s;
        let due_s = edges.peek().copied().unwrap_or(f64::INFINITY).min(sample_s);
        tokio::select! {
            changed = stop.changed() => if changed.is_err() { return },
            () = sleep_until(deadline(due_s)) => {}
        }
        let now = shared.now();
        if edges.next_if(|edge_s| *edge_s <= now.host_s).is_some() {
            shared.set_out(&now, shared.is_out(now.host_s));
        }
        shared.tell_lapse(&now);
        take_due(shared, &mut feed, now.host_s);
        if now.host_s >= flush_s {
            shared.logs.flush();
            flush_s = now.host_s + FLUSH_S;
        }
    }
}

/// Takes what is due, in order.
fn take_due(shared: &Shared, feed: &mut Feed, now_host_s: f64) {
    loop {
        let moment = shared.time.at_oscillator(feed.next_s());
        if moment.host_s > now_host_s {
            return;
        }
        let sample = feed.take();
        let sent_host_s = now_s();
        let sent = shared.emit(sample.signal, &moment, sent_host_s, || sample.data.json());
        shared.logs.sample(&sample, &moment, sent_host_s, sent.as_ref());
    }
}

/// Host times at which an outage begins or ends, in order.
fn edges(shared: &Shared) -> Vec<f64> {
    let spans = shared.config.outages.iter();
    let ends = spans.flat_map(|span| [span.at_s, span.at_s + span.for_s]);
    let mut edges: Vec<f64> =
        ends.filter(|at_s| at_s.is_finite()).map(|at_s| shared.time.start_host_s() + at_s).collect();
    edges.sort_by(f64::total_cmp);
    edges
}
