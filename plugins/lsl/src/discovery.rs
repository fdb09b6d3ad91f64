//! The thread that asks the network which streams there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crossbeam_channel::{Sender, TrySendError};
use lockstep_plugin_api::{Error, Host, LogLevel, Stop};

use crate::ask;
use crate::found::Found;
use crate::net;
use crate::options::Selection;
use crate::peers::Peers;

/// Pause between two questions while something is missing, and otherwise.
const PAUSE_S: (f64, f64) = (0.1, 3.5);
/// Between two looks whether something has come to be missing.
const LOOK_S: f64 = 0.1;

/// What one round of questions found.
#[derive(Debug)]
pub struct Wave {
    /// Every stream that answered, with the selections only outlets can judge that it fulfils.
    pub streams: Vec<(Found, Vec<usize>)>,
}

/// Asks the network.
#[derive(Debug)]
pub struct Discovery {
    /// The predicates that outlets have to judge, with the number of their selection.
    queries: Vec<(usize, String)>,
    /// Whether something is missing, so that it is worth asking often.
    pub hurry: Arc<AtomicBool>,
    peers: Peers,
}

impl Discovery {
    /// For these selections.
    pub fn new(selections: &[Selection]) -> Self {
        let session = net::session_query();
        let queries = selections.iter().enumerate().filter_map(|(number, selection)| {
            let query = selection.network_query()?;
            Some((number, format!("{session} and ({query})")))
        });
        Self { queries: queries.collect(), hurry: Arc::new(AtomicBool::new(true)), peers: Peers::look_up() }
    }

    /// Until the stop: a wave after the other, to `out`.
    ///
    /// # Errors
    /// None: what fails is logged, and tried again.
    pub fn run(&self, host: Host, stop: &Stop, out: &Sender<Wave>) -> Result<(), Error> {
        let mut failed = false;
        loop {
            match self.ask(stop) {
                // It may not be all there is.
                Ok(_) if stop.is_set() => return Ok(()),
                Ok(wave) => {
                    failed = false;
                    // One that is not taken yet will be followed by a newer one.
                    if let Err(TrySendError::Disconnected(_)) = out.try_send(wave) {
                        return Ok(());
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failed, true) && !stop.is_set() {
                        let text = format!("cannot ask the network for LSL streams: {error}");
                        host.log(LogLevel::Warn, &text);
                    }
                }
            }
            let mut waited_s = 0.0;
            let pause_s = || if self.hurry.load(Relaxed) { PAUSE_S.0 } else { PAUSE_S.1 };
            while waited_s < pause_s() {
                if stop.wait_s(LOOK_S) {
                    return Ok(());
                }
                waited_s += LOOK_S;
            }
        }
    }

    fn ask(&self, stop: &Stop) -> std::io::Result<Wave> {
        let session = net::session_query();
        let queries: Vec<&str> = [session.as_str()]
            .into_iter()
            .chain(self.queries.iter().map(|(_, query)| query.as_str()))
            .collect();
        let mut answers = ask::ask(&queries, &self.peers.known(), || !stop.is_set())?.into_iter();
        let all = answers.next().unwrap_or_default();
        let mut streams: Vec<(Found, Vec<usize>)> =
            all.into_iter().map(|found| (found, Vec::new())).collect();
        for ((number, _), found) in self.queries.iter().zip(answers) {
            for found in found {
                match streams.iter_mut().find(|(known, _)| known.uid == found.uid) {
                    Some((_, told)) => told.push(*number),
                    None => streams.push((found, vec![*number])),
                }
            }
        }
        Ok(Wave { streams })
    }
}
