//! The host's table: the C functions a plugin calls, each checking what it is
//! given before it passes it on to the [`SourceIntake`].

use std::ffi::{CStr, c_char, c_void};
use std::slice;
use std::sync::Arc;

use lockstep_clock::{Exchange, Reading, Stamp};
use lockstep_platform::{monotonic_ns, monotonic_s};
use lockstep_plugin_api::sys;
use lockstep_xdf::ChannelFormat;
use parking_lot::Mutex;

use crate::recording::clock::{ClockSpec, Domain};
use crate::recording::header::{ChannelInfo, HeaderDetails, SyncInfo};
use crate::recording::intake::{MAX_CHANNELS, NewStream, Refusal, SourceIntake};
use crate::recording::notice::Level;
use crate::recording::state::State;

/// An option a plugin refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// JSON pointer into the options.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// What the C functions find behind `ctx`.
#[derive(Debug)]
struct Context {
    source: Arc<SourceIntake>,
    probe_settings: sys::ProbeSettings,
    source_info: sys::SourceInfo,
    /// Error lines since they were last asked for: the reasons of a failing call.
    errors: Mutex<Vec<String>>,
    config_problems: Mutex<Vec<ConfigProblem>>,
}

/// Error lines kept as reasons of one failing call.
const MAX_REASONS: usize = 16;

/// The table given to one instance. It is never freed: a plugin's forgotten
/// thread may call it at any time, and is then told that the source has stopped.
#[derive(Debug, Clone, Copy)]
pub struct HostTable {
    table: &'static sys::Host,
    context: &'static Context,
}

impl HostTable {
    /// A table for `source`.
    pub fn new(source: Arc<SourceIntake>, probes_per_burst: u32, interval_s: f64) -> Self {
        let name: &'static str = Box::leak(source.name.clone().into_boxed_str());
        let context: &'static Context = Box::leak(Box::new(Context {
            source,
            probe_settings: sys::ProbeSettings {
                struct_size: size_of::<sys::ProbeSettings>() as u32,
                probes_per_burst,
                interval_s,
            },
            source_info: sys::SourceInfo {
                struct_size: size_of::<sys::SourceInfo>() as u32,
                reserved: 0,
                name: sys::Str::new(name),
            },
            errors: Mutex::default(),
            config_problems: Mutex::default(),
        }));
        let table = Box::leak(Box::new(sys::Host {
            struct_size: size_of::<sys::Host>() as u32,
            abi_major: sys::ABI_MAJOR,
            abi_minor: sys::ABI_MINOR,
            reserved: 0,
            ctx: std::ptr::from_ref(context).cast_mut().cast(),
            now: Some(now),
            add_clock: Some(add_clock),
            add_stream: Some(add_stream),
            push_chunk: Some(push_chunk),
            push_exchanges: Some(push_exchanges),
            clock_reset: Some(clock_reset),
            report_gap: Some(report_gap),
            set_state: Some(set_state),
            event: Some(event),
            log: Some(log),
            config_error: Some(config_error),
            get_extension: Some(get_extension),
        }));
        Self { table, context }
    }

    /// For the plugin.
    pub fn as_ptr(self) -> *const sys::Host {
        self.table
    }

    /// Error lines since the last call, as the reason of a failure.
    pub fn take_errors(self) -> Vec<String> {
        std::mem::take(&mut *self.context.errors.lock())
    }

    /// Options the plugin refused since the last call.
    pub fn take_config_problems(self) -> Vec<ConfigProblem> {
        std::mem::take(&mut *self.context.config_problems.lock())
    }
}

/// The context behind a `ctx`.
///
/// # Safety
/// `ctx` must be NULL or the `ctx` of a table made by [`HostTable::new`].
unsafe fn context(ctx: *mut c_void) -> Option<&'static Context> {
    // SAFETY: NULL, or a leaked Context.
    unsafe { ctx.cast::<Context>().as_ref() }
}

