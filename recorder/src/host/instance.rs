//! One instance of a plugin: create, start, stop, destroy, each with its
//! failures told, and a thread of its own for the calls, so that one that hangs
//! holds up nothing but itself.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use lockstep_plugin_api::sys;

use super::callbacks::{ConfigProblem, HostTable, MAX_REASONS};
use super::library::Plugin;

/// An instance pointer on its way to the thread that drives it.
#[derive(Debug)]
struct Handle(*mut c_void);

// SAFETY: by the header, calls for one instance may come from different threads
// as long as they do not overlap; the handle is owned by one thread at a time.
unsafe impl Send for Handle {}

/// What `create` answered.
#[derive(Debug)]
pub enum Created {
    /// An instance, not yet started.
    Ready(Instance),
    /// The options are wrong.
    BadOptions(Vec<ConfigProblem>),
    /// It failed otherwise.
    Failed(String),
}

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReport {
    /// As it should.
    Clean,
    /// With this failure.
    Failed(String),
}

#[derive(Debug)]
enum Command {
    Start,
    Stop,
}

/// Longest wait for a `destroy` when an instance that was never started is dropped.
const DESTROY_DEADLINE: Duration = Duration::from_secs(1);
/// Time between two looks whether it has returned.
const DESTROY_PERIOD: Duration = Duration::from_millis(1);

/// An instance, driven by a thread of its own. Dropping it ends the instance:
/// one that was never started has been destroyed when that returns, unless it
/// takes longer than a second; whoever started one asks it to stop, waits for
/// [`Instance::stopped`] as long as there is time, and leaves it behind.
#[derive(Debug)]
pub struct Instance {
    commands: Sender<Command>,
    answers: Receiver<Result<(), String>>,
    failure: Option<String>,
    begun: AtomicBool,
    thread: Option<JoinHandle<()>>,
}

/// Describe a status that is not OK, with what the plugin logged about it.
fn failure(host: HostTable, call: &str, status: sys::Status) -> String {
    let mut reasons = host.take_errors();
    // An option that only turned out to be wrong now.
    reasons
        .extend(host.take_config_problems().into_iter().map(|p| format!("option {}: {}", p.path, p.message)));
    if !reasons.is_empty() {
        return reasons.join("; ");
    }
    let meaning = match status {
        sys::AGAIN => "try again",
        sys::EINVAL => "invalid argument",
        sys::ECONFIG => "wrong options",
        sys::EIO => "device or network failure",
        sys::EPANIC => "internal failure",
        sys::ESTATE => "not in this state",
        sys::ENOMEM => "limit reached",
        _ => "unknown status",
    };
    format!("{call} failed: {meaning} (status {status}); the plugin gave no reason")
}

impl Instance {
    /// Make an instance from its options, a JSON object.
    pub fn create(plugin: &Plugin, host: HostTable, options_json: &str, name: &str) -> Created {
        let Some(create) = plugin.table.create else { return Created::Failed("no create".to_owned()) };
        let mut handle = std::ptr::null_mut();
        // SAFETY: the table's function, with a host table that lives for ever, a text
        // and a place for the instance that live for the call.
        let status = unsafe { create(host.as_ptr(), sys::Str::new(options_json), &mut handle) };
        let problems = host.take_config_problems();
        if status != sys::OK || handle.is_null() {
            return match status {
                _ if !problems.is_empty() => Created::BadOptions(problems),
                sys::ECONFIG => {
                    let message = failure(host, "create", status);
                    Created::BadOptions(vec![ConfigProblem { path: String::new(), message }])
                }
                sys::OK => Created::Failed("create gave no instance".to_owned()),
                status => Created::Failed(failure(host, "create", status)),
            };
        }
        let (commands, inbox) = bounded(2);
        // Room for every answer there can be: of start, of stop, and each line of destroy.
        let (outbox, answers) = bounded(2 + MAX_REASONS);
        let (handle, table) = (Handle(handle), plugin.table);
        let thread = std::thread::Builder::new().name(format!("source-{name}")).spawn(move || {
            drive(table, host, handle, &inbox, &outbox);
        });
        match thread {
            Ok(thread) => Created::Ready(Self {
                commands,
                answers,
                failure: None,
                begun: AtomicBool::new(false),
                thread: Some(thread),
            }),
            Err(e) => Created::Failed(format!("no thread for the source: {e}")),
        }
    }

