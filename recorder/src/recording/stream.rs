//! One stream on its way in: samples are encoded under a short lock by the
//! thread that pushes them, into a buffer the writer swaps out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

use lockstep_xdf::{ChannelFormat, EncodeError, SampleBlock, SampleEncoder};
use parking_lot::Mutex;

use super::clock::ClockIntake;
use super::state::StateCell;

/// A bound, in bytes, on what one source may have waiting for the writer.
#[derive(Debug)]
pub struct Budget {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
}

impl Budget {
    /// At most `limit_bytes` may wait.
    pub fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self { limit_bytes, used_bytes: AtomicUsize::new(0) })
    }

    /// Take `bytes` of the bound, if there are as many left.
    fn reserve(&self, bytes: usize) -> bool {
        let limited = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit_bytes);
        self.used_bytes.fetch_update(Relaxed, Relaxed, limited).is_ok()
    }

    fn release(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Relaxed);
    }

    /// Part of the bound that is used, 0 to 1.
    pub fn fill(&self) -> f64 {
        self.used_bytes.load(Relaxed) as f64 / self.limit_bytes.max(1) as f64
    }
}

/// What a stream is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Samples of a device.
    Data,
    /// The exchanges of a clock.
    Exchanges,
    /// The recorder's own events.
    Events,
}

/// What a stream is, settled when it is added.
#[derive(Debug)]
pub struct StreamSpec {
    /// Name of its source; empty: the recorder's own.
    pub source: String,
    /// Name, as the header has it. Streams of another recording system may share one.
    pub name: String,
    /// What the operator sees, and what events call it: unique within its source, and mostly the name.
    pub label: String,
    /// XDF's `type`.
    pub kind: String,
    /// Format of its values.
    pub format: ChannelFormat,
    /// Values of each sample.
    pub channel_count: usize,
    /// Samples a second; 0: irregular.
    pub nominal_rate_hz: f64,
    /// It may send nothing for long, as event markers do: nobody waits for it.
    pub may_be_silent: bool,
    /// The clock that stamps it; `None`: recorder time.
    pub clock: Option<Arc<ClockIntake>>,
    /// What it is there for.
    pub role: Role,
}

/// What was counted of a stream. All are totals since it was added.
#[derive(Debug, Default)]
pub struct Counters {
    /// Samples taken in.
    pub received: AtomicU64,
    /// Samples dropped because the queue was full.
    pub dropped: AtomicU64,
    /// Samples refused because they could not be recorded (wrong sizes, stamps that are no numbers).
    pub rejected: AtomicU64,
    /// Samples the source says it never got.
    pub lost: AtomicU64,
    /// Gaps of unknown size the source reported.
    pub gaps_of_unknown_size: AtomicU64,
    /// Stamps that were earlier than the one before.
    pub backwards: AtomicU64,
    /// When samples last came in, nanoseconds of recorder time; 0: never.
    pub newest_ns: AtomicI64,
    /// Whether its first samples are on the disk, not only with the operating system.
    pub on_disk: AtomicBool,
}

/// What became of pushed samples.
#[derive(Debug, PartialEq)]
pub enum Push {
    /// They wait for the writer, who should be woken now when there are many.
    Queued {
        /// A block has become full.
        wake_writer: bool,
    },
    /// No room: counted as dropped.
    Dropped,
    /// Cannot be recorded: counted as rejected.
    Rejected(Rejected),
    /// The source has stopped: not recorded, and not counted as received.
    Closed,
}

/// Add to a count that never wraps.
pub fn count(counter: &AtomicU64, more: u64) {
    // The closure always gives a value, so there is no failure to tell.
    let _ = counter.fetch_update(Relaxed, Relaxed, |n| Some(n.saturating_add(more)));
}

