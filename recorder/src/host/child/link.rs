//! A child's end of the pipe: what its plugin says is written into it at once, by the thread that says it. So what was
//! pushed before a crash is with the system, and is not lost.

mod outgoing;

use std::collections::HashMap;
use std::fs::File;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use lockstep_clock::Exchange;
use lockstep_plugin_api::sys;
use lockstep_xdf::{ChannelFormat, EncodeError};
use parking_lot::Mutex;
use serde::de::IgnoredAny;

use super::frame::{Answer, FromChild, MAX_FRAME_BYTES, Numbers};
use crate::host::describe::{ClockWords, StreamWords, channel_format, label};
use crate::host::sink::Sink;
use crate::recording::intake::{MAX_CLOCKS_PER_SOURCE, MAX_STREAMS_PER_SOURCE, Refusal};
use crate::recording::notice::Level;
use crate::recording::state::State;
use crate::recording::stream::Rejected;
use outgoing::{Outgoing, Sent};

/// Samples wait so long for room in the pipe; then they are dropped and counted.
const SAMPLES_WAIT: Duration = Duration::from_millis(50);
/// What is answered, and what would change what is known of losses, waits longer.
const CALL_WAIT: Duration = Duration::from_millis(200);
/// An answer comes within this, for the other end waits for nothing.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// Samples go in frames of about this size.
const FRAME_BYTES: usize = 256 << 10;

/// A stream, as far as pushing needs it.
#[derive(Debug)]
struct Known {
    label: String,
    format: ChannelFormat,
    channel_count: usize,
}

/// An answer, kept for the thread that waits for it.
#[derive(Debug)]
enum Answered {
    Number(u32),
    File(u32, String),
    Offset(Option<u64>),
    Refused(Refusal),
}

/// A child's end of the pipe.
#[derive(Debug)]
pub struct Link {
    name: String,
    open: AtomicBool,
    out: Mutex<Outgoing>,
    streams: Box<[OnceLock<Known>]>,
    clocks: Box<[OnceLock<String>]>,
    calls: Mutex<HashMap<u32, Sender<Answered>>>,
    next_call: AtomicU32,
}

impl Link {
    /// Of the source `name`, through `pipe`, which answers at once.
    pub fn new(name: &str, pipe: File) -> Self {
        Self {
            name: name.to_owned(),
            open: AtomicBool::new(false),
            out: Mutex::new(Outgoing::new(pipe)),
            streams: (0..MAX_STREAMS_PER_SOURCE).map(|_| OnceLock::new()).collect(),
            clocks: (0..MAX_CLOCKS_PER_SOURCE).map(|_| OnceLock::new()).collect(),
            calls: Mutex::default(),
            next_call: AtomicU32::new(1),
        }
    }

    /// Take what the plugin says from now on.
    pub fn open(&self) {
        self.open.store(true, Relaxed);
    }

    /// Say something that must arrive: whether it did.
    pub fn say(&self, said: &FromChild<'_>) -> bool {
        self.out.lock().send(said, CALL_WAIT) == Sent::Yes
    }

    /// Say that the child is alive, if there is room; whether anybody still listens.
    pub fn beat(&self) -> bool {
        self.out.lock().send(&FromChild::Beat, Duration::ZERO) != Sent::Broken
    }

    /// An answer has come.
    pub fn answer(&self, call: u32, answer: Answer<'_>) {
        let Some(waiting) = self.calls.lock().remove(&call) else { return };
        let answered = match answer {
            Answer::Number(number) => Answered::Number(number),
            Answer::File(number, name) => Answered::File(number, name.to_owned()),
            Answer::Offset(offset) => Answered::Offset(offset),
            Answer::Refused(status, why) => Answered::Refused(match status {
                sys::ESTATE => Refusal::NotRunning,
                sys::EINVAL => Refusal::Invalid(why.to_owned()),
                sys::ENOMEM => Refusal::NoRoom(why.to_owned()),
                _ => Refusal::Failed(why.to_owned()),
            }),
        };
        // Whoever asked may have given up.
        drop(waiting.try_send(answered));
    }

