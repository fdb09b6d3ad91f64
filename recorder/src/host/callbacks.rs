//! The host's table: the C functions a plugin calls, each checking what it is
//! given before it passes it on to the [`Sink`].

mod side_files;

use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;

use lockstep_clock::Exchange;
use lockstep_platform::monotonic_s;
use lockstep_plugin_api::sys;
use lockstep_xdf::ChannelFormat;
use parking_lot::Mutex;

use super::arguments::{array, human, place, sized, text};
use super::describe::{clock_words, stream_words};
use super::sink::Sink;
use crate::recording::intake::Refusal;
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
    source: Arc<dyn Sink>,
    probe_settings: sys::ProbeSettings,
    source_info: sys::SourceInfo,
    /// Error lines since they were last asked for: the reasons of a failing call.
    errors: Mutex<Vec<String>>,
    config_problems: Mutex<Vec<ConfigProblem>>,
}

/// More lost samples than this is a mistake of whoever counted.
const MAX_LOST_SAMPLES: u64 = 1 << 62;
/// Error lines kept as reasons of one failing call.
pub(super) const MAX_REASONS: usize = 16;

/// The table given to one instance. It is never freed: a plugin's forgotten
/// thread may call it at any time, and is then told that the source has stopped.
#[derive(Debug, Clone, Copy)]
pub struct HostTable {
    table: &'static sys::Host,
    context: &'static Context,
}

