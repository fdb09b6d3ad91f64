//! What a parent says.

use super::bytes::{Reader, Writer};
use super::{BadFrame, frame};

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Done: a clock or stream of this number.
    Number(u32),
    /// Done: a file of this number and name.
    File(u32, &'a str),
    /// Where it stands; `None`: there was no room.
    Offset(Option<u64>),
    /// Refused: a status of the header, and why.
    Refused(i32, &'a str),
}

/// What a parent says.
#[derive(Debug, Clone, PartialEq)]
pub enum FromParent<'a> {
    /// Make an instance.
    Create {
        /// Its options, a JSON object.
        options_json: &'a str,
        /// Exchanges in a burst.
        probes: u32,
        /// From one burst to the next.
        interval_s: f64,
    },
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// The answer to a call.
    Answer {
        /// Which.
        call: u32,
        /// It.
        answer: Answer<'a>,
    },
}

impl<'a> FromParent<'a> {
    /// Append it as a frame.
    ///
    /// # Errors
    /// It is too long for one; nothing is appended then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), BadFrame> {
        match self {
            Self::Create { options_json, probes, interval_s } => frame(out, 64, |w| {
                w.text(options_json);
                w.u32(*probes);
                w.f64(*interval_s);
            }),
            Self::Start => frame(out, 65, |_| ()),
            Self::Stop => frame(out, 66, |_| ()),
            Self::Answer { call, answer } => frame(out, 67, |w| {
                w.u32(*call);
                match answer {
                    Answer::Number(number) => {
                        w.u8(0);
                        w.u32(*number);
                    }
                    Answer::File(number, name) => {
                        w.u8(1);
                        w.u32(*number);
                        w.text(name);
                    }
                    Answer::Offset(offset) => {
                        w.u8(2);
                        w.option(*offset, Writer::u64);
                    }
                    Answer::Refused(status, why) => {
                        w.u8(3);
                        w.u32(status.cast_unsigned());
                        w.text(why);
                    }
                }
            }),
        }
    }

    /// What a frame without its length says.
    ///
    /// # Errors
    /// It is none of a parent's.
    pub fn decode(frame: &'a [u8]) -> Result<Self, BadFrame> {
        let mut r = Reader(frame);
        let said = match r.u8()? {
            64 => Self::Create { options_json: r.text()?, probes: r.u32()?, interval_s: r.f64()? },
            65 => Self::Start,
            66 => Self::Stop,
            67 => Self::Answer {
                call: r.u32()?,
                answer: match r.u8()? {
                    0 => Answer::Number(r.u32()?),
                    1 => Answer::File(r.u32()?, r.text()?),
                    2 => Answer::Offset(r.option(Reader::u64)?),
                    3 => Answer::Refused(r.u32()?.cast_signed(), r.text()?),
                    other => return Err(BadFrame::Number(other.into())),
                },
            },
            other => return Err(BadFrame::Kind(other)),
        };
        r.end()?;
        Ok(said)
    }
}
