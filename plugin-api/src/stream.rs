//! Streams: describing one, and pushing samples into it.

use std::marker::PhantomData;

use crate::clock::Clock;
use crate::error::Error;
use crate::host::{Host, State};
use crate::sys;

/// Channel format of a stream, one of the seven of XDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 32-bit float.
    Float32,
    /// 64-bit float.
    Double64,
    /// UTF-8 text.
    String,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 16-bit integer.
    Int16,
    /// Signed 8-bit integer.
    Int8,
    /// Signed 64-bit integer.
    Int64,
}

impl Format {
    fn code(self) -> u32 {
        match self {
            Self::Float32 => sys::FLOAT32,
            Self::Double64 => sys::DOUBLE64,
            Self::String => sys::STRING,
            Self::Int32 => sys::INT32,
            Self::Int16 => sys::INT16,
            Self::Int8 => sys::INT8,
            Self::Int64 => sys::INT64,
        }
    }

    /// Bytes of one value; 0 for strings.
    pub fn value_bytes(self) -> usize {
        match self {
            Self::Int8 => 1,
            Self::Int16 => 2,
            Self::Int32 | Self::Float32 => 4,
            Self::Int64 | Self::Double64 => 8,
            Self::String => 0,
        }
    }
}

mod sealed {
    use super::Handle;
    pub trait Number: Copy {}
    pub trait FromHandle {
        fn from_handle(handle: Handle) -> Self;
    }
}

/// A type of number that a stream can carry: `i8 i16 i32 i64 f32 f64`.
pub trait Sample: sealed::Number + Send + 'static {
    /// The channel format of this type.
    const FORMAT: Format;
}

macro_rules! samples {
    ($($t:ty => $format:ident),*) => {$(
        impl sealed::Number for $t {}
        impl Sample for $t {
            const FORMAT: Format = Format::$format;
        }
    )*};
}
samples!(i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64, f32 => Float32, f64 => Double64);

/// One channel, as shown in the header under `desc/channels`. Empty: not stated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Channel {
    /// Label, such as `Cz` or `LeftPupilDiameter`.
    pub label: String,
    /// Unit, such as `microvolts`.
    pub unit: String,
    /// Kind of content, such as `EEG`.
    pub kind: String,
}

impl Channel {
    /// A channel with a label.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// Its unit.
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// Its kind of content.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }
}

/// Known timing of a stream in seconds, written as `desc/synchronization` and
/// never applied to the stamps. `None`: not stated.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Synchronization {
    /// Mean lag, to be subtracted from the stamps before streams are compared.
    pub offset_mean_s: Option<f64>,
    /// Root mean square of the lag.
    pub offset_rms_s: Option<f64>,
    /// Median lag.
    pub offset_median_s: Option<f64>,
    /// 5th centile of the lag.
    pub offset_5_centile_s: Option<f64>,
    /// 95th centile of the lag.
    pub offset_95_centile_s: Option<f64>,
    /// Whether single samples may be missing from an otherwise steady rate (cameras, displays).
    pub can_drop_samples: Option<bool>,
}

impl Synchronization {
    fn raw(&self) -> sys::Synchronization {
        let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
        sys::Synchronization {
            struct_size: size_of::<sys::Synchronization>() as u32,
            can_drop_samples: match self.can_drop_samples {
                Some(false) => 0,
                Some(true) => 1,
                None => 2,
            },
            offset_mean_s: number(self.offset_mean_s),
            offset_rms_s: number(self.offset_rms_s),
            offset_median_s: number(self.offset_median_s),
            offset_5_centile_s: number(self.offset_5_centile_s),
            offset_95_centile_s: number(self.offset_95_centile_s),
        }
    }
}

/// What became of pushed samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// They will be in the file.
    Queued,
    /// The queue was full; the recorder counted the loss. Go on with new samples.
    Dropped,
}