    fn check_open(&self) -> Result<(), Refusal> {
        if self.open.load(Relaxed) { Ok(()) } else { Err(Refusal::NotRunning) }
    }

    fn known(&self, number: u32) -> Result<&Known, Refusal> {
        self.check_open()?;
        let slot = self.streams.get((number as usize).wrapping_sub(1));
        let known = slot.and_then(OnceLock::get);
        known.ok_or_else(|| Refusal::Invalid(format!("no stream has the number {number}")))
    }

    fn clock(&self, number: u32) -> Result<&str, Refusal> {
        self.check_open()?;
        let slot = self.clocks.get((number as usize).wrapping_sub(1));
        let known = slot.and_then(OnceLock::get);
        known.map(String::as_str).ok_or_else(|| Refusal::Invalid(format!("no clock has the number {number}")))
    }

    /// The source itself, or one of its streams.
    fn check_whole_or_stream(&self, number: u32) -> Result<(), Refusal> {
        if number == sys::WHOLE_SOURCE { self.check_open() } else { self.known(number).map(|_| ()) }
    }

    /// Say something that is answered.
    fn call<'a>(&self, say: impl FnOnce(u32) -> FromChild<'a>) -> Result<Answered, Refusal> {
        self.check_open()?;
        let call = self.next_call.fetch_add(1, Relaxed);
        let (sender, answers) = bounded(1);
        self.calls.lock().insert(call, sender);
        let sent = self.out.lock().send(&say(call), CALL_WAIT);
        let answered = match sent {
            Sent::Yes => answers.recv_timeout(ANSWER_WAIT).ok(),
            Sent::No | Sent::Broken | Sent::TooLong => None,
        };
        self.calls.lock().remove(&call);
        match answered {
            Some(Answered::Refused(refusal)) => Err(refusal),
            Some(answered) => Ok(answered),
            None if sent == Sent::TooLong => Err(too_long()),
            None => Err(no_answer()),
        }
    }

    /// Say something that is not answered; where there is no room, that is counted.
    fn tell(&self, said: &FromChild<'_>) -> Result<(), Refusal> {
        let mut out = self.out.lock();
        // A line may go; a clock that was reset must not.
        let wait = if matches!(said, FromChild::Log { .. }) { SAMPLES_WAIT } else { CALL_WAIT };
        match out.send(said, wait) {
            Sent::Yes => Ok(()),
            Sent::TooLong => Err(too_long()),
            Sent::No | Sent::Broken => {
                out.untold.unsaid += 1;
                Ok(())
            }
        }
    }

    /// Send `samples` of a stream in parts of so many: whether all of them found room. A part that is too long for a
    /// frame is refused.
    fn send_parts<'a>(
        &self,
        stream: u32,
        parts: impl Iterator<Item = (usize, FromChild<'a>)>,
    ) -> Result<bool, Refusal> {
        let (mut all, mut refused) = (true, 0);
        let mut out = self.out.lock();
        for (samples, said) in parts {
            // What follows something that was dropped waits no more: a thread that pushes is not held up for long.
            let wait = if all { SAMPLES_WAIT } else { Duration::ZERO };
            match out.send(&said, wait) {
                Sent::Yes => {}
                Sent::TooLong => refused += samples as u64,
                Sent::No | Sent::Broken => {
                    all = false;
                    out.untold.dropped(stream, samples as u64);
                }
            }
        }
        drop(out);
        if refused > 0 {
            self.count_refused(stream, refused);
            return Err(too_long());
        }
        Ok(all)
    }

    fn rejected(&self, stream: u32, samples: usize, why: &Rejected) -> Refusal {
        self.count_refused(stream, samples as u64);
        let label = self.known(stream).map(|known| known.label.as_str()).unwrap_or_default();
        Refusal::Invalid(format!("stream {label:?}: {why}"))
    }

    fn check_samples(
        &self,
        stream: u32,
        stamps_s: &[f64],
        (given, each, unit): (usize, usize, &'static str),
    ) -> Result<(), Refusal> {
        let known = self.known(stream)?;
        if let Some(index) = stamps_s.iter().position(|t| !t.is_finite()) {
            let why = Rejected::Stamp { index, value: stamps_s[index] };
            return Err(self.rejected(stream, stamps_s.len(), &why));
        }
        let expected = stamps_s.len().saturating_mul(each);
        if given == expected {
            return Ok(());
        }
        let (samples, channel_count) = (stamps_s.len(), known.channel_count);
        let format = known.format;
        let why = EncodeError::WrongSize { samples, channel_count, format, expected, given, unit };
        Err(self.rejected(stream, samples, &why.into()))
    }
}

