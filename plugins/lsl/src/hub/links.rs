//! Connections: opened, read, given up.

use std::io;
use std::time::{Duration, Instant};

use lockstep_plugin_api::{Error, LogLevel};
use mio::{Events, Token};

use super::slot::{Link, Stage};
use super::{Hub, READ_BYTES};
use crate::connection::{Connection, Got};
use crate::decode::Unreadable;
use crate::describe;
use crate::handshake::Handshake;

/// Bytes read of one stream before the others have their turn.
const TURN_BYTES: usize = 4 << 20;
/// An outlet that has sent nothing for so long is told of.
const ANSWER_S: f64 = 3.0;
/// One that has sent nothing for so long is tried again.
const GIVE_UP_S: f64 = 6.0;
/// A description that is not complete by now is given up, too.
const LONGEST_ANSWER: Duration = Duration::from_secs(120);

impl Hub {
    /// Open what is to be opened, give up what does not answer.
    pub(super) fn links(&mut self) -> Result<(), Error> {
        for number in 0..self.slots.len() {
            if self.slots.get(number).is_some_and(|slot| slot.look.is_lost()) {
                self.looks.retain(|_, of| *of != number);
                self.looked(number, Vec::new())?;
            }
            let (Some(slot), Some(entry)) = (self.slots.get_mut(number), self.registry.entries.get(number))
            else {
                continue;
            };
            match &slot.link {
                Link::Idle { .. } if entry.is_out_of_sight() => slot.link = Link::Gone,
                Link::Idle { retry } if *retry <= Instant::now() => self.connect(number),
                Link::Open { connection, stage } if !matches!(stage, Stage::Streaming(_)) => {
                    let waited_s = connection.received.elapsed().as_secs_f64();
                    if connection.opened.elapsed() > LONGEST_ANSWER {
                        self.lose(number, "its outlet takes too long to answer")?;
                        continue;
                    }
                    if waited_s > ANSWER_S {
                        let text =
                            "it is on the network, but its outlet does not answer; is a firewall between?";
                        slot.warn(self.host, &entry.label, text);
                    }
                    if waited_s > GIVE_UP_S {
                        self.lose(number, "its outlet does not answer")?;
                    }
                }
                Link::Open { stage: Stage::Streaming(_), .. } => slot.expect_samples(self.host, entry),
                _ => {}
            }
        }
        Ok(())
    }

    fn connect(&mut self, number: usize) {
        let (Some(slot), Some(entry)) = (self.slots.get_mut(number), self.registry.entries.get(number))
        else {
            return;
        };
        let (stage, request) = if slot.recorded.is_some() {
            let (handshake, request) = Handshake::new(&entry.outlet, &self.hostname);
            (Stage::Opening(Box::new(handshake)), request)
        } else if slot.description.is_none() {
            (Stage::Describing(Vec::new()), describe::REQUEST.to_vec())
        } else {
            return slot.retry_later();
        };
        let opened = match entry.outlet.data {
            Some(at) => Connection::open(at, request, self.poll.registry(), Token(number)),
            None => Err(io::Error::other("it does not say where its data are")),
        };
        match opened {
            Ok(connection) => slot.link = Link::Open { connection, stage },
            Err(error) => slot.failed(&format!("cannot connect: {error}")),
        }
    }

    /// Look at all connections, and read what there is; the most bytes of one of them.
    pub(super) fn round(&mut self, events: &mut Events) -> Result<usize, Error> {
        if let Err(error) = self.poll.poll(events, Some(Duration::ZERO))
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in events.iter() {
            let number = event.token().0;
            let Some(Link::Open { connection, .. }) = self.slots.get_mut(number).map(|s| &mut s.link) else {
                continue;
            };
            connection.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
            connection.ended |= event.is_read_closed();
            if event.is_writable()
                && let Err(error) = connection.writable()
            {
                self.lose(number, &format!("cannot connect: {error}"))?;
            }
        }
        let mut most = 0;
        for number in 0..self.slots.len() {
            let reads = self.slots.get(number).is_some_and(|slot| slot.look.is_done() && slot.is_readable());
            if reads {
                most = most.max(self.read(number)?);
            }
        }
        Ok(most)
    }

