//! What the recorder offers to a source.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use crate::clock::{Clock, ClockInfo};
use crate::error::Error;
use crate::probe::ProbeSettings;
use crate::shim::panic_text;
use crate::stream::{Format, RawStream, Sample, Stream, StreamBuilder, TextStream};
use crate::sys;

/// The recorder, as a source sees it. A small handle, to be copied into threads.
#[derive(Clone, Copy)]
pub struct Host(&'static sys::Host);

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Host")
    }
}

/// Level of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is wrong, and the source goes on.
    Warn,
    /// Worth knowing.
    Info,
    /// For whoever develops the plugin.
    Debug,
}

/// State of a source or stream, shown to the operator and written into the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Looking for the device, or waiting for its first data: a recording that requires a source in
    /// this state does not begin.
    Connecting,
    /// Data arrive.
    Streaming,
    /// Data arrive, but something is wrong.
    Degraded,
    /// The device is gone; the source keeps trying.
    Lost,
    /// No more data will ever come.
    Finished,
    /// The source gave up.
    Failed,
}

impl Host {
    /// The host behind a table; `None` when the table is NULL, misaligned, too
    /// short, or of another major version. Functions that an older host does not
    /// have are NULL in the copy that is kept.
    ///
    /// # Safety
    /// `table` must be NULL, misaligned, or point to a host table with at least
    /// `struct_size` readable bytes, whose functions and `ctx` stay valid for the
    /// life of the process.
    pub unsafe fn from_raw(table: *const sys::Host) -> Option<Self> {
        // SAFETY: by this function's contract.
        let table = unsafe { sys::read(table) }.ok()?;
        // Leaked, once for each instance: handles are copied into threads that may outlive it.
        (table.abi_major == sys::ABI_MAJOR).then(|| Self(Box::leak(Box::new(table))))
    }

