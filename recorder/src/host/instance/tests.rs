//! Instances of a plugin that does what each test tells it.

use std::ffi::c_char;
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32};

use super::*;
use crate::host::testing::source;
use crate::host::{Origin, Plugin};
use crate::recording::intake::SourceIntake;

/// What the calls of one instance do; its pointer is the instance.
#[derive(Debug)]
struct Script {
    host: *const sys::Host,
    start: sys::Status,
    stop: sys::Status,
    /// An error line is logged in stop and in destroy.
    stop_line: bool,
    destroy_line: bool,
    destroy_takes: Duration,
    /// What a push in destroy was answered.
    pushed: Arc<AtomicI32>,
    destroyed: Arc<AtomicU32>,
}

// SAFETY: the pointer is to a host table, which is for all threads.
unsafe impl Send for Script {}

thread_local! {
    static NEXT: std::cell::RefCell<Option<Script>> = const { std::cell::RefCell::new(None) };
}

unsafe extern "C" fn create(host: *const sys::Host, _: sys::Str, out: *mut *mut c_void) -> sys::Status {
    let mut script = Box::new(NEXT.take().expect("a script"));
    script.host = host;
    // SAFETY: the place the host lends.
    unsafe { out.write(Box::into_raw(script).cast()) };
    sys::OK
}

fn log(host: *const sys::Host, text: &str) {
    // SAFETY: the table the host gave, with its own ctx.
    unsafe { ((*host).log.expect("log"))((*host).ctx, sys::LOG_ERROR, sys::Str::new(text)) };
}

unsafe extern "C" fn start(instance: *mut c_void) -> sys::Status {
    // SAFETY: what create made.
    let script = unsafe { &*instance.cast::<Script>() };
    if script.start != sys::OK {
        log(script.host, "why it cannot start");
    }
    script.start
}

unsafe extern "C" fn stop(instance: *mut c_void) -> sys::Status {
    // SAFETY: what create made.
    let script = unsafe { &*instance.cast::<Script>() };
    if script.stop_line {
        log(script.host, "a line in stop");
    }
    script.stop
}

unsafe extern "C" fn destroy(instance: *mut c_void) {
    // SAFETY: what create made, for the last time.
    let script = unsafe { Box::from_raw(instance.cast::<Script>()) };
    let host = script.host;
    // SAFETY: the table the host gave, with its own ctx.
    let answer =
        unsafe { ((*host).set_state.expect("it"))((*host).ctx, 0, sys::STATE_STREAMING, sys::Str::EMPTY) };
    script.pushed.store(answer, Relaxed);
    if script.destroy_line {
        log(host, "a line in destroy");
    }
    std::thread::sleep(script.destroy_takes);
    script.destroyed.fetch_add(1, Relaxed);
}

static TABLE: sys::Plugin = sys::Plugin {
    struct_size: size_of::<sys::Plugin>() as u32,
    abi_major: sys::ABI_MAJOR,
    abi_minor: sys::ABI_MINOR,
    reserved: 0,
    id: c"script".as_ptr(),
    version: c"1".as_ptr(),
    description: c"For tests".as_ptr(),
    options_schema: None::<unsafe extern "C" fn() -> *const c_char>,
    create: Some(create),
    start: Some(start),
    stop: Some(stop),
    destroy: Some(destroy),
    get_extension: None,
};

struct Run {
    instance: Instance,
    source: Arc<SourceIntake>,
    pushed: Arc<AtomicI32>,
    destroyed: Arc<AtomicU32>,
}

fn run(change: impl FnOnce(&mut Script)) -> Run {
    let (host, source, _shown) = source();
    let mut script = Script {
        host: null(),
        start: sys::OK,
        stop: sys::OK,
        stop_line: false,
        destroy_line: false,
        destroy_takes: Duration::ZERO,
        pushed: Arc::new(AtomicI32::new(i32::MAX)),
        destroyed: Arc::default(),
    };
    change(&mut script);
    let (pushed, destroyed) = (Arc::clone(&script.pushed), Arc::clone(&script.destroyed));
    NEXT.set(Some(script));
    let plugin = Plugin::built_in(&TABLE).expect("usable");
    assert_eq!(plugin.origin, Origin::BuiltIn);
    let Created::Ready(instance) = Instance::create(&plugin, host, "{}", "it") else { panic!("created") };
    Run { instance, source, pushed, destroyed }
}

impl Run {
    fn ended(&mut self) -> StopReport {
        loop {
            if let Some(report) = self.instance.stopped() {
                return report;
            }
            std::thread::yield_now();
        }
    }

    fn stopped(&mut self) -> StopReport {
        self.instance.start();
        self.instance.stop();
        self.ended()
    }
}

#[test]
fn a_source_whose_start_fails_records_nothing_more() {
    let mut run = run(|script| script.start = sys::EIO);
    run.instance.start();
    let report = run.ended();
    assert_eq!(report, StopReport::Failed("why it cannot start".to_owned()));
    assert_eq!(run.pushed.load(Relaxed), sys::ESTATE, "closed before destroy");
    assert!(run.source.stream(0).is_err());
    assert_eq!(run.destroyed.load(Relaxed), 1);
}

#[test]
fn a_line_in_stop_explains_a_failure_and_is_none() {
    assert_eq!(run(|script| script.stop_line = true).stopped(), StopReport::Clean);
    let both = run(|script| (script.stop, script.stop_line) = (sys::EIO, true)).stopped();
    assert_eq!(both, StopReport::Failed("a line in stop".to_owned()));
    let StopReport::Failed(silent) = run(|script| script.stop = sys::EIO).stopped() else {
        panic!("it failed")
    };
    assert!(silent.contains("stop failed: device or network failure"), "{silent}");
}

#[test]
fn a_line_in_destroy_is_its_failure_for_it_has_no_status() {
    let report = run(|script| script.destroy_line = true).stopped();
    assert_eq!(report, StopReport::Failed("a line in destroy".to_owned()));
}

#[test]
fn after_stop_nothing_is_taken() {
    let mut run = run(|_| ());
    assert_eq!(run.stopped(), StopReport::Clean);
    assert_eq!(run.pushed.load(Relaxed), sys::ESTATE);
}

#[test]
fn dropping_an_instance_that_was_never_started_waits_for_destroy() {
    let run = run(|script| script.destroy_takes = Duration::from_millis(20));
    drop(run.instance);
    assert_eq!(run.destroyed.load(Relaxed), 1);
}

#[test]
fn dropping_an_instance_that_hangs_in_destroy_does_not_wait_for_ever() {
    let run = run(|script| script.destroy_takes = Duration::from_secs(3600));
    drop(run.instance);
    assert_eq!(run.destroyed.load(Relaxed), 0);
}

#[test]
fn dropping_an_instance_that_was_started_does_not_wait() {
    let run = run(|script| script.destroy_takes = Duration::from_secs(3600));
    run.instance.start();
    drop(run.instance);
    assert_eq!(run.destroyed.load(Relaxed), 0);
}