impl HostTable {
    /// A table for `source`.
    pub fn new(source: Arc<dyn Sink>, probes_per_burst: u32, interval_s: f64) -> Self {
        let name: &'static str = Box::leak(Box::from(source.name()));
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

    /// Record nothing more: what a thread of the plugin still calls is answered with `LKS_ESTATE`.
    pub fn close(self) {
        self.context.source.close();
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
    let context = ctx.cast::<Context>();
    if !context.is_aligned() {
        return None;
    }
    // SAFETY: NULL, or a leaked Context.
    unsafe { context.as_ref() }
}

/// A refusal as a status.
pub(super) fn status_of(refusal: &Refusal) -> sys::Status {
    match refusal {
        Refusal::NotRunning => sys::ESTATE,
        Refusal::Invalid(_) => sys::EINVAL,
        Refusal::Limit(..) | Refusal::NoRoom(_) => sys::ENOMEM,
        Refusal::Failed(_) => sys::EIO,
    }
}

/// A refusal as a status, with a line in the log that says why.
fn answer(context: Option<&Context>, call: &str, result: Result<sys::Status, Refusal>) -> sys::Status {
    let refusal = match result {
        Ok(status) => return status,
        Err(refusal) => refusal,
    };
    let status = status_of(&refusal);
    if let Some(context) = context.filter(|_| refusal != Refusal::NotRunning) {
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
    body: impl FnOnce(&dyn Sink) -> Result<sys::Status, Refusal>,
) -> sys::Status {
    // SAFETY: passed on.
    match unsafe { context(ctx) } {
        Some(context) => answer(Some(context), name, body(&*context.source)),
        None => sys::EINVAL,
    }
}

unsafe extern "C" fn now(_ctx: *mut c_void) -> f64 {
    monotonic_s()
}

unsafe extern "C" fn add_clock(ctx: *mut c_void, info: *const sys::ClockInfo, out: *mut u32) -> sys::Status {
    let body = |source: &dyn Sink| {
        let out = place(out)?;
        // SAFETY: the plugin lends the struct, all that it points to, and the place for the call.
        unsafe { out.write(source.add_clock(clock_words(&sized(info)?)?)?) };
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
    let body = |source: &dyn Sink| {
        let out = place(out)?;
        // SAFETY: the plugin lends the struct, all that it points to, and the place for the call.
        unsafe { out.write(source.add_stream(stream_words(&sized(info)?)?)?) };
        Ok(sys::OK)
    };
    // SAFETY: `ctx` is this table's.
    unsafe { call(ctx, "add_stream", body) }
}

unsafe extern "C" fn push_chunk(ctx: *mut c_void, chunk: *const sys::Chunk) -> sys::Status {
    let body = |source: &dyn Sink| {
        // SAFETY: the plugin lends the struct for the call.
        let chunk = unsafe { sized(chunk) }.inspect_err(|refusal| {
            // How many samples were in it, nobody knows. Refused itself when the source is not running.
            drop(source.report_gap(sys::WHOLE_SOURCE, None, &format!("push_chunk: {refusal}")));
        })?;
        if chunk.sample_count == 0 {
            return source.stream(chunk.stream).map(|_| sys::OK);
        }
        let stream = source.stream(chunk.stream).inspect_err(|refusal| uncounted(source, &chunk, refusal))?;
        // SAFETY: all that the struct points to is lent likewise.
        match unsafe { samples(&chunk, stream) } {
            Ok((stamps_s, Values::Numbers(data))) => source.push_numbers(chunk.stream, stamps_s, data),
            Ok((stamps_s, Values::Strings(values))) => source.push_strings(chunk.stream, stamps_s, &values),
            Err(refusal) => {
                uncounted(source, &chunk, &refusal);
                Err(refusal)
            }
        }
        .map(|taken| if taken { sys::OK } else { sys::AGAIN })
    };
    // SAFETY: `ctx` is this table's.
    unsafe { call(ctx, "push_chunk", body) }
}

/// Samples did not come so far as to be counted.
fn uncounted(source: &dyn Sink, chunk: &sys::Chunk, refusal: &Refusal) {
    if *refusal != Refusal::NotRunning {
        source.count_refused(chunk.stream, chunk.sample_count.into());
    }
}

/// What a plugin lends of its samples.
enum Values<'a> {
    Numbers(&'a [u8]),
    Strings(Vec<&'a [u8]>),
}

/// Stamps and values of the samples of a stream of this label and format.
///
/// # Safety
/// All that `chunk` points to must be as the header says.
unsafe fn samples<'a>(
    chunk: &sys::Chunk,
    (label, format): (&str, ChannelFormat),
) -> Result<(&'a [f64], Values<'a>), Refusal> {
    let of_stream = |what| Refusal::Invalid(format!("stream {label:?}: {what}"));
    let named = |refusal: Refusal| of_stream(refusal.to_string());
    // SAFETY: `sample_count` stamps are lent, by this function's contract.
    let stamps = unsafe { array(chunk.timestamps_s, chunk.sample_count as usize, "timestamps_s") };
    let stamps = stamps.map_err(named)?;
    if format != ChannelFormat::String {
        // SAFETY: `data_bytes` bytes are lent, by this function's contract.
        let data = unsafe { array(chunk.data.cast::<u8>(), chunk.data_bytes, "data") };
        return Ok((stamps, Values::Numbers(data.map_err(named)?)));
    }
    if !chunk.data_bytes.is_multiple_of(size_of::<sys::Str>()) {
        let bytes = chunk.data_bytes;
        return Err(of_stream(format!("data_bytes is {bytes}, which is no whole number of lks_str")));
    }
    let values = chunk.data_bytes / size_of::<sys::Str>();
    // SAFETY: `data_bytes` bytes of lks_str are lent, by this function's contract.
    let values = unsafe { array(chunk.data.cast::<sys::Str>(), values, "data") };
    let values = values.map_err(named)?;
    // SAFETY: the texts are lent likewise.
    let texts: Option<Vec<&[u8]>> = values.iter().map(|v| unsafe { v.as_bytes() }).collect();
    let texts = texts.ok_or_else(|| of_stream("a string is NULL and has a length".to_owned()))?;
    Ok((stamps, Values::Strings(texts)))
}

unsafe extern "C" fn push_exchanges(
    ctx: *mut c_void,
    clock: u32,
    exchanges: *const sys::Exchange,
    exchange_count: usize,
) -> sys::Status {
    let body = |source: &dyn Sink| {
        // SAFETY: the plugin lends as many exchanges for the call.
        let exchanges = unsafe { array(exchanges, exchange_count, "exchanges") }.inspect_err(|_| {
            source.count_refused_exchanges(clock, exchange_count as u64);
        })?;
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
    unsafe { call(ctx, "clock_reset", |source| source.clock_reset(clock, &human(reason)).map(|()| sys::OK)) }
}

unsafe extern "C" fn report_gap(ctx: *mut c_void, stream: u32, lost: u64, reason: sys::Str) -> sys::Status {
    let count = match lost {
        sys::UNKNOWN_COUNT => Ok(None),
        0..=MAX_LOST_SAMPLES => Ok(Some(lost)),
        more => Err(Refusal::Invalid(format!(
            "{more} lost samples is no count (a difference below zero?); a number that is not known is LKS_UNKNOWN_COUNT"
        ))),
    };
    // SAFETY: `ctx` is this table's, the text is lent for the call.
    unsafe {
        call(ctx, "report_gap", |source| source.report_gap(stream, count?, &human(reason)).map(|()| sys::OK))
    }
}

unsafe extern "C" fn set_state(ctx: *mut c_void, stream: u32, state: u32, reason: sys::Str) -> sys::Status {
    let state = match state {
        sys::STATE_IDLE => Ok(State::Idle),
        sys::STATE_CONNECTING => Ok(State::Connecting),
        sys::STATE_STREAMING => Ok(State::Streaming),
        sys::STATE_DEGRADED => Ok(State::Degraded),
        sys::STATE_LOST => Ok(State::Lost),
        sys::STATE_FINISHED => Ok(State::Finished),
        sys::STATE_FAILED => Ok(State::Failed),
        code => Err(code),
    };
    // SAFETY: `ctx` is this table's, the text is lent for the call.
    unsafe {
        call(ctx, "set_state", |source| {
            let state = state.map_err(|code| Refusal::Invalid(format!("state {code} is unknown")))?;
            source.set_state(stream, state, &human(reason)).map(|()| sys::OK)
        })
    }
}

unsafe extern "C" fn event(ctx: *mut c_void, stream: u32, name: sys::Str, json: sys::Str) -> sys::Status {
    // SAFETY: `ctx` is this table's, the texts are lent for the call.
    unsafe {
        call(ctx, "event", |source| {
            source.event(stream, &human(name), text(json, "the event's JSON")?).map(|()| sys::OK)
        })
    }
}

unsafe extern "C" fn log(ctx: *mut c_void, level: u32, line: sys::Str) {
    // SAFETY: `ctx` is this table's, the text is lent for the call.
    let (Some(context), line) = (unsafe { (context(ctx), human(line)) }) else { return };
    let level = match level {
        sys::LOG_ERROR => Level::Error,
        sys::LOG_WARN => Level::Warning,
        sys::LOG_INFO => Level::Info,
        _ => Level::Debug,
    };
    context.log(level, &line);
}

unsafe extern "C" fn config_error(ctx: *mut c_void, path: sys::Str, message: sys::Str) {
    // SAFETY: `ctx` is this table's, the texts are lent for the call.
    let (Some(context), path, mut message) = (unsafe { (context(ctx), human(path), human(message)) }) else {
        return;
    };
    if message.is_empty() {
        message.push_str("the plugin refused this option");
    }
    let mut problems = context.config_problems.lock();
    if problems.len() < MAX_REASONS {
        problems.push(ConfigProblem { path, message });
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
    } else if name == sys::EXT_SIDE_FILES {
        std::ptr::from_ref(&side_files::TABLE).cast()
    } else {
        std::ptr::null()
    }
}

#[cfg(test)]
mod tests;