fn too_long() -> Refusal {
    Refusal::NoRoom(format!("no more than {MAX_FRAME_BYTES} bytes at once from a process of its own"))
}

fn no_answer() -> Refusal {
    Refusal::Failed("the recorder does not answer".to_owned())
}

/// The bytes of numbers that lie one after the other.
fn bytes_of(numbers: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(numbers));
    numbers.iter().for_each(|n| bytes.extend_from_slice(&n.to_ne_bytes()));
    bytes
}

impl Sink for Link {
    fn name(&self) -> &str {
        &self.name
    }

    fn close(&self) {
        self.open.store(false, Relaxed);
    }

    fn add_clock(&self, words: ClockWords) -> Result<u32, Refusal> {
        let name = words.name.clone();
        let Answered::Number(number) = self.call(|call| FromChild::AddClock { call, words })? else {
            return Err(no_answer());
        };
        if let Some(slot) = self.clocks.get((number as usize).wrapping_sub(1)) {
            slot.get_or_init(|| name);
        }
        Ok(number)
    }

    fn add_stream(&self, words: StreamWords) -> Result<u32, Refusal> {
        let (label, channel_count) = (label(&words), words.channel_count as usize);
        let format = channel_format(words.format);
        let Answered::Number(number) =
            self.call(|call| FromChild::AddStream { call, words: Box::new(words) })?
        else {
            return Err(no_answer());
        };
        if let (Some(slot), Some(format)) = (self.streams.get((number as usize).wrapping_sub(1)), format) {
            slot.get_or_init(|| Known { label, format, channel_count });
        }
        Ok(number)
    }

    fn stream(&self, number: u32) -> Result<(&str, ChannelFormat), Refusal> {
        self.known(number).map(|known| (known.label.as_str(), known.format))
    }

    fn push_numbers(&self, stream: u32, stamps_s: &[f64], data: &[u8]) -> Result<bool, Refusal> {
        let known = self.known(stream)?;
        let sample_bytes = known.channel_count.saturating_mul(known.format.value_bytes().unwrap_or(1));
        self.check_samples(stream, stamps_s, (data.len(), sample_bytes, "bytes"))?;
        let per_frame = (FRAME_BYTES / sample_bytes.saturating_add(size_of::<f64>())).max(1);
        let stamps = bytes_of(stamps_s);
        let parts =
            stamps.chunks(per_frame * size_of::<f64>()).zip(data.chunks(per_frame * sample_bytes.max(1)));
        self.send_parts(
            stream,
            parts.map(|(stamps, data)| {
                let stamps_s = Numbers::of_bytes(stamps);
                (stamps_s.count(), FromChild::Numbers { stream, stamps_s, data })
            }),
        )
    }

    fn push_strings(&self, stream: u32, stamps_s: &[f64], values: &[&[u8]]) -> Result<bool, Refusal> {
        let channels = self.known(stream)?.channel_count;
        self.check_samples(stream, stamps_s, (values.len(), channels, "strings"))?;
        let stamps = bytes_of(stamps_s);
        let mut from = 0;
        let parts = std::iter::from_fn(|| {
            let (first, mut bytes) = (from, 0);
            while from < stamps_s.len() && (from == first || bytes < FRAME_BYTES) {
                let sample = &values[from * channels..(from + 1) * channels];
                bytes += sample.iter().map(|value| value.len() + size_of::<u32>()).sum::<usize>();
                from += 1;
            }
            let stamps = &stamps[first * size_of::<f64>()..from * size_of::<f64>()];
            let values = values[first * channels..from * channels].to_vec();
            let said = FromChild::Strings { stream, stamps_s: Numbers::of_bytes(stamps), values };
            (from > first).then_some((from - first, said))
        });
        self.send_parts(stream, parts)
    }