    /// Read what one connection has.
    fn read(&mut self, number: usize) -> Result<usize, Error> {
        let mut turn = 0;
        while turn < TURN_BYTES {
            let Some(slot) = self.slots.get_mut(number) else { break };
            let Link::Open { connection, stage } = &mut slot.link else { break };
            if !connection.readable {
                break;
            }
            let left = match stage {
                Stage::Streaming(left) => std::mem::take(left),
                _ => Vec::new(),
            };
            // What is left of a sample stands before its rest. A text may be longer than the buffer.
            let wanted = left.len() + READ_BYTES.max(left.len());
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted, 0);
            }
            let (before, free) = self.buffer.split_at_mut(left.len());
            before.copy_from_slice(&left);
            let got = connection.read(free.get_mut(..READ_BYTES.max(left.len())).unwrap_or_default());
            let count = match got {
                Ok(Got::Bytes(count)) => count,
                Ok(Got::Nothing) => {
                    if let Stage::Streaming(kept) = stage {
                        *kept = left;
                    }
                    break;
                }
                Ok(Got::End) => {
                    self.ended(number)?;
                    break;
                }
                Err(error) => {
                    self.lose(number, &format!("the connection is lost: {error}"))?;
                    break;
                }
            };
            turn += count;
            let end = left.len() + count;
            self.take(number, end)?;
        }
        // One long text must not keep its room for ever.
        if self.buffer.len() > 4 * READ_BYTES {
            self.buffer.truncate(READ_BYTES);
            self.buffer.shrink_to_fit();
        }
        Ok(turn)
    }

    /// The first `end` bytes of the buffer were received by a connection.
    fn take(&mut self, number: usize, end: usize) -> Result<(), Error> {
        let (host, now_s) = (self.host, self.host.now_s());
        let (Some(slot), Some(entry)) = (self.slots.get_mut(number), self.registry.entries.get_mut(number))
        else {
            return Ok(());
        };
        let Link::Open { stage, .. } = &mut slot.link else { return Ok(()) };
        let received = self.buffer.get(..end).unwrap_or_default();
        let samples: Vec<u8>;
        let mut is_new = false;
        let bytes = match stage {
            Stage::Describing(so_far) => {
                so_far.extend_from_slice(received);
                if so_far.len() > describe::MAX_BYTES {
                    self.ended(number)?;
                }
                return Ok(());
            }
            Stage::Opening(handshake) => match handshake.receive(received) {
                Ok(None) => return Ok(()),
                Ok(Some(opened)) => {
                    if let Some(recorded) = &mut slot.recorded {
                        recorded.open(&entry.outlet, opened.swapped, now_s)?;
                    }
                    slot.opened();
                    entry.connected = true;
                    is_new = true;
                    samples = opened.rest;
                    &samples
                }
                Err(why) => {
                    let why = format!("its outlet sends no feed: {why}");
                    slot.warn(host, &entry.label, &why);
                    return self.lose(number, &why);
                }
            },
            Stage::Streaming(_) => received,
        };
        let Some(recorded) = &mut slot.recorded else { return Ok(()) };
        let decoded = match recorded.receive(host, bytes) {
            Ok(decoded) => decoded,
            Err(Error::NotRunning) => return Err(Error::NotRunning),
            Err(error) => Err(Unreadable(error.to_string())),
        };
        match (decoded, &mut slot.link) {
            (Ok(used), Link::Open { stage: Stage::Streaming(left), .. }) => {
                left.clear();
                left.extend_from_slice(bytes.get(used..).unwrap_or_default());
            }
            (Err(unreadable), _) => {
                let why = format!("what its outlet sends cannot be read: {}", unreadable.0);
                slot.warn(host, &entry.label, &why);
                self.lose(number, &why)?;
            }
            (Ok(_), _) => {}
        }
        if is_new {
            self.update_clocks();
        }
        Ok(())
    }

    /// A connection was ended by the outlet.
    fn ended(&mut self, number: usize) -> Result<(), Error> {
        let (Some(slot), Some(entry)) = (self.slots.get_mut(number), self.registry.entries.get(number))
        else {
            return Ok(());
        };
        let Link::Open { stage: Stage::Describing(received), .. } = &mut slot.link else {
            return self.lose(number, "its outlet ended the connection");
        };
        let received = std::mem::take(received);
        slot.close(self.poll.registry());
        match describe::read(&received, &entry.outlet) {
            Ok(description) => {
                slot.description = Some(description);
                slot.well();
            }
            Err(_) if received.is_empty() => slot.failed("its outlet ended the connection"),
            Err(why) => {
                let text = format!("{}: its description cannot be read: {why}", entry.label);
                self.host.log(LogLevel::Warn, &text);
                slot.description = Some(describe::announced(&entry.outlet));
            }
        }
        self.record_if_ready(number)
    }

    /// A connection is of no more use.
    pub(super) fn lose(&mut self, number: usize, why: &str) -> Result<(), Error> {
        let (Some(slot), Some(entry)) = (self.slots.get_mut(number), self.registry.entries.get_mut(number))
        else {
            return Ok(());
        };
        let lasted = slot.streams_for();
        slot.close(self.poll.registry());
        entry.connected = false;
        if let Some(lasted) = lasted {
            slot.feed_ended(lasted);
            if let Some(recorded) = &mut slot.recorded {
                recorded.lose(self.host, why, self.host.now_s())?;
            }
            self.update_clocks();
        } else {
            slot.failed(why);
        }
        Ok(())
    }
}
