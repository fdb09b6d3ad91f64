//! The writing end: whole frames or nothing, never waiting for long, and what found no room counted and told.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use lockstep_platform::child::write_within;

use crate::host::child::frame::FromChild;

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is in the pipe, or as much of it as there was room for, and the rest follows.
    Yes,
    /// There was no room: nothing of it is.
    No,
    /// It is longer than any frame may be.
    TooLong,
    /// Nobody reads any more.
    Broken,
}

/// What was not taken and has to be told, by stream or clock. There are no more of these than a source may have.
#[derive(Debug, Default)]
pub struct Untold {
    dropped: BTreeMap<u32, u64>,
    refused: BTreeMap<u32, u64>,
    dropped_exchanges: BTreeMap<u32, u64>,
    refused_exchanges: BTreeMap<u32, u64>,
    /// Lines, states and the like.
    pub unsaid: u64,
}

/// Numbers a plugin made up share an entry: 0 is none of a stream or clock.
const MOST_ENTRIES: usize = 1024;

fn add(counts: &mut BTreeMap<u32, u64>, of: u32, more: u64) {
    let of = if counts.len() < MOST_ENTRIES || counts.contains_key(&of) { of } else { 0 };
    let count = counts.entry(of).or_default();
    *count = count.saturating_add(more);
}

impl Untold {
    /// Samples found no room.
    pub fn dropped(&mut self, stream: u32, samples: u64) {
        add(&mut self.dropped, stream, samples);
    }

    /// Samples could not be read.
    pub fn refused(&mut self, stream: u32, samples: u64) {
        add(&mut self.refused, stream, samples);
    }

    /// Exchanges found no room.
    pub fn dropped_exchanges(&mut self, clock: u32, exchanges: u64) {
        add(&mut self.dropped_exchanges, clock, exchanges);
    }

    /// Exchanges could not be read.
    pub fn refused_exchanges(&mut self, clock: u32, exchanges: u64) {
        add(&mut self.refused_exchanges, clock, exchanges);
    }

    fn is_empty(&self) -> bool {
        let Self { dropped, refused, dropped_exchanges, refused_exchanges, unsaid } = self;
        let counts = [dropped, refused, dropped_exchanges, refused_exchanges];
        *unsaid == 0 && counts.iter().all(|counts| counts.is_empty())
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let mut say = |said: FromChild<'_>| {
            // None of these is longer than a few bytes.
            let _ = said.encode(out);
        };
        self.dropped.iter().for_each(|(&stream, &samples)| say(FromChild::Dropped { stream, samples }));
        self.refused.iter().for_each(|(&stream, &samples)| say(FromChild::Refused { stream, samples }));
        let dropped = self.dropped_exchanges.iter();
        dropped.for_each(|(&clock, &count)| say(FromChild::DroppedExchanges { clock, count }));
        let refused = self.refused_exchanges.iter();
        refused.for_each(|(&clock, &count)| say(FromChild::RefusedExchanges { clock, count }));
        if self.unsaid > 0 {
            say(FromChild::Unsaid { count: self.unsaid });
        }
    }
}

/// The writing end.
#[derive(Debug)]
pub struct Outgoing {
    pipe: File,
    frame: Vec<u8>,
    /// What is left of frames of which a part is in the pipe: it must go before anything else.
    rest: Vec<u8>,
    broken: bool,
    /// What has to be told.
    pub untold: Untold,
}

/// Room that is kept between two frames.
const KEPT_BYTES: usize = 1 << 20;

impl Outgoing {
    /// Through `pipe`, which answers at once.
    pub fn new(pipe: File) -> Self {
        Self { pipe, frame: Vec::new(), rest: Vec::new(), broken: false, untold: Untold::default() }
    }

    /// Write `said`, and before it what was not told yet, when there is room within `wait`.
    pub fn send(&mut self, said: &FromChild<'_>, wait: Duration) -> Sent {
        self.frame.clear();
        self.untold.encode(&mut self.frame);
        if said.encode(&mut self.frame).is_err() {
            return Sent::TooLong;
        }
        self.write(wait)
    }

    /// Write what was not told yet, when there is room now.
    pub fn send_untold(&mut self) -> Sent {
        if self.untold.is_empty() {
            return Sent::Yes;
        }
        self.frame.clear();
        self.untold.encode(&mut self.frame);
        self.write(Duration::ZERO)
    }

    fn write(&mut self, wait: Duration) -> Sent {
        if self.broken {
            return Sent::Broken;
        }
        if !self.rest.is_empty() {
            match write_within(&mut self.pipe, &self.rest, wait) {
                Ok(written) => drop(self.rest.drain(..written)),
                Err(_) => return self.breaks(),
            }
            if !self.rest.is_empty() {
                return Sent::No;
            }
        }
        let written = match write_within(&mut self.pipe, &self.frame, wait) {
            Ok(0) => return Sent::No,
            Ok(written) => written,
            Err(_) => return self.breaks(),
        };
        self.untold = Untold::default();
        self.rest.extend_from_slice(&self.frame[written..]);
        if self.frame.capacity() > KEPT_BYTES {
            self.frame = Vec::new();
        }
        if self.rest.is_empty() && self.rest.capacity() > KEPT_BYTES {
            self.rest = Vec::new();
        }
        Sent::Yes
    }

    fn breaks(&mut self) -> Sent {
        self.broken = true;
        Sent::Broken
    }
}
