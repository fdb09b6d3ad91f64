//! What a child says becomes what its source tells the recording. What the child of before had added goes on.

use std::sync::Arc;

use lockstep_clock::Exchange;
use lockstep_plugin_api::sys;

use super::frame::{Answer, FromChild, FromParent};
use crate::host::arguments::readable;
use crate::host::describe::{ClockWords, StreamWords, label};
use crate::host::sink::Sink;
use crate::recording::intake::{Refusal, SourceIntake};
use crate::recording::notice::Level;
use crate::recording::state::State;

/// What a child has added, and whether the present one has.
#[derive(Debug)]
struct Added<W> {
    number: u32,
    /// As the plugin calls it; what the recording calls it may have a number after that.
    name: String,
    words: W,
    is_present: bool,
}

/// Passes on what a child says.
#[derive(Debug)]
pub struct Receiver {
    intake: Arc<SourceIntake>,
    streams: Vec<Added<StreamWords>>,
    clocks: Vec<Added<ClockWords>>,
    stamps_s: Vec<f64>,
}

/// Names that are tried for what is another than that of before.
const NAMES: u32 = 100;

/// Whether a stream is the one of before: then its samples go on in it. A device that says which it is may describe
/// itself with what changes, as the time of its start.
fn is_same_stream(new: &StreamWords, before: &StreamWords) -> bool {
    let is_named = !new.source_id.is_empty();
    let comparable = |words: &StreamWords| StreamWords {
        desc_xml: if is_named { String::new() } else { words.desc_xml.clone() },
        origin_xml: if is_named { String::new() } else { words.origin_xml.clone() },
        synchronization: words.synchronization.filter(|_| !is_named),
        ..words.clone()
    };
    comparable(new) == comparable(before)
}

impl Receiver {
    /// Of a source.
    pub fn new(intake: Arc<SourceIntake>) -> Self {
        Self { intake, streams: Vec::new(), clocks: Vec::new(), stamps_s: Vec::new() }
    }

    /// The source.
    pub fn intake(&self) -> &SourceIntake {
        &self.intake
    }

    /// Another child begins.
    pub fn begin(&mut self) {
        self.streams.iter_mut().for_each(|s| s.is_present = false);
        self.clocks.iter_mut().for_each(|c| c.is_present = false);
    }

    /// The child is gone, and nobody knows what is missing because of that.
    pub fn lost(&mut self, reason: &str) {
        // Refused only after the end.
        let _ = self.intake.set_state(sys::WHOLE_SOURCE, State::Lost, reason);
        let present: Vec<u32> = self.streams.iter().filter(|s| s.is_present).map(|s| s.number).collect();
        let of = if present.is_empty() { vec![sys::WHOLE_SOURCE] } else { present };
        for number in of {
            let _ = self.intake.report_gap(number, None, reason);
        }
    }

    /// Pass on what it says; an answer goes to `answers`.
    pub fn take(&mut self, said: FromChild<'_>, answers: &mut Vec<u8>) {
        let intake = Arc::clone(&self.intake);
        if let FromChild::Numbers { stream, stamps_s, .. } | FromChild::Strings { stream, stamps_s, .. } =
            &said
            && intake.streams.get(*stream).is_none()
        {
            intake.count_refused(*stream, stamps_s.count() as u64);
        }
        let (call, result) = match said {
            FromChild::Numbers { stream, stamps_s, data } => {
                stamps_s.copy_to(&mut self.stamps_s);
                ("push_chunk", intake.push_numbers(stream, &self.stamps_s, data).map(|_| ()))
            }
            FromChild::Strings { stream, stamps_s, values } => {
                stamps_s.copy_to(&mut self.stamps_s);
                ("push_chunk", intake.push_strings(stream, &self.stamps_s, &values).map(|_| ()))
            }
            FromChild::Exchanges { clock, stamps_s } => {
                stamps_s.copy_to(&mut self.stamps_s);
                let exchange = |e: &[f64; 4]| Exchange { t0_s: e[0], t1_s: e[1], t2_s: e[2], t3_s: e[3] };
                let burst: Vec<Exchange> = self.stamps_s.as_chunks::<4>().0.iter().map(exchange).collect();
                ("push_exchanges", intake.push_exchanges(clock, &burst).map(|_| ()))
            }
            FromChild::ClockReset { clock, reason } => {
                ("clock_reset", intake.clock_reset(clock, &human(reason)))
            }
            FromChild::Gap { stream, lost, reason } => {
                ("report_gap", intake.report_gap(stream, lost, &human(reason)))
            }
            FromChild::State { stream, state, reason } => (
                "set_state",
                match state_of(state) {
                    Some(state) => intake.set_state(stream, state, &human(reason)),
                    None => Err(Refusal::Invalid(format!("state {state} is unknown"))),
                },
            ),
            FromChild::Event { stream, name, json } => ("event", intake.event(stream, &human(name), json)),
            FromChild::Log { level, text } => {
                intake.log(level_of(level), &human(text));
                return;
            }
            FromChild::Refused { stream, samples } => {
                intake.count_refused(stream, samples);
                return;
            }
            FromChild::RefusedExchanges { clock, count } => {
                intake.count_refused_exchanges(clock, count);
                return;
            }
            FromChild::Dropped { stream, samples } => {
                intake.count_dropped(stream, samples);
                return;
            }
            FromChild::DroppedExchanges { clock, count } => {
                intake.count_dropped_exchanges(clock, count);
                return;
            }
            FromChild::Unsaid { count } => {
                let text =
                    format!("{count} states, events, lines or pieces of files found no room on their way");
                ("unsaid", intake.report_gap(sys::WHOLE_SOURCE, None, &text))
            }
            FromChild::AddClock { call, words } => {
                let added = self.add_clock(words);
                return answer(answers, call, added.as_ref().map(|number| Answer::Number(*number)));
            }
            FromChild::AddStream { call, words } => {
                let added = self.add_stream(*words);
                return answer(answers, call, added.as_ref().map(|number| Answer::Number(*number)));
            }
            FromChild::AddSideFile { call, what, suffix } => {
                let added = Sink::add_side_file(&*intake, what, suffix);
                return answer(
                    answers,
                    call,
                    added.as_ref().map(|(number, name)| Answer::File(*number, name)),
                );
            }
            FromChild::AppendSideFile { call, file, bytes } => {
                let appended = intake.append_side_file(file, bytes);
                return answer(answers, call, appended.as_ref().map(|offset| Answer::Offset(*offset)));
            }
            // What concerns the child and not its source.
            FromChild::Hello(_)
            | FromChild::CannotLoad(_)
            | FromChild::Created(_)
            | FromChild::Started(_)
            | FromChild::Stopped(_)
            | FromChild::Beat => return,
        };
        match result {
            Ok(()) | Err(Refusal::NotRunning) => {}
            // The plugin was told that it is right, so it says nothing itself.
            Err(refusal) => intake.log(Level::Error, &format!("{call}: {refusal}")),
        }
    }