    pub(crate) fn table(self) -> &'static sys::Host {
        self.0
    }

    /// Recorder time in seconds: the monotonic clock of this machine.
    pub fn now_s(&self) -> f64 {
        // SAFETY: the table's function with its own ctx.
        self.0.now.map_or(f64::NAN, |now| unsafe { now(self.0.ctx) })
    }

    /// Declare a device clock. From `start` on.
    pub fn add_clock(&self, info: &ClockInfo) -> Result<Clock, Error> {
        Clock::add(*self, info)
    }

    /// Describe a stream of numbers, `T` one of `i8 i16 i32 i64 f32 f64`; then [`StreamBuilder::add`] it.
    pub fn stream<T: Sample>(&self, name: &str, channel_count: usize) -> StreamBuilder<Stream<T>> {
        StreamBuilder::new(*self, name, T::FORMAT, channel_count)
    }

    /// Describe a stream of strings; then [`StreamBuilder::add`] it.
    pub fn text_stream(&self, name: &str, channel_count: usize) -> StreamBuilder<TextStream> {
        StreamBuilder::new(*self, name, Format::String, channel_count)
    }

    /// Describe a stream whose format is known at run time only; then [`StreamBuilder::add`] it.
    pub fn raw_stream(&self, name: &str, format: Format, channel_count: usize) -> StreamBuilder<RawStream> {
        StreamBuilder::new(*self, name, format, channel_count)
    }

    /// Say how the source as a whole is doing. The reason is shown as it is.
    pub fn set_state(&self, state: State, reason: &str) {
        self.set_stream_state(sys::WHOLE_SOURCE, state, reason);
    }

    pub(crate) fn set_stream_state(&self, stream: u32, state: State, reason: &str) {
        let code = match state {
            State::Connecting => sys::STATE_CONNECTING,
            State::Streaming => sys::STATE_STREAMING,
            State::Degraded => sys::STATE_DEGRADED,
            State::Lost => sys::STATE_LOST,
            State::Finished => sys::STATE_FINISHED,
            State::Failed => sys::STATE_FAILED,
        };
        if let Some(call) = self.0.set_state {
            // SAFETY: the table's function with its own ctx; `reason` lives for the call.
            unsafe { call(self.0.ctx, stream, code, sys::Str::new(reason)) };
        }
    }

    /// Write an event into the recording: a name, and details as JSON.
    pub fn event(&self, name: &str, details: &serde_json::Value) -> Result<(), Error> {
        self.stream_event(sys::WHOLE_SOURCE, name, details)
    }

    pub(crate) fn stream_event(
        &self,
        stream: u32,
        name: &str,
        details: &serde_json::Value,
    ) -> Result<(), Error> {
        let Some(call) = self.0.event else { return Err(Error::NotRunning) };
        let json = details.to_string();
        // SAFETY: the table's function with its own ctx; both texts live for the call.
        let status = unsafe { call(self.0.ctx, stream, sys::Str::new(name), sys::Str::new(&json)) };
        Error::check(status, "event")
    }

    /// A line for the recorder's log.
    pub fn log(&self, level: LogLevel, text: &str) {
        let code = match level {
            LogLevel::Error => sys::LOG_ERROR,
            LogLevel::Warn => sys::LOG_WARN,
            LogLevel::Info => sys::LOG_INFO,
            LogLevel::Debug => sys::LOG_DEBUG,
        };
        if let Some(call) = self.0.log {
            // SAFETY: the table's function with its own ctx; `text` lives for the call.
            unsafe { call(self.0.ctx, code, sys::Str::new(text)) };
        }
    }

    /// An option is wrong: shown at that place of the configuration.
    pub(crate) fn config_error(&self, path: &str, message: &str) {
        if let Some(call) = self.0.config_error {
            // SAFETY: the table's function with its own ctx; both texts live for the call.
            unsafe { call(self.0.ctx, sys::Str::new(path), sys::Str::new(message)) };
        }
    }

    /// How often the experiment wants clocks measured; the SDK's defaults where the host does not say.
    pub fn probe_settings(&self) -> ProbeSettings {
        // SAFETY: by the header, the extension of this name is NULL or a static lks_probe_settings.
        match unsafe { self.extension::<sys::ProbeSettings>(sys::EXT_PROBE_SETTINGS) } {
            Some(s) => ProbeSettings { interval_s: s.interval_s, probes_per_burst: s.probes_per_burst },
            None => ProbeSettings::default(),
        }
    }

    /// What the experiment calls this source: a good name for its only stream.
    pub fn source_name(&self) -> &'static str {
        // SAFETY: by the header, the extension of this name is NULL or a static lks_source_info.
        let info = unsafe { self.extension::<sys::SourceInfo>(sys::EXT_SOURCE_INFO) };
        // SAFETY: by the header, the text is valid as long as the table, which is for ever.
        info.and_then(|info| unsafe { info.name.as_str() }).unwrap_or("")
    }

    /// A copy of the extension `name`, if the host has it.
    ///
    /// # Safety
    /// `T` must be what the header says an extension of this name points to.
    pub(crate) unsafe fn extension<T: sys::Versioned>(&self, name: &std::ffi::CStr) -> Option<T> {
        let call = self.0.get_extension?;
        // SAFETY: the table's function with its own ctx and a terminated name; what it
        // points to is a `T` of some version by this function's contract.
        unsafe { sys::read(call(self.0.ctx, name.as_ptr()).cast::<T>()) }.ok()
    }

    /// Start a named thread. An error it returns or a panic in it is logged and
    /// makes the source [`State::Failed`]; it never ends silently.
    pub fn spawn(
        &self,
        name: &str,
        body: impl FnOnce() -> Result<(), Error> + Send + 'static,
    ) -> Result<SourceThread, Error> {
        let (host, thread_name) = (*self, name.to_owned());
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let failure = match catch_unwind(AssertUnwindSafe(body)) {
                // A source that was stopped meanwhile is no failure.
                Ok(Ok(()) | Err(Error::NotRunning)) => return,
                Ok(Err(error)) => format!("thread {thread_name}: {error}"),
                Err(payload) => format!("thread {thread_name} panicked: {}", panic_text(payload)),
            };
            host.log(LogLevel::Error, &failure);
            host.set_state(State::Failed, &failure);
        })?;
        Ok(SourceThread(handle))
    }
}

/// A thread of a source, from [`Host::spawn`].
#[derive(Debug)]
pub struct SourceThread(JoinHandle<()>);

#[cfg(test)]
impl From<JoinHandle<()>> for SourceThread {
    fn from(handle: JoinHandle<()>) -> Self {
        Self(handle)
    }
}

impl SourceThread {
    /// Wait until it has ended. Returns at once when called in that thread itself.
    pub fn join(self) {
        if self.0.thread().id() == std::thread::current().id() {
            return;
        }
        // Panics were caught inside, so there is no payload to speak of.
        drop(self.0.join());
    }
}

#[cfg(test)]
mod tests;