/// A plugin's text, or a refusal that names what it was.
///
/// # Safety
/// As [`sys::Str::as_str`].
unsafe fn text<'a>(value: sys::Str, what: &str) -> Result<&'a str, Refusal> {
    // SAFETY: passed on.
    unsafe { value.as_str() }.ok_or_else(|| Refusal::Invalid(format!("{what} is not UTF-8")))
}

/// The struct at a pointer of the plugin, if it is as large as this host's.
///
/// # Safety
/// `ptr` must be NULL or point to a struct that starts with its size in a `u32`.
unsafe fn sized<'a, T>(ptr: *const T, what: &str) -> Result<&'a T, Refusal> {
    if ptr.is_null() {
        return Err(Refusal::Invalid(format!("{what}: NULL")));
    }
    // SAFETY: not NULL; the size stands first.
    let size = unsafe { *ptr.cast::<u32>() } as usize;
    if size < size_of::<T>() {
        let least = size_of::<T>();
        return Err(Refusal::Invalid(format!("{what}: struct_size is {size}, at least {least} is needed")));
    }
    // SAFETY: not NULL and as large as T.
    Ok(unsafe { &*ptr })
}

/// The array at a pointer of the plugin.
///
/// # Safety
/// `ptr` must be NULL or point to `len` readable values.
unsafe fn array<'a, T>(ptr: *const T, len: usize, what: &str) -> Result<&'a [T], Refusal> {
    if len == 0 {
        return Ok(&[]);
    }
    if ptr.is_null() || !ptr.is_aligned() || len > isize::MAX as usize / size_of::<T>() {
        return Err(Refusal::Invalid(format!("{what}: not a valid array of {len}")));
    }
    // SAFETY: not NULL, aligned, of a possible size, and readable by this function's contract.
    Ok(unsafe { slice::from_raw_parts(ptr, len) })
}

/// A refusal as a status, with a line in the log that says why.
fn answer(context: Option<&Context>, call: &str, result: Result<sys::Status, Refusal>) -> sys::Status {
    let refusal = match result {
        Ok(status) => return status,
        Err(refusal) => refusal,
    };
    let status = match refusal {
        Refusal::NotRunning => return sys::ESTATE,
        Refusal::Invalid(_) => sys::EINVAL,
        Refusal::Limit(..) => sys::ENOMEM,
    };
    if let Some(context) = context {
        context.log(Level::Error, &format!("{call}: {refusal}"));
    }
    status
}

impl Context {
    fn log(&self, level: Level, text: &str) {
        if level == Level::Error {
            let mut errors = self.errors.lock();
            if errors.len() < MAX_REASONS {
                errors.push(text.to_owned());
            }
        }
        self.source.log(level, text);
    }
}

/// Run a call on the source behind `ctx`.
///
/// # Safety
/// As [`context`].
unsafe fn call(
    ctx: *mut c_void,
    name: &str,
    body: impl FnOnce(&SourceIntake) -> Result<sys::Status, Refusal>,
) -> sys::Status {
    // SAFETY: passed on.
    match unsafe { context(ctx) } {
        Some(context) => answer(Some(context), name, body(&context.source)),
        None => sys::EINVAL,
    }
}

unsafe extern "C" fn now(_ctx: *mut c_void) -> f64 {
    monotonic_s()
}

