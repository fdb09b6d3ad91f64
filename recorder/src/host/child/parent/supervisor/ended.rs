//! What follows the end of a child.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use lockstep_platform::child::{Ended, signal_name};
use serde_json::json;

use super::{Made, Step, Supervisor, Told};
use crate::host::StopReport;
use crate::host::child::process::Process;
use crate::recording::intake::SourceIntake;
use crate::recording::notice::Level;
use crate::recording::state::State;

/// A source whose process ends so often before it has ever started cannot be started.
const FIRST_STARTS: u32 = 3;
/// What is waited before another child is started, after each that ended soon.
const RESTART_WAITS_S: [f64; 7] = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0];
/// A child that has lived so long was well.
const WELL_AFTER: Duration = Duration::from_secs(60);
/// Reads of what a child has left behind: more than its pipe holds.
const LAST_READS: usize = 16;

impl Supervisor {
    /// The child has ended: what it left behind is taken, and it is decided what comes now.
    pub(super) fn ended(&mut self, ended: &Ended) {
        for _ in 0..LAST_READS {
            if !self.hear() {
                break;
            }
        }
        let Some(mut process) = self.process.take() else { return };
        process.printed.finish(|line| self.log(Level::Info, line));
        {
            let mut status = self.status.lock();
            (status.pid, status.rss_bytes) = (None, None);
        }
        let fate = process.fate(ended);
        let lived = process.began.elapsed();
        if self.asked_to_stop.is_some() && self.stop_report.is_none() {
            self.record_end(ended, &fate, lived, None);
            self.stop_report = Some(StopReport::Failed(fate));
            return;
        }
        if self.asked_to_stop.is_some() || self.is_over {
            return;
        }
        drop(process);
        if self.wanted == Step::Running && self.answered < Step::Running && self.has_sent() {
            // Its start has not answered, and did what it is for.
            self.answered = Step::Running;
            self.tell(Told::Started(Ok(())));
        }
        match self.answered {
            Step::Loading => {
                self.is_over = true;
                self.answered = Step::Loaded;
                self.tell(Told::Hello(Err(format!("while it was loaded, {fate}"))));
            }
            Step::Loaded | Step::Creating => {
                self.is_over = true;
                self.answered = Step::Created;
                self.tell(Told::Made(Made::Failed(format!("while an instance was made, {fate}"))));
            }
            Step::Created | Step::Starting => self.ended_before_its_start(ended, &fate, lived),
            Step::Running if self.intake().is_some_and(|i| i.state().0 == State::Finished) => {
                self.is_over = true;
                self.record_end(ended, &fate, lived, None);
                self.log(Level::Warning, &format!("it had finished, and then {fate}"));
            }
            Step::Running => self.lost(ended, &fate, lived),
        }
    }

    /// Whether a sample of it was ever taken.
    fn has_sent(&self) -> bool {
        let has_sent =
            |intake: &SourceIntake| intake.streams.iter().any(|s| s.counters.received.load(Relaxed) > 0);
        self.intake().is_some_and(has_sent)
    }

    fn ended_before_its_start(&mut self, ended: &Ended, fate: &str, lived: Duration) {
        if self.wanted == Step::Running && self.ended_soon + 1 >= FIRST_STARTS as usize {
            self.is_over = true;
            self.answered = Step::Running;
            self.record_end(ended, fate, lived, None);
            let why = format!("{fate}, {FIRST_STARTS} times before it had started");
            self.tell(Told::Started(Err(why)));
            return;
        }
        let wait_s = self.plan_restart(lived);
        self.record_end(ended, fate, lived, Some(wait_s));
        self.log(Level::Error, &format!("before it had started, {fate}; it is started again in {wait_s} s"));
    }

    /// The source is lost, until the next child has started.
    fn lost(&mut self, ended: &Ended, fate: &str, lived: Duration) {
        let wait_s = self.plan_restart(lived);
        self.record_end(ended, fate, lived, Some(wait_s));
        if let Some(receiver) = &mut self.receiver {
            receiver.lost(fate);
        }
        self.log(Level::Warning, &format!("it is started again in {wait_s} s"));
    }

    /// When another is started, and in how many seconds that is.
    pub(super) fn plan_restart(&mut self, lived: Duration) -> f64 {
        if lived >= WELL_AFTER {
            self.ended_soon = 0;
        }
        let wait_s = RESTART_WAITS_S[self.ended_soon.min(RESTART_WAITS_S.len() - 1)];
        self.ended_soon += 1;
        self.restart_at = Some(Instant::now() + Duration::from_secs_f64(wait_s));
        wait_s
    }

    fn record_end(&self, ended: &Ended, fate: &str, lived: Duration, restart_in_s: Option<f64>) {
        let Some(intake) = self.intake() else { return };
        intake.record(
            "child_exit",
            json!({
                "reason": fate, "code": ended.code, "signal": ended.signal.map(signal_name),
                "lived_s": lived.as_secs_f64(), "memory_bytes": ended.most_bytes, "restart_in_s": restart_in_s,
            }),
        );
    }

    /// Start the next one.
    pub(super) fn restart(&mut self) {
        self.restart_at = None;
        match Process::spawn(&self.spec) {
            Ok(process) => {
                let restarts = {
                    let mut status = self.status.lock();
                    status.restarts += 1;
                    status.restarts
                };
                let pid = process.pid;
                self.adopt(process);
                let is_lost = self.answered == Step::Running;
                if let Some(receiver) = &mut self.receiver {
                    receiver.begin();
                    receiver.intake().record("child_restart", json!({"pid": pid, "restarts": restarts}));
                    if is_lost {
                        // Refused only after the end.
                        let _ = receiver.intake().set_state(0, State::Idle, "its process was started again");
                    }
                }
            }
            Err(e) => {
                let wait_s = self.plan_restart(Duration::ZERO);
                self.log(
                    Level::Error,
                    &format!("no process could be started: {e}; another try in {wait_s} s"),
                );
            }
        }
    }
}