    fn count_refused(&self, stream: u32, samples: u64) {
        let mut out = self.out.lock();
        out.untold.refused(stream, samples);
        // It goes with the next frame at the latest.
        let _ = out.send_untold();
    }

    fn push_exchanges(&self, clock: u32, burst: &[Exchange]) -> Result<bool, Refusal> {
        let name = self.clock(clock)?;
        if burst.is_empty() {
            return Ok(true);
        }
        let stamps: Vec<f64> = burst.iter().flat_map(|e| [e.t0_s, e.t1_s, e.t2_s, e.t3_s]).collect();
        if !stamps.iter().all(|stamp| stamp.is_finite()) {
            self.count_refused_exchanges(clock, burst.len() as u64);
            return Err(Refusal::Invalid(format!("clock {name:?}: a stamp of an exchange is not a number")));
        }
        let stamps = bytes_of(&stamps);
        let mut out = self.out.lock();
        match out.send(&FromChild::Exchanges { clock, stamps_s: Numbers::of_bytes(&stamps) }, SAMPLES_WAIT) {
            Sent::Yes => Ok(true),
            Sent::TooLong => {
                out.untold.refused_exchanges(clock, burst.len() as u64);
                Err(too_long())
            }
            Sent::No | Sent::Broken => {
                out.untold.dropped_exchanges(clock, burst.len() as u64);
                Ok(false)
            }
        }
    }

    fn count_refused_exchanges(&self, clock: u32, exchanges: u64) {
        let mut out = self.out.lock();
        out.untold.refused_exchanges(clock, exchanges);
        let _ = out.send_untold();
    }

    fn clock_reset(&self, clock: u32, reason: &str) -> Result<(), Refusal> {
        self.clock(clock)?;
        self.tell(&FromChild::ClockReset { clock, reason })
    }

    fn report_gap(&self, stream: u32, lost: Option<u64>, reason: &str) -> Result<(), Refusal> {
        self.check_whole_or_stream(stream)?;
        let mut out = self.out.lock();
        match (out.send(&FromChild::Gap { stream, lost, reason }, CALL_WAIT), lost) {
            (Sent::Yes, _) => {}
            // The number must not get lost, if the reason does.
            (_, Some(lost)) => out.untold.dropped(stream, lost),
            (_, None) => out.untold.unsaid += 1,
        }
        Ok(())
    }

    fn set_state(&self, stream: u32, state: State, reason: &str) -> Result<(), Refusal> {
        self.check_whole_or_stream(stream)?;
        self.tell(&FromChild::State { stream, state: state as u8, reason })
    }

    fn event(&self, stream: u32, name: &str, json: &str) -> Result<(), Refusal> {
        self.check_whole_or_stream(stream)?;
        if !json.is_empty() {
            serde_json::from_str::<IgnoredAny>(json)
                .map_err(|e| Refusal::Invalid(format!("event {name:?}: its details are not JSON: {e}")))?;
        }
        self.tell(&FromChild::Event { stream, name, json })
    }

    fn add_side_file(&self, what: &str, suffix: &str) -> Result<(u32, String), Refusal> {
        match self.call(|call| FromChild::AddSideFile { call, what, suffix })? {
            Answered::File(number, name) => Ok((number, name)),
            _ => Err(no_answer()),
        }
    }

    fn append_side_file(&self, file: u32, bytes: &[u8]) -> Result<Option<u64>, Refusal> {
        match self.call(|call| FromChild::AppendSideFile { call, file, bytes }) {
            Ok(Answered::Offset(offset)) => Ok(offset),
            Ok(_) => Err(no_answer()),
            Err(refusal @ Refusal::Failed(_)) if refusal == no_answer() => {
                // Nobody knows whether it was appended; that something is missing will be told.
                self.out.lock().untold.unsaid += 1;
                Ok(None)
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn log(&self, level: Level, text: &str) {
        // A line that is too long for a frame cannot be: it was cut.
        let _ = self.tell(&FromChild::Log { level: level as u8, text });
    }
}

#[cfg(test)]
mod tests;