unsafe extern "C" fn add_clock(ctx: *mut c_void, info: *const sys::ClockInfo, out: *mut u32) -> sys::Status {
    let body = |source: &SourceIntake| {
        // SAFETY: the plugin lends the struct and the place for the handle for the call.
        let (info, out) = unsafe { (sized(info, "lks_clock_info")?, out.as_mut()) };
        let out = out.ok_or_else(|| Refusal::Invalid("no place for the handle".to_owned()))?;
        let domain = match info.domain {
            sys::DOMAIN_DEVICE => Domain::Device,
            sys::DOMAIN_UNIX => Domain::Unix,
            sys::DOMAIN_MONOTONIC => Domain::Monotonic,
            other => return Err(Refusal::Invalid(format!("clock domain {other} is unknown"))),
        };
        let stamp = match info.stamp {
            sys::STAMP_EXACT => Stamp::Exact,
            sys::STAMP_FLOOR => Stamp::Floor,
            other => return Err(Refusal::Invalid(format!("clock stamp {other} is unknown"))),
        };
        let reading = Reading { resolution_s: info.resolution_s, stamp };
        // SAFETY: the plugin lends the text for the call.
        let name = unsafe { text(info.name, "the clock's name")? }.to_owned();
        *out = source.add_clock(ClockSpec { name, domain, reading })?;
        Ok(sys::OK)
    };
    // SAFETY: `ctx` is this table's.
    unsafe { call(ctx, "add_clock", body) }
}

unsafe extern "C" fn add_stream(
    ctx: *mut c_void,
    info: *const sys::StreamInfo,
    out: *mut u32,
) -> sys::Status {
    let body = |source: &SourceIntake| {
        // SAFETY: the plugin lends the struct and the place for the handle for the call.
        let (info, out) = unsafe { (sized(info, "lks_stream_info")?, out.as_mut()) };
        let out = out.ok_or_else(|| Refusal::Invalid("no place for the handle".to_owned()))?;
        // SAFETY: the plugin lends all that the struct points to for the call.
        *out = source.add_stream(unsafe { new_stream(info)? })?;
        Ok(sys::OK)
    };
    // SAFETY: `ctx` is this table's.
    unsafe { call(ctx, "add_stream", body) }
}