impl Pushed {
    /// The answer of a host call `what` that pushes.
    pub(crate) fn check(status: sys::Status, what: &'static str) -> Result<Self, Error> {
        match status {
            sys::AGAIN => Ok(Self::Dropped),
            status => Error::check(status, what).map(|()| Self::Queued),
        }
    }
}

/// The minor version of the ABI from which on a host knows `origin_xml`.
const ORIGIN_SINCE_MINOR: u32 = 1;

/// Describes a stream before it is added. `H` is what [`StreamBuilder::add`] gives.
#[derive(Debug, Clone)]
pub struct StreamBuilder<H> {
    host: Host,
    format: Format,
    channel_count: usize,
    nominal_rate_hz: f64,
    clock: Option<Clock>,
    name: String,
    kind: String,
    source_id: String,
    desc_xml: String,
    channels: Vec<Channel>,
    synchronization: Option<Synchronization>,
    may_be_silent: bool,
    label: String,
    origin_xml: String,
    handle: PhantomData<fn() -> H>,
}

impl<H> StreamBuilder<H> {
    pub(crate) fn new(host: Host, name: &str, format: Format, channel_count: usize) -> Self {
        Self {
            host,
            format,
            channel_count,
            nominal_rate_hz: 0.0,
            clock: None,
            name: name.to_owned(),
            kind: String::new(),
            source_id: String::new(),
            desc_xml: String::new(),
            channels: Vec::new(),
            synchronization: None,
            may_be_silent: false,
            label: String::new(),
            origin_xml: String::new(),
            handle: PhantomData,
        }
    }

    /// Content type, such as `EEG`, `Gaze`, `Markers`.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }

    /// Samples a second; 0 (the default): irregular.
    pub fn nominal_rate_hz(mut self, rate_hz: f64) -> Self {
        self.nominal_rate_hz = rate_hz;
        self
    }

    /// Its stamps are readings of this clock; without one they are recorder time.
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = Some(*clock);
        self
    }

    /// Identifies the device across restarts.
    pub fn source_id(mut self, source_id: impl Into<String>) -> Self {
        self.source_id = source_id.into();
        self
    }

    /// Labels, units and kinds of its channels; as many as it has, or none.
    pub fn channels(mut self, channels: impl IntoIterator<Item = Channel>) -> Self {
        self.channels = channels.into_iter().collect();
        self
    }

    /// XML elements to stand inside the header's `desc`. Must be well formed.
    pub fn desc_xml(mut self, xml: impl Into<String>) -> Self {
        self.desc_xml = xml.into();
        self
    }

    /// Known timing, written into the header and never applied.
    pub fn synchronization(mut self, synchronization: Synchronization) -> Self {
        self.synchronization = Some(synchronization);
        self
    }

    /// It may send nothing for long, as event markers do: the recording begins without a sample of
    /// it, and its silence is no alarm; only that a regular rate has stopped is a warning.
    pub fn may_be_silent(mut self, may_be_silent: bool) -> Self {
        self.may_be_silent = may_be_silent;
        self
    }

    /// What the operator sees and events call it; unique within the source. Without one it is the
    /// name, which must then be unique. The file keeps the name.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The header the stream came with, for streams of another recording system: the XML elements
    /// inside its `<info>`. They become the header in the file, in their order and with their values
    /// as they are; what the recorder adds stands in one element `<lockstep>` at the end of `desc`.
    ///
    /// Name, channel count, format and nominal rate must agree with it; `desc_xml`, `channels` and
    /// `synchronization` cannot be given beside it. A recorder before plugin ABI 1.1 cannot keep such
    /// a header: there [`add`](Self::add) fails.
    pub fn origin_xml(mut self, xml: impl Into<String>) -> Self {
        self.origin_xml = xml.into();
        self
    }
}