/// Why samples cannot be recorded.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejected {
    /// A stamp is not a finite number.
    #[error("the timestamp of sample {index} of the chunk is {value}, not a number of seconds")]
    Stamp {
        /// Which sample of the chunk, from 0.
        index: usize,
        /// The stamp.
        value: f64,
    },
    /// Counts and sizes do not agree, or the format is another.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// A block is full from this size on: it becomes one chunk of the file, small
/// enough to stay in the processor's cache on its way, and wakes the writer.
const BLOCK_BYTES: usize = 256 << 10;
/// Emptied blocks a stream keeps for its next samples.
const SPARE_BLOCKS: usize = 4;

#[derive(Debug)]
struct Buffer {
    encoder: SampleEncoder,
    last_timestamp_s: f64,
    full: VecDeque<SampleBlock>,
    spare: Vec<SampleBlock>,
    closed: bool,
}

impl Buffer {
    /// Close the block that is being filled and begin another.
    fn next_block(&mut self) -> SampleBlock {
        let spare = self.spare.pop().unwrap_or_default();
        self.encoder.take(spare)
    }
}

/// One stream on its way in.
#[derive(Debug)]
pub struct StreamIntake {
    /// Stream id in the file.
    pub id: u32,
    /// What it is.
    pub spec: StreamSpec,
    /// Its header, ready to be written.
    pub header_xml: String,
    /// What was counted.
    pub counters: Counters,
    /// Its state, where the source says one for it.
    pub state: StateCell,
    budget: Arc<Budget>,
    buffer: Mutex<Buffer>,
}

impl StreamIntake {
    /// A stream with nothing in it.
    pub fn new(id: u32, spec: StreamSpec, header_xml: String, budget: Arc<Budget>) -> Self {
        let encoder = SampleEncoder::new(spec.format, spec.channel_count, spec.nominal_rate_hz);
        let buffer = Mutex::new(Buffer {
            encoder,
            last_timestamp_s: f64::NEG_INFINITY,
            full: VecDeque::new(),
            spare: Vec::new(),
            closed: false,
        });
        Self {
            id,
            spec,
            header_xml,
            counters: Counters::default(),
            state: StateCell::default(),
            budget,
            buffer,
        }
    }

    /// Take in samples of a numeric format: a stamp each, values sample-major in
    /// native byte order.
    pub fn push_numbers(&self, timestamps_s: &[f64], data: &[u8], now_ns: i64) -> Push {
        let bytes = 9 * timestamps_s.len() + data.len();
        self.push(timestamps_s, bytes, now_ns, |encoder| encoder.push(timestamps_s, data))
    }

    /// Take in samples of strings: a stamp each, values sample-major. They ought to be UTF-8, and are
    /// recorded as they are: to change or refuse them would lose what a device said.
    pub fn push_strings(&self, timestamps_s: &[f64], values: &[&[u8]], now_ns: i64) -> Push {
        let bytes = 9 * timestamps_s.len() + values.iter().map(|v| v.len() + 9).sum::<usize>();
        self.push(timestamps_s, bytes, now_ns, |encoder| {
            encoder.push_strings(timestamps_s, values.iter().copied())
        })
    }

