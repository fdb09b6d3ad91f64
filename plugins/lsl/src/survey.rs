//! What is on the network now, without a recording.

use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant};

use lockstep_plugin_api::Exchange;

use crate::ask;
use crate::clock;
use crate::found::Found;
use crate::net;
use crate::options::Selection;
use crate::peers::Peers;

/// Most selections whose outlets are asked at once.
const QUERIES_MAX: usize = 8;
/// Longest time for looking at all clocks.
const LOOK: Duration = Duration::from_secs(2);

/// A stream on the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Name.
    pub name: String,
    /// Content type.
    pub kind: String,
    /// Channels.
    pub channel_count: usize,
    /// Format of its values, as LSL names it.
    pub format: &'static str,
    /// Samples a second; 0: irregular.
    pub nominal_rate_hz: f64,
    /// Name of its machine.
    pub hostname: String,
    /// What identifies the device across restarts; may be empty.
    pub source_id: String,
    /// What identifies its outlet.
    pub uid: String,
    /// Where its data are.
    pub address: Option<std::net::SocketAddr>,
    /// Exchanges with its time service; none when it does not answer, or was not asked.
    pub exchanges: Vec<Exchange>,
}

/// Ask the network for `how_long` which streams fulfil `predicate` (all: `""`), and each of them for its time.
/// Sorted by name and machine.
///
/// # Errors
/// Those of the system.
pub fn survey(predicate: &str, how_long: Duration) -> io::Result<Vec<Listed>> {
    let streams = collect(predicate, how_long, &Peers::look_up())?;
    let services: Vec<_> = streams.iter().map(|found| found.time_service).collect();
    let exchanges = clock::look(&services, LOOK)?;
    Ok(streams.into_iter().zip(exchanges).map(|(found, exchanges)| Listed::new(found, exchanges)).collect())
}

/// What [`seen`] has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Each stream, sorted by name and machine, and whether it is selected. Their time was not asked for.
    pub streams: Vec<(Listed, bool)>,
    /// How many selections only the outlets can judge, and were too many to be asked.
    pub unasked: usize,
}

/// Ask the network for `how_long`, and a little longer for selections that only the outlets can judge, which streams
/// there are, and find those that one of `selections` means.
///
/// # Errors
/// Those of the system.
pub fn seen(selections: &[Selection], how_long: Duration) -> io::Result<Seen> {
    let peers = Peers::look_up();
    let mut streams = collect("", how_long, &peers)?;
    let mut selected: HashSet<String> = HashSet::new();
    let mut there: Vec<(&Selection, String)> = selections
        .iter()
        .filter_map(|selection| Some((selection, within_session(selection.network_query()?))))
        .collect();
    let unasked = there.len().saturating_sub(QUERIES_MAX);
    there.truncate(QUERIES_MAX);
    let queries: Vec<&str> = there.iter().map(|(_, query)| query.as_str()).collect();
    let told = if queries.is_empty() { Vec::new() } else { ask::ask(&queries, &peers.known(), || true)? };
    for ((selection, _), answers) in there.iter().zip(told) {
        selected.extend(answers.iter().filter(|f| selection.fits(f, true)).map(|f| f.uid.clone()));
        add_new(&mut streams, answers);
    }
    sort(&mut streams);
    let here = |found: &Found| {
        selections.iter().any(|selection| selection.network_query().is_none() && selection.fits(found, false))
    };
    let streams = streams.into_iter().map(|found| {
        let is_selected = selected.contains(&found.uid) || here(&found);
        (Listed::new(found, Vec::new()), is_selected)
    });
    Ok(Seen { streams: streams.collect(), unasked })
}

/// Every stream that fulfils `predicate` (all: `""`), asked for `how_long`.
fn collect(predicate: &str, how_long: Duration, peers: &Peers) -> io::Result<Vec<Found>> {
    let query = within_session(predicate);
    let begun = Instant::now();
    let mut streams: Vec<Found> = Vec::new();
    loop {
        ask::ask(&[&query], &peers.known(), || true)?
            .into_iter()
            .for_each(|found| add_new(&mut streams, found));
        if begun.elapsed() >= how_long {
            break;
        }
    }
    sort(&mut streams);
    Ok(streams)
}

fn within_session(predicate: &str) -> String {
    let session = net::session_query();
    if predicate.is_empty() { session } else { format!("{session} and ({predicate})") }
}

fn add_new(streams: &mut Vec<Found>, answers: Vec<Found>) {
    for found in answers {
        if !streams.iter().any(|known| known.uid == found.uid) {
            streams.push(found);
        }
    }
}

fn sort(streams: &mut [Found]) {
    streams.sort_by(|a, b| (&a.name, &a.hostname, &a.uid).cmp(&(&b.name, &b.hostname, &b.uid)));
}

impl Listed {
    fn new(found: Found, exchanges: Vec<Exchange>) -> Self {
        Self {
            format: crate::describe::format_name(found.format),
            name: found.name,
            kind: found.kind,
            channel_count: found.channel_count,
            nominal_rate_hz: found.nominal_rate_hz,
            hostname: found.hostname,
            source_id: found.source_id,
            uid: found.uid,
            address: found.data,
            exchanges,
        }
    }
}