impl<H: sealed::FromHandle> StreamBuilder<H> {
    /// Add the stream to the recording. From `start` on, at any time.
    pub fn add(self) -> Result<H, Error> {
        if !self.channels.is_empty() && self.channels.len() != self.channel_count {
            return Err(Error::Invalid("add_stream: as many channel descriptions as channels, or none"));
        }
        if !self.origin_xml.is_empty() && self.host.table().abi_minor < ORIGIN_SINCE_MINOR {
            // It would be recorded under a header made up from the rest.
            return Err(Error::Invalid(
                "add_stream: this recorder is older than plugin ABI 1.1, and knows no origin_xml",
            ));
        }
        let channels: Vec<sys::Channel> = self
            .channels
            .iter()
            .map(|c| sys::Channel {
                label: sys::Str::new(&c.label),
                unit: sys::Str::new(&c.unit),
                r#type: sys::Str::new(&c.kind),
            })
            .collect();
        let synchronization = self.synchronization.map(|s| s.raw());
        let raw = sys::StreamInfo {
            struct_size: size_of::<sys::StreamInfo>() as u32,
            format: self.format.code(),
            channel_count: u32::try_from(self.channel_count).unwrap_or(u32::MAX),
            clock: self.clock.map_or(sys::RECORDER_TIME, Clock::id),
            nominal_rate_hz: self.nominal_rate_hz,
            name: sys::Str::new(&self.name),
            r#type: sys::Str::new(&self.kind),
            source_id: sys::Str::new(&self.source_id),
            desc_xml: sys::Str::new(&self.desc_xml),
            channels: if channels.is_empty() { std::ptr::null() } else { channels.as_ptr() },
            synchronization: synchronization.as_ref().map_or(std::ptr::null(), std::ptr::from_ref),
            may_be_silent: u32::from(self.may_be_silent),
            reserved1: 0,
            label: sys::Str::new(&self.label),
            origin_xml: sys::Str::new(&self.origin_xml),
        };
        let call = self.host.table().add_stream.ok_or(Error::NotRunning)?;
        let mut id = 0;
        // SAFETY: the table's function with its own ctx; all that `raw` points to lives for the call.
        Error::check(unsafe { call(self.host.table().ctx, &raw, &mut id) }, "add_stream")?;
        Ok(H::from_handle(Handle {
            host: self.host,
            id,
            format: self.format,
            channel_count: self.channel_count,
        }))
    }
}

/// A stream the recorder knows. Not `Clone`: calls about one stream may not overlap.
#[derive(Debug)]
pub struct Handle {
    host: Host,
    id: u32,
    format: Format,
    channel_count: usize,
}

impl Handle {
    fn push(
        &mut self,
        timestamps_s: &[f64],
        data: *const std::ffi::c_void,
        data_bytes: usize,
    ) -> Result<Pushed, Error> {
        let Ok(sample_count) = u32::try_from(timestamps_s.len()) else {
            return Err(Error::Invalid("push_chunk: more than 2^32 samples at once"));
        };
        let chunk = sys::Chunk {
            struct_size: size_of::<sys::Chunk>() as u32,
            stream: self.id,
            sample_count,
            reserved: 0,
            timestamps_s: timestamps_s.as_ptr(),
            data,
            data_bytes,
        };
        let table = self.host.table();
        let Some(call) = table.push_chunk else { return Err(Error::NotRunning) };
        // SAFETY: the table's function with its own ctx; stamps and data live for
        // the call, and `data_bytes` is the true length of `data`.
        Pushed::check(unsafe { call(table.ctx, &chunk) }, "push_chunk")
    }

    fn push_text<T: AsRef<[u8]>>(&mut self, timestamps_s: &[f64], values: &[T]) -> Result<Pushed, Error> {
        let borrowed: Vec<sys::Str> = values.iter().map(|v| sys::Str::of_bytes(v.as_ref())).collect();
        self.push(timestamps_s, borrowed.as_ptr().cast(), size_of_val(borrowed.as_slice()))
    }