    fn push(
        &self,
        timestamps_s: &[f64],
        at_most_bytes: usize,
        now_ns: i64,
        encode: impl FnOnce(&mut SampleEncoder) -> Result<(), EncodeError>,
    ) -> Push {
        let samples = timestamps_s.len() as u64;
        if let Some(index) = timestamps_s.iter().position(|t| !t.is_finite()) {
            count(&self.counters.rejected, samples);
            return Push::Rejected(Rejected::Stamp { index, value: timestamps_s[index] });
        }
        if !self.budget.reserve(at_most_bytes) {
            count(&self.counters.dropped, samples);
            return Push::Dropped;
        }
        let mut buffer = self.buffer.lock();
        if buffer.closed {
            self.budget.release(at_most_bytes);
            return Push::Closed;
        }
        let before = buffer.encoder.pending_bytes();
        if let Err(error) = encode(&mut buffer.encoder) {
            self.budget.release(at_most_bytes);
            count(&self.counters.rejected, samples);
            return Push::Rejected(error.into());
        }
        let after = buffer.encoder.pending_bytes();
        let mut previous_s = buffer.last_timestamp_s;
        let mut backwards = 0;
        for &timestamp_s in timestamps_s {
            backwards += u64::from(timestamp_s < previous_s);
            previous_s = timestamp_s;
        }
        buffer.last_timestamp_s = previous_s;
        let wake_writer = after >= BLOCK_BYTES;
        if wake_writer {
            let block = buffer.next_block();
            buffer.full.push_back(block);
        }
        // All of it under the lock: the writer gives back only what was reserved, and whoever
        // sees the samples in the file sees them counted.
        self.budget.release(at_most_bytes.saturating_sub(after - before));
        if backwards > 0 {
            count(&self.counters.backwards, backwards);
        }
        self.counters.received.fetch_add(samples, Relaxed);
        self.counters.newest_ns.store(now_ns, Relaxed);
        drop(buffer);
        Push::Queued { wake_writer }
    }

    /// The clock that stamps it began anew: that the next stamp is below the last one is no going back.
    pub fn begin_time_line(&self) {
        self.buffer.lock().last_timestamp_s = f64::NEG_INFINITY;
    }

    /// Take nothing more. When this returns, nothing is on its way in.
    pub fn close(&self) {
        self.buffer.lock().closed = true;
    }

    /// Take out what waits, oldest first, for the writer.
    pub fn take(&self, out: &mut Vec<SampleBlock>) {
        let mut buffer = self.buffer.lock();
        out.extend(buffer.full.drain(..));
        if buffer.encoder.pending_samples() > 0 {
            out.push(buffer.next_block());
        }
    }