    fn add_clock(&mut self, words: ClockWords) -> Result<u32, Refusal> {
        let name = words.name.clone();
        let before = self.clocks.iter_mut().filter(|c| c.name == name);
        let (number, recorded) = match choose(before, |before| *before == words) {
            Choice::Continue(number) => return Ok(number),
            Choice::Add => (Sink::add_clock(&*self.intake, words.clone())?, name.clone()),
            Choice::AddAnother => another(&name, |name| {
                let words = ClockWords { name: name.to_owned(), ..words.clone() };
                Sink::add_clock(&*self.intake, words)
            })?,
        };
        self.tell_another("clock", &name, &recorded);
        self.clocks.push(Added { number, name, words, is_present: true });
        Ok(number)
    }

    fn add_stream(&mut self, words: StreamWords) -> Result<u32, Refusal> {
        let name = label(&words);
        let before = self.streams.iter_mut().filter(|s| s.name == name);
        let (number, recorded) = match choose(before, |before| is_same_stream(&words, before)) {
            Choice::Continue(number) => {
                // What the process before said of it is over.
                self.intake.set_state(number, State::Idle, "")?;
                return Ok(number);
            }
            Choice::Add => (Sink::add_stream(&*self.intake, words.clone())?, name.clone()),
            Choice::AddAnother => another(&name, |label| {
                let words = StreamWords { label: label.to_owned(), ..words.clone() };
                Sink::add_stream(&*self.intake, words)
            })?,
        };
        self.tell_another("stream", &name, &recorded);
        self.streams.push(Added { number, name, words, is_present: true });
        Ok(number)
    }

    fn tell_another(&self, what: &str, name: &str, recorded: &str) {
        if name != recorded {
            let text =
                format!("{what} {name} is another than before the restart, and is recorded as {recorded}");
            self.intake.log(Level::Warning, &text);
        }
    }
}

/// What to do with what has the name of something that was added before.
enum Choice {
    Continue(u32),
    Add,
    AddAnother,
}

fn choose<'a, W: 'a>(before: impl Iterator<Item = &'a mut Added<W>>, is_same: impl Fn(&W) -> bool) -> Choice {
    let mut choice = Choice::Add;
    for added in before {
        if added.is_present {
            // The recording refuses the second of a name, and says so.
            return Choice::Add;
        }
        if is_same(&added.words) {
            added.is_present = true;
            return Choice::Continue(added.number);
        }
        choice = Choice::AddAnother;
    }
    choice
}

/// Add something under a name that is free: its number and that name.
fn another(name: &str, mut add: impl FnMut(&str) -> Result<u32, Refusal>) -> Result<(u32, String), Refusal> {
    let mut number = 2;
    loop {
        let tried = format!("{name} {number}");
        match add(&tried) {
            Ok(added) => return Ok((added, tried)),
            Err(Refusal::Invalid(_)) if number < NAMES => number += 1,
            Err(refusal) => return Err(refusal),
        }
    }
}

fn answer(answers: &mut Vec<u8>, call: u32, result: Result<Answer<'_>, &Refusal>) {
    let why;
    let answer = match result {
        Ok(answer) => answer,
        Err(refusal) => {
            why = refusal.to_string();
            Answer::Refused(crate::host::callbacks::status_of(refusal), &why)
        }
    };
    // It is short: of a name, or of a reason that was cut.
    let _ = FromParent::Answer { call, answer }.encode(answers);
}

fn human(text: &str) -> String {
    readable(text.as_bytes())
}

fn state_of(number: u8) -> Option<State> {
    let all = [
        State::Idle,
        State::Connecting,
        State::Streaming,
        State::Degraded,
        State::Lost,
        State::Finished,
        State::Failed,
    ];
    all.into_iter().find(|state| *state as u8 == number)
}

fn level_of(number: u8) -> Level {
    let all = [Level::Debug, Level::Info, Level::Warning, Level::Error];
    all.into_iter().find(|level| *level as u8 == number).unwrap_or(Level::Debug)
}

#[cfg(test)]
mod tests;