    fn report_gap(&mut self, lost_samples: Option<u64>, reason: &str) -> Result<(), Error> {
        let table = self.host.table();
        let Some(call) = table.report_gap else { return Err(Error::NotRunning) };
        let lost = lost_samples.unwrap_or(sys::UNKNOWN_COUNT);
        // SAFETY: the table's function with its own ctx; `reason` lives for the call.
        Error::check(unsafe { call(table.ctx, self.id, lost, sys::Str::new(reason)) }, "report_gap")
    }
}

macro_rules! handle_methods {
    () => {
        /// Say that `lost_samples` never arrived or could not be read (`None`:
        /// some, number unknown; `Some(0)`: a break without loss).
        pub fn report_gap(&mut self, lost_samples: Option<u64>, reason: &str) -> Result<(), Error> {
            self.0.report_gap(lost_samples, reason)
        }

        /// Say how this stream is doing.
        pub fn set_state(&mut self, state: State, reason: &str) {
            self.0.host.set_stream_state(self.0.id, state, reason);
        }

        /// Write an event about this stream into the recording: a name, and details
        /// as JSON. About the source as a whole: [`Host::event`].
        pub fn event(&mut self, name: &str, details: &serde_json::Value) -> Result<(), Error> {
            self.0.host.stream_event(self.0.id, name, details)
        }

        /// Channels of each sample.
        pub fn channel_count(&self) -> usize {
            self.0.channel_count
        }
    };
}

/// A stream of numbers of one type.
#[derive(Debug)]
pub struct Stream<T>(Handle, PhantomData<fn(T)>);

impl<T: Sample> Stream<T> {
    handle_methods!();

    /// Record one sample: its stamp in the stream's clock, and a value per channel.
    pub fn push_sample(&mut self, timestamp_s: f64, values: &[T]) -> Result<Pushed, Error> {
        self.push(&[timestamp_s], values)
    }

    /// Record samples, oldest first: a stamp each, and `values` sample-major,
    /// `timestamps_s.len() * channel_count` of them.
    pub fn push(&mut self, timestamps_s: &[f64], values: &[T]) -> Result<Pushed, Error> {
        self.0.push(timestamps_s, values.as_ptr().cast(), size_of_val(values))
    }
}

/// A stream of strings.
#[derive(Debug)]
pub struct TextStream(Handle);

impl TextStream {
    handle_methods!();

    /// Record samples, oldest first: a stamp each, and `values` sample-major,
    /// `timestamps_s.len() * channel_count` of them.
    pub fn push(&mut self, timestamps_s: &[f64], values: &[&str]) -> Result<Pushed, Error> {
        self.0.push_text(timestamps_s, values)
    }
}

/// A stream whose format is known at run time only.
#[derive(Debug)]
pub struct RawStream(Handle);

impl RawStream {
    handle_methods!();

    /// The format it was added with.
    pub fn format(&self) -> Format {
        self.0.format
    }

    /// Record samples of a numeric format, oldest first: a stamp each, and the
    /// values sample-major in native byte order.
    pub fn push_bytes(&mut self, timestamps_s: &[f64], data: &[u8]) -> Result<Pushed, Error> {
        if self.0.format == Format::String {
            return Err(Error::Invalid("push_bytes: this is a stream of strings"));
        }
        self.0.push(timestamps_s, data.as_ptr().cast(), data.len())
    }

    /// Record samples of strings, as [`TextStream::push`]. They ought to be UTF-8; other bytes are recorded
    /// as they are.
    pub fn push_text<T: AsRef<[u8]>>(&mut self, timestamps_s: &[f64], values: &[T]) -> Result<Pushed, Error> {
        if self.0.format != Format::String {
            return Err(Error::Invalid("push_text: this is a stream of numbers"));
        }
        self.0.push_text(timestamps_s, values)
    }
}

impl<T> sealed::FromHandle for Stream<T> {
    fn from_handle(handle: Handle) -> Self {
        Self(handle, PhantomData)
    }
}

impl sealed::FromHandle for TextStream {
    fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }
}

impl sealed::FromHandle for RawStream {
    fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }
}