/// What the plugin said, owned and checked.
///
/// # Safety
/// All that `info` points to must be as the header says.
unsafe fn new_stream(info: &sys::StreamInfo) -> Result<NewStream, Refusal> {
    let format = channel_format(info.format)
        .ok_or_else(|| Refusal::Invalid(format!("channel format {} is unknown", info.format)))?;
    // SAFETY: lent texts, by this function's contract.
    let [name, kind, source_id, desc_xml] = unsafe {
        [
            text(info.name, "the stream's name")?,
            text(info.r#type, "the stream's type")?,
            text(info.source_id, "the source id")?,
            text(info.desc_xml, "desc_xml")?,
        ]
    };
    let desc = lockstep_xdf::xml::parse_fragment(desc_xml)
        .map_err(|e| Refusal::Invalid(format!("desc_xml of stream {name:?} is not well formed: {e}")))?;
    let channel_count = info.channel_count as usize;
    let mut channels = Vec::new();
    if !info.channels.is_null() && channel_count <= MAX_CHANNELS {
        // SAFETY: lent, and `channel_count` of them, by this function's contract.
        for c in unsafe { array(info.channels, channel_count, "channels")? } {
            // SAFETY: lent texts, by this function's contract.
            let [label, unit, kind] =
                unsafe { [text(c.label, "a label")?, text(c.unit, "a unit")?, text(c.r#type, "a type")?] };
            let (label, unit, kind) = (label.to_owned(), unit.to_owned(), kind.to_owned());
            channels.push(ChannelInfo { label, unit, kind });
        }
    }
    let synchronization = if info.synchronization.is_null() {
        SyncInfo::default()
    } else {
        // SAFETY: lent, by this function's contract.
        sync_info(unsafe { sized(info.synchronization, "lks_synchronization")? })
    };
    Ok(NewStream {
        name: name.to_owned(),
        kind: kind.to_owned(),
        format,
        channel_count,
        nominal_rate_hz: info.nominal_rate_hz,
        clock: info.clock,
        details: HeaderDetails { source_id: source_id.to_owned(), desc, channels, synchronization },
    })
}

fn channel_format(code: u32) -> Option<ChannelFormat> {
    Some(match code {
        sys::FLOAT32 => ChannelFormat::Float32,
        sys::DOUBLE64 => ChannelFormat::Double64,
        sys::STRING => ChannelFormat::String,
        sys::INT32 => ChannelFormat::Int32,
        sys::INT16 => ChannelFormat::Int16,
        sys::INT8 => ChannelFormat::Int8,
        sys::INT64 => ChannelFormat::Int64,
        _ => return None,
    })
}

fn sync_info(raw: &sys::Synchronization) -> SyncInfo {
    let number = |value: f64| value.is_finite().then_some(value);
    SyncInfo {
        offset_mean_s: number(raw.offset_mean_s),
        offset_rms_s: number(raw.offset_rms_s),
        offset_median_s: number(raw.offset_median_s),
        offset_5_centile_s: number(raw.offset_5_centile_s),
        offset_95_centile_s: number(raw.offset_95_centile_s),
        can_drop_samples: match raw.can_drop_samples {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
    }
}

unsafe extern "C" fn push_chunk(ctx: *mut c_void, chunk: *const sys::Chunk) -> sys::Status {
    let body = |source: &SourceIntake| {
        // SAFETY: the plugin lends the struct for the call.
        let chunk = unsafe { sized(chunk, "lks_chunk")? };
        let stream = source.stream(chunk.stream)?;
        let count = chunk.sample_count as usize;
        if count == 0 {
            return Ok(sys::OK);
        }
        // SAFETY: the plugin lends `sample_count` stamps for the call.
        let stamps = unsafe { array(chunk.timestamps_s, count, "timestamps_s")? };
        let now_ns = monotonic_ns();
        let push = if stream.spec.format == ChannelFormat::String {
            let values = chunk.data_bytes / size_of::<sys::Str>();
            // SAFETY: the plugin lends `data_bytes` of lks_str for the call.
            let values = unsafe { array(chunk.data.cast::<sys::Str>(), values, "data")? };
            // SAFETY: the texts are lent likewise.
            let texts: Option<Vec<&str>> = values.iter().map(|v| unsafe { v.as_str() }).collect();
            let Some(texts) = texts else {
                stream.counters.rejected.fetch_add(count as u64, std::sync::atomic::Ordering::Relaxed);
                let name = &stream.spec.name;
                return Err(Refusal::Invalid(format!("stream {name:?}: a string is not UTF-8")));
            };
            stream.push_strings(stamps, &texts, now_ns)
        } else {
            // SAFETY: the plugin lends `data_bytes` bytes for the call.
            let data = unsafe { array(chunk.data.cast::<u8>(), chunk.data_bytes, "data")? };
            stream.push_numbers(stamps, data, now_ns)
        };
        Ok(if source.settle(stream, push)? { sys::OK } else { sys::AGAIN })
    };
    // SAFETY: `ctx` is this table's.
    unsafe { call(ctx, "push_chunk", body) }
}

unsafe extern "C" fn push_exchanges(
    ctx: *mut c_void,
    clock: u32,
    exchanges: *const sys::Exchange,
    count: usize,
) -> sys::Status {
    let body = |source: &SourceIntake| {
        // SAFETY: the plugin lends `count` exchanges for the call.
        let exchanges = unsafe { array(exchanges, count, "exchanges")? };
        let burst: Vec<Exchange> = exchanges
            .iter()
            .map(|e| Exchange { t0_s: e.t0_s, t1_s: e.t1_s, t2_s: e.t2_s, t3_s: e.t3_s })
            .collect();
        Ok(if source.push_exchanges(clock, &burst)? { sys::OK } else { sys::AGAIN })
    };
    // SAFETY: `ctx` is this table's.
    unsafe { call(ctx, "push_exchanges", body) }
}

unsafe extern "C" fn clock_reset(ctx: *mut c_void, clock: u32, reason: sys::Str) -> sys::Status {
    // SAFETY: `ctx` is this table's, the text is lent for the call.
    unsafe {
        call(ctx, "clock_reset", |source| {
            source.clock_reset(clock, text(reason, "the reason")?).map(|()| sys::OK)
        })
    }
}

unsafe extern "C" fn report_gap(ctx: *mut c_void, stream: u32, lost: u64, reason: sys::Str) -> sys::Status {
    let lost = (lost != sys::UNKNOWN_COUNT).then_some(lost);
    // SAFETY: `ctx` is this table's, the text is lent for the call.
    unsafe {
        call(ctx, "report_gap", |source| {
            source.report_gap(stream, lost, text(reason, "the reason")?).map(|()| sys::OK)
        })
    }
}

unsafe extern "C" fn set_state(ctx: *mut c_void, stream: u32, state: u32, reason: sys::Str) -> sys::Status {
    let state = match state {
        sys::STATE_IDLE => Some(State::Idle),
        sys::STATE_CONNECTING => Some(State::Connecting),
        sys::STATE_STREAMING => Some(State::Streaming),
        sys::STATE_DEGRADED => Some(State::Degraded),
        sys::STATE_LOST => Some(State::Lost),
        sys::STATE_FINISHED => Some(State::Finished),
        sys::STATE_FAILED => Some(State::Failed),
        _ => None,
    };
    // SAFETY: `ctx` is this table's, the text is lent for the call.
    unsafe {
        call(ctx, "set_state", |source| {
            let state = state.ok_or_else(|| Refusal::Invalid("this state is unknown".to_owned()))?;
            source.set_state(stream, state, text(reason, "the reason")?).map(|()| sys::OK)
        })
    }
}

unsafe extern "C" fn event(ctx: *mut c_void, stream: u32, name: sys::Str, json: sys::Str) -> sys::Status {
    // SAFETY: `ctx` is this table's, the texts are lent for the call.
    unsafe {
        call(ctx, "event", |source| {
            source.event(stream, text(name, "the event's name")?, text(json, "the event")?).map(|()| sys::OK)
        })
    }
}

unsafe extern "C" fn log(ctx: *mut c_void, level: u32, line: sys::Str) {
    // SAFETY: `ctx` is this table's, the text is lent for the call.
    let (Some(context), Some(line)) = (unsafe { (context(ctx), line.as_str()) }) else { return };
    let level = match level {
        sys::LOG_ERROR => Level::Error,
        sys::LOG_WARN => Level::Warning,
        sys::LOG_INFO => Level::Info,
        _ => Level::Debug,
    };
    context.log(level, line);
}

unsafe extern "C" fn config_error(ctx: *mut c_void, path: sys::Str, message: sys::Str) {
    // SAFETY: `ctx` is this table's, the texts are lent for the call.
    let (Some(context), path, message) = (unsafe { (context(ctx), path.as_str(), message.as_str()) }) else {
        return;
    };
    let problem = ConfigProblem {
        path: path.unwrap_or_default().to_owned(),
        message: message.unwrap_or("the plugin refused this option").to_owned(),
    };
    let mut problems = context.config_problems.lock();
    if problems.len() < MAX_REASONS {
        problems.push(problem);
    }
}

unsafe extern "C" fn get_extension(ctx: *mut c_void, name: *const c_char) -> *const c_void {
    // SAFETY: `ctx` is this table's; the name is NULL or terminated, by the header's contract.
    let (Some(context), false) = (unsafe { (context(ctx), name.is_null()) }) else { return std::ptr::null() };
    // SAFETY: not NULL, and terminated.
    let name = unsafe { CStr::from_ptr(name) };
    if name == sys::EXT_PROBE_SETTINGS {
        std::ptr::from_ref(&context.probe_settings).cast()
    } else if name == sys::EXT_SOURCE_INFO {
        std::ptr::from_ref(&context.source_info).cast()
    } else {
        std::ptr::null()
    }
}
