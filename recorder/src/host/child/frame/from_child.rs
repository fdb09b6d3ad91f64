//! What a child says.

use super::bytes::{Numbers, Reader, Writer};
use super::{BadFrame, frame};
use crate::host::describe::{ClockWords, StreamWords};
use crate::recording::header::{ChannelInfo, SyncInfo};

/// Who a child is, said first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello<'a> {
    /// What it speaks.
    pub protocol: u32,
    /// Its plugin.
    pub id: &'a str,
    /// The plugin's version.
    pub version: &'a str,
    /// JSON Schema of the options, where there is one.
    pub schema: Option<&'a str>,
}

/// What `create` answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation<'a> {
    /// An instance.
    Ready,
    /// Options are wrong: where, and what.
    BadOptions(Vec<(&'a str, &'a str)>),
    /// It failed otherwise.
    Failed(&'a str),
}

/// What a child says. A `call` is answered with its number.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the members are those of the calls in the header")]
pub enum FromChild<'a> {
    /// Who it is.
    Hello(Hello<'a>),
    /// The plugin cannot be used.
    CannotLoad(&'a str),
    /// What `create` answered.
    Created(Creation<'a>),
    /// `start` has returned: why it failed, if it did.
    Started(Option<&'a str>),
    /// The instance is gone: what went wrong with that.
    Stopped(Option<&'a str>),
    /// It is alive.
    Beat,
    AddClock {
        call: u32,
        words: ClockWords,
    },
    AddStream {
        call: u32,
        words: Box<StreamWords>,
    },
    AddSideFile {
        call: u32,
        what: &'a str,
        suffix: &'a str,
    },
    AppendSideFile {
        call: u32,
        file: u32,
        bytes: &'a [u8],
    },
    Numbers {
        stream: u32,
        stamps_s: Numbers<'a>,
        data: &'a [u8],
    },
    Strings {
        stream: u32,
        stamps_s: Numbers<'a>,
        values: Vec<&'a [u8]>,
    },
    /// Four stamps each.
    Exchanges {
        clock: u32,
        stamps_s: Numbers<'a>,
    },
    ClockReset {
        clock: u32,
        reason: &'a str,
    },
    Gap {
        stream: u32,
        lost: Option<u64>,
        reason: &'a str,
    },
    State {
        stream: u32,
        state: u8,
        reason: &'a str,
    },
    Event {
        stream: u32,
        name: &'a str,
        json: &'a str,
    },
    Log {
        level: u8,
        text: &'a str,
    },
    /// Samples that could not be read.
    Refused {
        stream: u32,
        samples: u64,
    },
    /// Exchanges likewise.
    RefusedExchanges {
        clock: u32,
        count: u64,
    },
    /// Samples that found no room on their way.
    Dropped {
        stream: u32,
        samples: u64,
    },
    /// Exchanges likewise.
    DroppedExchanges {
        clock: u32,
        count: u64,
    },
    /// Lines, states and the like that found none.
    Unsaid {
        count: u64,
    },
}

impl<'a> FromChild<'a> {
    /// Append it as a frame.
    ///
    /// # Errors
    /// It is too long for one; nothing is appended then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), BadFrame> {
        match self {
            Self::Hello(hello) => frame(out, 1, |w| {
                w.u32(hello.protocol);
                w.text(hello.id);
                w.text(hello.version);
                w.option(hello.schema, Writer::text);
            }),
            Self::CannotLoad(why) => frame(out, 2, |w| w.text(why)),
            Self::Created(creation) => frame(out, 3, |w| match creation {
                Creation::Ready => w.u8(0),
                Creation::BadOptions(problems) => {
                    w.u8(1);
                    w.length(problems.len());
                    for (path, message) in problems {
                        w.text(path);
                        w.text(message);
                    }
                }
                Creation::Failed(why) => {
                    w.u8(2);
                    w.text(why);
                }
            }),
            Self::Started(failure) => frame(out, 4, |w| w.option(*failure, Writer::text)),
            Self::Stopped(failure) => frame(out, 5, |w| w.option(*failure, Writer::text)),
            Self::Beat => frame(out, 6, |_| ()),
            Self::AddClock { call, words } => frame(out, 7, |w| {
                w.u32(*call);
                clock(w, words);
            }),
            Self::AddStream { call, words } => frame(out, 8, |w| {
                w.u32(*call);
                stream(w, words);
            }),
            Self::AddSideFile { call, what, suffix } => frame(out, 9, |w| {
                w.u32(*call);
                w.text(what);
                w.text(suffix);
            }),
            Self::AppendSideFile { call, file, bytes } => frame(out, 10, |w| {
                w.u32(*call);
                w.u32(*file);
                w.raw(bytes);
            }),
            Self::Numbers { stream, stamps_s, data } => frame(out, 11, |w| {
                w.u32(*stream);
                w.length(stamps_s.count());
                w.raw(stamps_s.as_bytes());
                w.raw(data);
            }),
            Self::Strings { stream, stamps_s, values } => frame(out, 12, |w| {
                w.u32(*stream);
                w.length(stamps_s.count());
                w.raw(stamps_s.as_bytes());
                w.length(values.len());
                values.iter().for_each(|value| w.bytes(value));
            }),
            Self::Exchanges { clock, stamps_s } => frame(out, 13, |w| {
                w.u32(*clock);
                w.raw(stamps_s.as_bytes());
            }),
            Self::ClockReset { clock, reason } => frame(out, 14, |w| {
                w.u32(*clock);
                w.text(reason);
            }),
            Self::Gap { stream, lost, reason } => frame(out, 15, |w| {
                w.u32(*stream);
                w.option(*lost, Writer::u64);
                w.text(reason);
            }),
            Self::State { stream, state, reason } => frame(out, 16, |w| {
                w.u32(*stream);
                w.u8(*state);
                w.text(reason);
            }),
            Self::Event { stream, name, json } => frame(out, 17, |w| {
                w.u32(*stream);
                w.text(name);
                w.text(json);
            }),
            Self::Log { level, text } => frame(out, 18, |w| {
                w.u8(*level);
                w.text(text);
            }),
            Self::Refused { stream, samples } => counted(out, 19, *stream, *samples),
            Self::RefusedExchanges { clock, count } => counted(out, 20, *clock, *count),
            Self::Dropped { stream, samples } => counted(out, 21, *stream, *samples),
            Self::DroppedExchanges { clock, count } => counted(out, 22, *clock, *count),
            Self::Unsaid { count } => frame(out, 23, |w| w.u64(*count)),
        }
    }

    /// What a frame without its length says.
    ///
    /// # Errors
    /// It is none of a child's.
    pub fn decode(frame: &'a [u8]) -> Result<Self, BadFrame> {
        let mut r = Reader(frame);
        let kind = r.u8()?;
        let said = match kind {
            1 => Self::Hello(Hello {
                protocol: r.u32()?,
                id: r.text()?,
                version: r.text()?,
                schema: r.option(Reader::text)?,
            }),
            2 => Self::CannotLoad(r.text()?),
            3 => Self::Created(match r.u8()? {
                0 => Creation::Ready,
                1 => Creation::BadOptions(r.list(8, |r| Ok((r.text()?, r.text()?)))?),
                2 => Creation::Failed(r.text()?),
                other => return Err(BadFrame::Number(other.into())),
            }),
            4 => Self::Started(r.option(Reader::text)?),
            5 => Self::Stopped(r.option(Reader::text)?),
            6 => Self::Beat,
            7 => Self::AddClock { call: r.u32()?, words: read_clock(&mut r)? },
            8 => Self::AddStream { call: r.u32()?, words: Box::new(read_stream(&mut r)?) },
            9 => Self::AddSideFile { call: r.u32()?, what: r.text()?, suffix: r.text()? },
            10 => Self::AppendSideFile { call: r.u32()?, file: r.u32()?, bytes: std::mem::take(&mut r.0) },
            11 => {
                let (stream, count) = (r.u32()?, r.u32()? as usize);
                Self::Numbers { stream, stamps_s: r.numbers(count)?, data: std::mem::take(&mut r.0) }
            }
            12 => {
                let (stream, count) = (r.u32()?, r.u32()? as usize);
                Self::Strings { stream, stamps_s: r.numbers(count)?, values: r.list(4, Reader::bytes)? }
            }
            13 => {
                let (clock, stamps) = (r.u32()?, std::mem::take(&mut r.0));
                if !stamps.len().is_multiple_of(4 * size_of::<f64>()) {
                    return Err(BadFrame::Short);
                }
                Self::Exchanges { clock, stamps_s: Numbers::of_bytes(stamps) }
            }
            14 => Self::ClockReset { clock: r.u32()?, reason: r.text()? },
            15 => Self::Gap { stream: r.u32()?, lost: r.option(Reader::u64)?, reason: r.text()? },
            16 => Self::State { stream: r.u32()?, state: r.u8()?, reason: r.text()? },
            17 => Self::Event { stream: r.u32()?, name: r.text()?, json: r.text()? },
            18 => Self::Log { level: r.u8()?, text: r.text()? },
            19 => Self::Refused { stream: r.u32()?, samples: r.u64()? },
            20 => Self::RefusedExchanges { clock: r.u32()?, count: r.u64()? },
            21 => Self::Dropped { stream: r.u32()?, samples: r.u64()? },
            22 => Self::DroppedExchanges { clock: r.u32()?, count: r.u64()? },
            23 => Self::Unsaid { count: r.u64()? },
            other => return Err(BadFrame::Kind(other)),
        };
        r.end()?;
        Ok(said)
    }
}

fn counted(out: &mut Vec<u8>, kind: u8, of: u32, count: u64) -> Result<(), BadFrame> {
    frame(out, kind, |w| {
        w.u32(of);
        w.u64(count);
    })
}

fn clock(w: &mut Writer<'_>, words: &ClockWords) {
    w.u32(words.domain);
    w.u32(words.stamp);
    w.f64(words.resolution_s);
    w.f64(words.interval_s);
    w.text(&words.name);
}

fn read_clock(r: &mut Reader<'_>) -> Result<ClockWords, BadFrame> {
    Ok(ClockWords {
        domain: r.u32()?,
        stamp: r.u32()?,
        resolution_s: r.f64()?,
        interval_s: r.f64()?,
        name: r.owned()?,
    })
}

fn stream(w: &mut Writer<'_>, words: &StreamWords) {
    w.u32(words.format);
    w.u32(words.channel_count);
    w.u32(words.clock);
    w.f64(words.nominal_rate_hz);
    w.u8(words.may_be_silent.into());
    let texts =
        [&words.name, &words.kind, &words.source_id, &words.label, &words.desc_xml, &words.origin_xml];
    texts.iter().for_each(|text| w.text(text));
    w.option(words.channels.as_ref(), |w, channels| {
        w.length(channels.len());
        for channel in channels {
            [&channel.label, &channel.unit, &channel.kind].iter().for_each(|text| w.text(text));
        }
    });
    w.option(words.synchronization, |w, timing| {
        let numbers = [
            timing.offset_mean_s,
            timing.offset_rms_s,
            timing.offset_median_s,
            timing.offset_5_centile_s,
            timing.offset_95_centile_s,
        ];
        numbers.into_iter().for_each(|number| w.option(number, Writer::f64));
        w.option(timing.can_drop_samples, |w, can| w.u8(can.into()));
    });
}

fn read_stream(r: &mut Reader<'_>) -> Result<StreamWords, BadFrame> {
    Ok(StreamWords {
        format: r.u32()?,
        channel_count: r.u32()?,
        clock: r.u32()?,
        nominal_rate_hz: r.f64()?,
        may_be_silent: r.flag()?,
        name: r.owned()?,
        kind: r.owned()?,
        source_id: r.owned()?,
        label: r.owned()?,
        desc_xml: r.owned()?,
        origin_xml: r.owned()?,
        channels: r.option(|r| {
            r.list(12, |r| Ok(ChannelInfo { label: r.owned()?, unit: r.owned()?, kind: r.owned()? }))
        })?,
        synchronization: r.option(|r| {
            Ok(SyncInfo {
                offset_mean_s: r.option(Reader::f64)?,
                offset_rms_s: r.option(Reader::f64)?,
                offset_median_s: r.option(Reader::f64)?,
                offset_5_centile_s: r.option(Reader::f64)?,
                offset_95_centile_s: r.option(Reader::f64)?,
                can_drop_samples: r.option(Reader::flag)?,
            })
        })?,
    })
}
