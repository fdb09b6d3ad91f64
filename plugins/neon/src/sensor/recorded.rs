//! The stream of one sensor: what comes of packets is recorded.

use std::collections::BTreeMap;

use lockstep_platform::seconds;
use lockstep_plugin_api::{Error, Host, LogLevel, RawStream, SideFile, State};
use serde_json::json;

use crate::payload::h264::Picture;
use crate::pipeline::Output;
use crate::rtp::reports::Change;
use crate::streams::Recordable;

/// Between two reports of pictures of which packets are missing.
const INCOMPLETE_PERIOD_S: f64 = 1.0;
/// Lengths that are told of, at most.
const LENGTHS: usize = 16;

/// One stream.
#[derive(Debug)]
pub struct Recorded {
    host: Host,
    stream: RawStream,
    /// Where pictures go, and how many are there.
    file: Option<SideFile>,
    pictures: i64,
    /// Those of which packets are missing, since when that was last told, in seconds of recorder time.
    incomplete: u64,
    told_s: f64,
    stamps_s: Vec<f64>,
    values: Vec<u8>,
    /// Why nothing comes, and since when, in seconds of recorder time.
    ended: Option<(f64, String)>,
    has_samples: bool,
    received_s: f64,
    /// Packets of a length that nobody knows, by length.
    unknown: BTreeMap<usize, u64>,
    said: Option<(State, String)>,
}

impl Recorded {
    /// Nothing has come yet.
    pub fn new(host: Host, Recordable { stream, file }: Recordable) -> Self {
        Self {
            host,
            stream,
            file,
            pictures: 0,
            incomplete: 0,
            told_s: f64::NEG_INFINITY,
            stamps_s: Vec::new(),
            values: Vec::new(),
            ended: None,
            has_samples: false,
            received_s: f64::NEG_INFINITY,
            unknown: BTreeMap::new(),
            said: None,
        }
    }

    /// Whether a sample ever came.
    pub fn has_samples(&self) -> bool {
        self.has_samples
    }

    /// Record all of `out`.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn take(&mut self, out: &mut Vec<Output>) -> Result<(), Error> {
        for output in out.drain(..) {
            match output {
                Output::Sample(unix_ns, values) => {
                    self.begun()?;
                    self.stamps_s.push(seconds(unix_ns));
                    self.values.extend(values);
                }
                Output::Picture(unix_ns, picture) => {
                    self.begun()?;
                    self.picture(unix_ns, &picture)?;
                }
                Output::Lost(count) => {
                    self.flush()?;
                    self.stream.report_gap(count, "never came, or could not be read")?;
                }
                Output::Unknown(length) => self.unknown(length)?,
                Output::Report(ticks, unix_ns, change) => self.report(ticks, unix_ns, change)?,
                Output::ByArrival(ticks, unix_ns) => {
                    self.flush()?;
                    let details = json!({"ticks": ticks, "unix_ns": unix_ns});
                    self.stream.event("neon_placed_by_arrival", &details)?;
                }
                Output::Restarted => {
                    self.flush()?;
                    self.stream.report_gap(None, "the phone began to send anew")?;
                }
            }
        }
        self.flush()
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn ended(&mut self, why: &str) -> Result<(), Error> {
        if self.has_samples && self.ended.is_none() {
            self.ended = Some((self.received_s, why.to_owned()));
        }
        Ok(())
    }

    /// Nothing more will come: what the last break has cost nobody knows.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.tell_incomplete()?;
        match self.ended.take() {
            Some((since_s, why)) => {
                let text = format!("{why}; nothing was received from {since_s:.3} s to the end");
                self.stream.report_gap(None, &text)
            }
            None => Ok(()),
        }
    }

    /// Say how the stream is doing, once.
    pub fn say(&mut self, state: State, why: &str) {
        if self.said.as_ref().is_none_or(|(was, text)| *was != state || text != why) {
            self.stream.set_state(state, why);
            self.said = Some((state, why.to_owned()));
        }
    }

    /// Samples come.
    fn begun(&mut self) -> Result<(), Error> {
        let now_s = self.host.now_s();
        if let Some((since_s, why)) = self.ended.take() {
            let text = format!("{why}; nothing was received from {since_s:.3} to {now_s:.3} s");
            self.stream.report_gap(None, &text)?;
            self.stream.event("neon_gap", &json!({"from_s": since_s, "to_s": now_s, "reason": why}))?;
        }
        (self.has_samples, self.received_s) = (true, now_s);
        self.say(State::Streaming, "");
        Ok(())
    }

    fn picture(&mut self, unix_ns: i64, picture: &Picture) -> Result<(), Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let Some(offset) = file.append(&picture.bytes)? else {
            self.flush()?;
            return self.stream.report_gap(Some(1), "the recorder could not take its bytes: see its file");
        };
        if !picture.is_complete {
            self.incomplete += 1;
            if self.host.now_s() - self.told_s > INCOMPLETE_PERIOD_S {
                self.tell_incomplete()?;
            }
        }
        let (offset, bytes) = (offset.cast_signed(), picture.bytes.len() as i64);
        let (is_key, is_complete) = (picture.is_key.into(), picture.is_complete.into());
        let sample = [self.pictures, offset, bytes, is_key, is_complete, picture.timestamp.into()];
        self.pictures += 1;
        self.stamps_s.push(seconds(unix_ns));
        self.values.extend(sample.iter().flat_map(|value| value.to_ne_bytes()));
        Ok(())
    }

    /// Say that packets of pictures are missing, which are in the recording nevertheless.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn tell_incomplete(&mut self) -> Result<(), Error> {
        let count = std::mem::take(&mut self.incomplete);
        if count == 0 {
            return Ok(());
        }
        self.told_s = self.host.now_s();
        self.flush()?;
        self.stream.report_gap(None, &format!("packets are, or may be, missing of {count} pictures"))
    }

    fn flush(&mut self) -> Result<(), Error> {
        if !self.stamps_s.is_empty() {
            // Samples for which there was no room are counted by the recorder.
            let _ = self.stream.push_bytes(&self.stamps_s, &self.values)?;
            self.stamps_s.clear();
            self.values.clear();
        }
        Ok(())
    }

    fn unknown(&mut self, length: usize) -> Result<(), Error> {
        let is_new = !self.unknown.contains_key(&length) && self.unknown.len() < LENGTHS;
        *self.unknown.entry(length).or_default() += 1;
        if is_new {
            let text = format!(
                "a packet of {length} bytes is of no layout that is known; what can be read of it is"
            );
            self.host.log(LogLevel::Warn, &text);
            self.stream.event("neon_unknown_layout", &json!({"bytes": length}))?;
        }
        Ok(())
    }

    /// Both sides of each sender report are kept: with them stamps can be placed again, by another rule.
    fn report(&mut self, ticks: i64, unix_ns: i64, change: Change) -> Result<(), Error> {
        self.flush()?;
        let changed_ns = match change {
            Change::First => 0,
            Change::Moved(ns) | Change::Stepped(ns) => ns,
        };
        let details = json!({"ticks": ticks, "unix_ns": unix_ns, "changed_ns": changed_ns});
        self.stream.event("neon_sender_report", &details)?;
        if let Change::Stepped(ns) = change {
            let text = format!(
                "its time stamps jumped by {:+.3} s against the phone's clock since the sender report before",
                seconds(ns)
            );
            self.host.log(LogLevel::Warn, &text);
            self.stream.event("neon_step", &json!({"jump_s": seconds(ns)}))?;
        }
        Ok(())
    }
}