    /// Begin. The answer comes through [`Instance::started`].
    pub fn start(&self) {
        self.begun.store(true, Relaxed);
        // The channel holds both commands there are, and its other end lives as long as the thread.
        drop(self.commands.try_send(Command::Start));
    }

    /// Whether `start` has answered, and what.
    pub fn started(&self) -> Option<Result<(), String>> {
        self.answers.try_recv().ok()
    }

    /// What `start` has answered, waited for.
    pub fn wait_started(&self) -> Result<(), String> {
        // Without an answer its thread has ended.
        self.answers.recv().unwrap_or_else(|_| Err("start was not called".to_owned()))
    }

    /// How it ended, waited for, after [`Instance::stop`] or a failed start.
    pub fn wait_stopped(&mut self) -> StopReport {
        while let Ok(answer) = self.answers.recv() {
            self.failure = answer.err().or(self.failure.take());
        }
        self.failure.take().map_or(StopReport::Clean, StopReport::Failed)
    }

    /// Ask it to stop. The answer comes through [`Instance::stopped`].
    pub fn stop(&self) {
        drop(self.commands.try_send(Command::Stop));
    }

    /// How it ended, when it has, after [`Instance::stop`] or a failed start.
    pub fn stopped(&mut self) -> Option<StopReport> {
        loop {
            match self.answers.try_recv() {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => self.failure = Some(reason),
                Err(TryRecvError::Empty) => return None,
                // The thread has ended, hence the instance.
                Err(TryRecvError::Disconnected) => {
                    return Some(self.failure.take().map_or(StopReport::Clean, StopReport::Failed));
                }
            }
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.stop();
        let waits = if self.begun.load(Relaxed) { Duration::ZERO } else { DESTROY_DEADLINE };
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < waits {
            std::thread::sleep(DESTROY_PERIOD);
        }
        if thread.is_finished() {
            // It has ended, so this waits for nothing; a panic in it is not this thread's.
            drop(thread.join());
        }
    }
}

/// The life of an instance, on its own thread.
fn drive(
    table: &'static sys::Plugin,
    host: HostTable,
    handle: Handle,
    inbox: &Receiver<Command>,
    outbox: &Sender<Result<(), String>>,
) {
    // `Plugin::from_table` refused tables with one of them missing.
    let (Some(start), Some(stop), Some(destroy)) = (table.start, table.stop, table.destroy) else { return };
    let answer = |call: &str, status: sys::Status| {
        let result = if status == sys::OK { Ok(()) } else { Err(failure(host, call, status)) };
        drop(outbox.try_send(result));
    };
    let mut started = false;
    while let Ok(command) = inbox.recv() {
        match command {
            Command::Start => {
                // What was logged before is no reason of this call's failure.
                drop(host.take_errors());
                // SAFETY: the instance of `create`, started at most once.
                let status = unsafe { start(handle.0) };
                started = status == sys::OK;
                if !started {
                    // A thread it has left behind must record nothing of a source that has failed.
                    host.close();
                }
                answer("start", status);
                if !started {
                    break;
                }
            }
            Command::Stop => break,
        }
    }
    if started {
        drop(host.take_errors());
        // SAFETY: a started instance, stopped once.
        let status = unsafe { stop(handle.0) };
        answer("stop", status);
    }
    // By the header nothing is taken after stop has returned.
    host.close();
    // What was logged is no failure of what returned a good status.
    drop(host.take_errors());
    // SAFETY: exactly once, after stop, a failed start, or no start; never used again.
    unsafe { destroy(handle.0) };
    // It returns no status: a line is all by which it can say that it failed.
    for reason in host.take_errors() {
        drop(outbox.try_send(Err(reason)));
    }
}

#[cfg(test)]
mod tests;