    /// The writer is done with a block.
    pub fn give_back(&self, mut block: SampleBlock) {
        self.budget.release(block.body.len());
        block.clear();
        if block.body.capacity() > 2 * BLOCK_BYTES {
            return;
        }
        let mut buffer = self.buffer.lock();
        if buffer.spare.len() < SPARE_BLOCKS {
            buffer.spare.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(limit_bytes: usize) -> StreamIntake {
        let spec = StreamSpec {
            source: "src".to_owned(),
            name: "s".to_owned(),
            label: "s".to_owned(),
            kind: String::new(),
            format: ChannelFormat::Int16,
            channel_count: 2,
            nominal_rate_hz: 0.0,
            may_be_silent: false,
            clock: None,
            role: Role::Data,
        };
        StreamIntake::new(1, spec, String::new(), Budget::new(limit_bytes))
    }

    fn taken(stream: &StreamIntake) -> Vec<SampleBlock> {
        let mut blocks = Vec::new();
        stream.take(&mut blocks);
        blocks
    }

    #[test]
    fn a_full_block_wakes_the_writer_and_blocks_come_out_in_order() {
        let stream = stream(usize::MAX);
        let push = |at_s: f64| stream.push_numbers(&[at_s; 4096], &[0; 4 * 4096], 0);
        let woken: Vec<bool> =
            (0..12).map(|i| push(f64::from(i)) == Push::Queued { wake_writer: true }).collect();
        // 4096 samples of 13 bytes each: the fifth push fills a block.
        let expected: Vec<bool> = (0..12).map(|i| i % 5 == 4).collect();
        assert_eq!(woken, expected);
        let firsts: Vec<_> = taken(&stream).iter().map(|b| b.first_timestamp_s).collect();
        assert_eq!(firsts, [Some(0.0), Some(5.0), Some(10.0)]);
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_takes_again_when_emptied() {
        let stream = stream(30);
        let queued = Push::Queued { wake_writer: false };
        assert_eq!(stream.push_numbers(&[1.0, 2.0], &[0; 8], 5), queued); // 26 bytes
        assert_eq!(stream.push_numbers(&[3.0], &[0; 4], 6), Push::Dropped);
        let mut blocks = taken(&stream);
        assert_eq!(blocks.iter().map(|b| (b.sample_count, b.body.len())).collect::<Vec<_>>(), [(2, 26)]);
        assert_eq!(stream.push_numbers(&[3.0], &[0; 4], 6), Push::Dropped, "until it is written");
        stream.give_back(blocks.remove(0));
        assert_eq!(stream.push_numbers(&[4.0], &[0; 4], 7), queued);
        assert_eq!(stream.counters.received.load(Relaxed), 3);
        assert_eq!(stream.counters.dropped.load(Relaxed), 2);
        assert_eq!(stream.counters.newest_ns.load(Relaxed), 7);
    }

    #[test]
    fn what_cannot_be_recorded_is_rejected_whole_and_counted() {
        let stream = stream(1000);
        let nan = stream.push_numbers(&[1.0, f64::NAN], &[0; 8], 0);
        assert!(matches!(nan, Push::Rejected(Rejected::Stamp { index: 1, .. })), "{nan:?}");
        let short = stream.push_numbers(&[1.0, 2.0], &[0; 7], 0);
        assert!(matches!(short, Push::Rejected(Rejected::Encode(_))), "{short:?}");
        let text = stream.push_strings(&[1.0], &[b"a", b"b"], 0);
        assert!(matches!(text, Push::Rejected(Rejected::Encode(_))), "{text:?}");
        assert_eq!(stream.counters.rejected.load(Relaxed), 5);
        assert!(taken(&stream).is_empty());
        assert_eq!(stream.budget.fill(), 0.0);
    }

    #[test]
    fn stamps_that_go_back_are_kept_and_counted() {
        let stream = stream(1000);
        stream.push_numbers(&[5.0, 4.0], &[0; 8], 0);
        stream.push_numbers(&[3.0, 3.0, 9.0], &[0; 12], 0);
        assert_eq!(stream.counters.backwards.load(Relaxed), 2);
        assert_eq!(taken(&stream)[0].sample_count, 5);
    }
}

#[cfg(test)]
mod race {
    use std::sync::Arc;

    use super::*;

    /// The writer gives blocks back while others push: with room for everything, nothing may be
    /// dropped, and in the end all room is free again.
    #[test]
    fn concurrent_pushes_and_give_backs_never_drop_while_there_is_room() {
        let budget = Budget::new(64 << 20);
        let streams: Vec<Arc<StreamIntake>> = (0..4)
            .map(|id| {
                let spec = StreamSpec {
                    source: String::new(),
                    name: format!("s{id}"),
                    label: format!("s{id}"),
                    kind: String::new(),
                    format: ChannelFormat::Int8,
                    channel_count: 1,
                    nominal_rate_hz: 0.0,
                    may_be_silent: false,
                    clock: None,
                    role: Role::Data,
                };
                Arc::new(StreamIntake::new(id, spec, String::new(), Arc::clone(&budget)))
            })
            .collect();
        let pushes = 20_000u64;
        std::thread::scope(|scope| {
            for stream in &streams {
                scope.spawn(move || {
                    for i in 0..pushes {
                        let push = stream.push_numbers(&[i as f64], &[0], 1);
                        assert!(matches!(push, Push::Queued { .. }), "{push:?}");
                    }
                    stream.close();
                    assert_eq!(stream.push_numbers(&[0.0], &[0], 1), Push::Closed);
                });
            }
            scope.spawn(|| {
                let mut seen = 0;
                let mut blocks = Vec::new();
                while seen < pushes * streams.len() as u64 {
                    for stream in &streams {
                        stream.take(&mut blocks);
                        for block in blocks.drain(..) {
                            seen += block.sample_count;
                            stream.give_back(block);
                        }
                    }
                    std::thread::yield_now();
                }
            });
        });
        assert_eq!(budget.fill(), 0.0);
    }
}
