//! Whose clock a stream has, and when it can be recorded.

use std::time::Instant;

use lockstep_plugin_api::{Corridor, Error, Exchange, LogLevel};

use super::Hub;
use super::slot::{self, Look};
use crate::clock::Report;
use crate::describe;
use crate::recorded::Recorded;

impl Hub {
    /// Have the clock of a stream's outlet looked at.
    pub(super) fn look(&mut self, number: usize) -> Result<(), Error> {
        let (Some(entry), Some(slot)) = (self.registry.entries.get(number), self.slots.get_mut(number))
        else {
            return Ok(());
        };
        self.last_look += 1;
        self.looks.retain(|_, of| *of != number);
        slot.look = Look::Waiting(Instant::now());
        if let Some(at) = entry.outlet.time_service {
            self.looks.insert(self.last_look, number);
            self.clocks.look(self.last_look, at);
        } else {
            self.looked(number, Vec::new())?;
        }
        Ok(())
    }

    pub(super) fn report(&mut self, report: Report) -> Result<(), Error> {
        match report {
            Report::Measured { number, corridor } => self.clocks.seen(number, corridor),
            Report::Looked { token, exchanges } => {
                let Some(number) = self.looks.remove(&token) else { return Ok(()) };
                self.looked(number, exchanges)?;
            }
        }
        Ok(())
    }

    pub(super) fn looked(&mut self, number: usize, exchanges: Vec<Exchange>) -> Result<(), Error> {
        let Some(slot) = self.slots.get_mut(number) else { return Ok(()) };
        match slot.recorded.as_ref().map(|r| r.clock) {
            None => slot.look = Look::Done(exchanges),
            Some(clock) => {
                slot.look = Look::Done(Vec::new());
                self.compare_clock(number, clock, &exchanges)?;
            }
        }
        self.record_if_ready(number)?;
        self.update_clocks();
        Ok(())
    }

    /// A stream has another outlet: is its clock still the one it was?
    fn compare_clock(&mut self, number: usize, clock: usize, looked: &[Exchange]) -> Result<(), Error> {
        let Some(entry) = self.registry.entries.get(number) else { return Ok(()) };
        let (now, before) = (Corridor::new(looked, 0.0), self.clocks.get(clock).and_then(|c| c.corridor));
        let shift = match (before, now) {
            (Some(before), Some(now)) if before.agrees(&now) => return self.clocks.measured(clock, looked),
            (None, None) => return Ok(()),
            (None, Some(_)) => "the clock before could not be measured".to_owned(),
            (Some(before), Some(now)) => {
                format!("its clock is off by {:+.6} s against before", before.middle_s() - now.middle_s())
            }
            (Some(_), None) => "its time service does not answer, so its clock may be another".to_owned(),
        };
        // One that the network does not show any more only seems to be there.
        let others = self.slots.iter().zip(&self.registry.entries).enumerate().any(|(n, (slot, other))| {
            let is_there = n != number && slot.is_streaming() && other.missed == 0;
            is_there && slot.recorded.as_ref().is_some_and(|r| r.clock == clock)
        });
        let reason = format!("{} has another outlet ({}); {shift}", entry.label, entry.outlet.hostname);
        if !others {
            self.clocks.reset(clock, &reason)?;
            return self.clocks.measured(clock, looked);
        }
        if now.is_none() {
            // The machine's clock goes on being measured by its other outlets.
            self.host.log(
                LogLevel::Warn,
                &format!("{reason}; it is taken for that of its machine's other streams"),
            );
            return Ok(());
        }
        // Others are still stamped by that clock, so this stream goes on as a stream of its own.
        self.host.log(LogLevel::Warn, &format!("{reason}: it goes on as a stream of its own"));
        let outlet = entry.outlet.clone();
        let label = self.registry.new_label(&outlet);
        if let Some(entry) = self.registry.entries.get_mut(number) {
            entry.label = label;
        }
        if let Some(slot) = self.slots.get_mut(number) {
            if let Some(mut recorded) = slot.recorded.take() {
                recorded.finish("it goes on as another stream, for its clock is another");
            }
            // Its description is another as well.
            slot.close(self.poll.registry());
            (slot.look, slot.description) = (Look::Done(looked.to_vec()), None);
        }
        Ok(())
    }

    /// Add the stream to the recording when all that its header needs is known.
    pub(super) fn record_if_ready(&mut self, number: usize) -> Result<(), Error> {
        let (Some(entry), Some(slot)) = (self.registry.entries.get(number), self.slots.get_mut(number))
        else {
            return Ok(());
        };
        let (None, Some(description), Look::Done(looked)) = (&slot.recorded, &slot.description, &slot.look)
        else {
            return Ok(());
        };
        if let Some(changed) = description.changed {
            self.host.log(LogLevel::Warn, &format!("{}: its description: {changed}", entry.label));
        }
        let clock = match self.clocks.of(&entry.outlet, looked) {
            Ok(clock) => clock,
            Err(Error::NotRunning) => return Err(Error::NotRunning),
            Err(error) => {
                slot.warn(self.host, &entry.label, &format!("the recorder refuses its clock: {error}"));
                slot.retry_later();
                return Ok(());
            }
        };
        let Some(shared) = self.clocks.get(clock) else { return Ok(()) };
        let is_required = self.registry.is_required(entry);
        let header = &description.inside;
        let stream = match slot::add_stream(self.host, entry, is_required, header, &shared.handle()) {
            Ok(stream) => stream,
            Err(Error::NotRunning) => return Err(Error::NotRunning),
            Err(error) => {
                let plain = describe::announced(&entry.outlet);
                if plain.inside == description.inside {
                    slot.refused(&format!("the recorder refuses it: {error}"));
                    return Ok(());
                }
                // A description that cannot be kept must not cost the samples.
                let text = format!("{}: its description cannot be kept ({error})", entry.label);
                self.host.log(LogLevel::Warn, &text);
                slot.description = Some(plain);
                return self.record_if_ready(number);
            }
        };
        slot.recorded = Some(Recorded::new(stream, &entry.label, clock, &entry.outlet.uid));
        slot.look = Look::Done(Vec::new());
        slot.retry_now();
        Ok(())
    }

    /// Which time services can be asked now, of each clock.
    pub(super) fn update_clocks(&mut self) {
        let mut members = vec![Vec::new(); self.clocks.len()];
        for (slot, entry) in self.slots.iter().zip(&self.registry.entries) {
            if let (Some(recorded), true, Some(at)) =
                (&slot.recorded, slot.is_streaming() && slot.look.is_done(), entry.outlet.time_service)
                && let Some(members) = members.get_mut(recorded.clock)
            {
                members.push(at);
            }
        }
        for (number, members) in members.into_iter().enumerate() {
            self.clocks.ask_at(number, members);
        }
    }
}
