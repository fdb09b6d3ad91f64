//! The thread that starts a child, takes what it says, and starts another when it is gone.

mod ended;
mod news;

use std::io::{PipeReader, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use lockstep_platform::child::readable;
use parking_lot::Mutex;

use news::News;

use super::{ChildSpec, Command, Made, Told};
use crate::host::StopReport;
use crate::host::child::frame::{FromParent, PROTOCOL};
use crate::host::child::process::Process;
use crate::host::child::receive;
use crate::recording::intake::SourceIntake;
use crate::recording::notice::Level;
use crate::recording::status::ChildStatus;

/// Between two looks at a child.
const LOOK_PERIOD: Duration = Duration::from_millis(250);
/// The same, of one that is about to end.
const END_PERIOD: Duration = Duration::from_millis(2);
/// The same, of none.
const IDLE_WAIT: Duration = Duration::from_secs(10);
/// A child that has closed its pipe ends within this.
const MUTE_WAIT: Duration = Duration::from_millis(500);
/// Loading a plugin, making an instance, and starting it again take no longer.
const STEP_WAIT: Duration = Duration::from_secs(10);
/// A child that was asked to stop is killed after this: the session waits a little longer.
const STOP_WAIT: Duration = Duration::from_millis(500);

/// How far a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Loading,
    Loaded,
    Creating,
    Created,
    Starting,
    Running,
}

/// What an instance is made from.
#[derive(Debug)]
struct Making {
    options_json: String,
    probes: u32,
    interval_s: f64,
}

/// The thread that watches over the children of one source, one after the other.
#[derive(Debug)]
pub struct Supervisor {
    spec: ChildSpec,
    commands: Receiver<Command>,
    told: Sender<Told>,
    woken: PipeReader,
    status: Arc<Mutex<ChildStatus>>,
    receiver: Option<receive::Receiver>,
    making: Option<Making>,
    process: Option<Process>,
    step: Step,
    step_began: Instant,
    /// How far a child is to get.
    wanted: Step,
    /// How far the session knows it to have got.
    answered: Step,
    /// It has said that it cannot, or that it is over: nothing is started any more.
    is_over: bool,
    /// When the session asked it to stop.
    asked_to_stop: Option<Instant>,
    stop_report: Option<StopReport>,
    ended_soon: usize,
    restart_at: Option<Instant>,
    looked: Instant,
    /// Nobody is left who could wake it.
    is_alone: bool,
}

impl Supervisor {
    pub(super) fn new(
        spec: ChildSpec,
        commands: Receiver<Command>,
        told: Sender<Told>,
        woken: PipeReader,
        status: Arc<Mutex<ChildStatus>>,
    ) -> Self {
        let now = Instant::now();
        Self {
            spec,
            commands,
            told,
            woken,
            status,
            receiver: None,
            making: None,
            process: None,
            step: Step::Loading,
            step_began: now,
            wanted: Step::Loaded,
            answered: Step::Loading,
            is_over: false,
            asked_to_stop: None,
            stop_report: None,
            ended_soon: 0,
            restart_at: None,
            looked: now,
            is_alone: false,
        }
    }

    /// Until the source is stopped, or nobody is there who could stop it.
    pub fn run(mut self) {
        match Process::spawn(&self.spec) {
            Ok(process) => self.adopt(process),
            Err(e) => {
                self.tell(Told::Hello(Err(format!("no process could be started: {e}"))));
                return;
            }
        }
        loop {
            self.wait();
            let is_dropped = self.take_commands();
            self.hear();
            self.look();
            if self.process.is_none() && (self.asked_to_stop.is_some() || is_dropped) {
                let report = self.stop_report.take().unwrap_or(StopReport::Clean);
                self.tell(Told::Stopped(report));
                return;
            }
        }
    }

    fn tell(&self, told: Told) {
        // There is room for each there is; nobody may be left to hear it.
        drop(self.told.try_send(told));
    }

    fn intake(&self) -> Option<&SourceIntake> {
        self.receiver.as_ref().map(receive::Receiver::intake)
    }

    fn log(&self, level: Level, text: &str) {
        if let Some(intake) = self.intake() {
            intake.log(level, text);
        }
    }

    fn adopt(&mut self, process: Process) {
        self.status.lock().pid = Some(process.pid);
        self.process = Some(process);
        self.step_to(Step::Loading);
    }

    fn step_to(&mut self, step: Step) {
        self.step = step;
        self.step_began = Instant::now();
    }

    /// How long there may be nothing to do, if nobody says anything.
    fn patience(&self, now: Instant) -> Duration {
        let until = |at: Instant| at.saturating_duration_since(now);
        let Some(process) = &self.process else { return self.restart_at.map_or(IDLE_WAIT, until) };
        if process.is_mute || process.killed_for.is_some() {
            return END_PERIOD;
        }
        let look = until(self.looked + LOOK_PERIOD);
        self.asked_to_stop.map_or(look, |asked| look.min(until(asked + STOP_WAIT)))
    }

    /// Wait until there is something to do.
    fn wait(&mut self) {
        let now = Instant::now();
        let mut wait = self.patience(now);
        let (mut frames, mut prints) = (None, None);
        if let Some(process) = &mut self.process {
            let pause = process.printed.pause(now);
            wait = pause.map_or(wait, |pause| wait.min(pause));
            prints = (!process.is_blank && pause.is_none()).then(|| process.prints.as_fd());
            frames = (!process.is_mute).then(|| process.frames.as_fd());
        }
        let woken = (!self.is_alone).then(|| self.woken.as_fd());
        // An error would be one of this program; without the wait it would turn in circles.
        match readable([frames, prints, woken], wait) {
            Ok([_, _, true]) => self.is_alone = matches!((&self.woken).read(&mut [0; 16]), Ok(0)),
            Ok(_) => {}
            Err(_) => std::thread::sleep(END_PERIOD),
        }
    }

    /// Do what the session asks for; whether there is no session any more.
    fn take_commands(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Create { intake, options_json, probes, interval_s }) => {
                    self.receiver = Some(receive::Receiver::new(intake));
                    self.making = Some(Making { options_json, probes, interval_s });
                    self.wanted = Step::Created;
                }
                Ok(Command::Start) => self.wanted = Step::Running,
                Ok(Command::Stop) => self.begin_to_stop(),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.begin_to_stop();
                    return true;
                }
            }
        }
        self.advance();
        false
    }

    /// Ask the child for the next step, if it is to get further than it is.
    fn advance(&mut self) {
        let Some(process) = self.process.as_mut().filter(|_| self.asked_to_stop.is_none()) else { return };
        match (self.step, &self.making) {
            (Step::Loaded, Some(making)) if self.wanted >= Step::Created => {
                let Making { options_json, probes, interval_s } = making;
                let (probes, interval_s) = (*probes, *interval_s);
                process.say(&FromParent::Create { options_json, probes, interval_s });
                self.step_to(Step::Creating);
            }
            (Step::Created, _) if self.wanted == Step::Running => {
                process.say(&FromParent::Start);
                self.step_to(Step::Starting);
            }
            _ => {}
        }
    }

    fn begin_to_stop(&mut self) {
        if self.asked_to_stop.is_some() {
            return;
        }
        self.asked_to_stop = Some(Instant::now());
        self.restart_at = None;
        let is_restarting = self.answered == Step::Running && self.step < Step::Running;
        match &mut self.process {
            // Its source was told to be lost, and nothing of it is new.
            Some(process) if is_restarting => {
                self.stop_report = Some(StopReport::Clean);
                process.kill("was starting again".to_owned());
            }
            Some(process) => process.say(&FromParent::Stop),
            None => {}
        }
    }

    /// Take what the child has said and printed. Whether it may have more.
    fn hear(&mut self) -> bool {
        let Some(process) = &mut self.process else { return false };
        let mut news = Vec::new();
        let receiver = &mut self.receiver;
        let more = process.listen(|said, answers| match News::of(&said) {
            Some(it) => news.push(it),
            None => {
                if let Some(receiver) = receiver {
                    receiver.take(said, answers);
                }
            }
        });
        let mut lines = Vec::new();
        process.read_prints(|line| match receiver {
            Some(receiver) => receiver.intake().log(Level::Info, line),
            None => lines.push(line.to_owned()),
        });
        lines.into_iter().for_each(|line| process.printed.keep(line));
        if let Some(receiver) = receiver {
            process.printed.take_kept().iter().for_each(|line| receiver.intake().log(Level::Info, line));
        }
        news.into_iter().for_each(|news| self.take(news));
        self.advance();
        more
    }

    fn kill(&mut self, why: String) {
        if let Some(process) = &mut self.process {
            process.kill(why);
        }
    }

    fn take(&mut self, news: News) {
        let is_first = |answered: Step, step: Step| answered < step;
        match news {
            News::Hello(protocol, _) if protocol != PROTOCOL => {
                self.kill(format!("speaks version {protocol} of what is {PROTOCOL} here"));
            }
            News::Hello(_, facts) => {
                self.step_to(Step::Loaded);
                if is_first(self.answered, Step::Loaded) {
                    self.answered = Step::Loaded;
                    self.tell(Told::Hello(Ok(facts)));
                }
            }
            News::CannotLoad(why) if is_first(self.answered, Step::Loaded) => {
                self.answered = Step::Loaded;
                self.is_over = true;
                self.tell(Told::Hello(Err(why)));
            }
            News::CannotLoad(why) => self.kill(format!("could not load its plugin again ({why})")),
            News::Made(made) => {
                self.step_to(Step::Created);
                if is_first(self.answered, Step::Created) {
                    self.answered = Step::Created;
                    self.is_over = made != Made::Ready;
                    self.tell(Told::Made(made));
                } else if made != Made::Ready {
                    self.kill(format!("could not make its instance again ({})", made.why()));
                }
            }
            News::Started(failure) if is_first(self.answered, Step::Running) => {
                self.answered = Step::Running;
                self.step_to(Step::Running);
                if failure.is_some() {
                    self.give_up();
                }
                self.tell(Told::Started(failure.map_or(Ok(()), Err)));
            }
            News::Started(Some(why)) => self.kill(format!("could not be started again ({why})")),
            News::Started(None) => self.step_to(Step::Running),
            News::Stopped(failure) => {
                self.stop_report = Some(failure.map_or(StopReport::Clean, StopReport::Failed));
            }
        }
    }

    /// The source has failed in its first start: what a thread of it still says is not recorded.
    fn give_up(&mut self) {
        self.is_over = true;
        if let Some(intake) = self.intake() {
            intake.close();
        }
        if let Some(process) = &mut self.process {
            process.say(&FromParent::Stop);
        }
    }

    /// Look at the child from outside, and start another where there is none.
    fn look(&mut self) {
        let now = Instant::now();
        if self.restart_at.is_some_and(|at| at <= now) {
            self.restart();
        }
        let Some(process) = &mut self.process else { return };
        let is_ending = process.is_mute || process.killed_for.is_some();
        if self.looked.elapsed() < LOOK_PERIOD && !is_ending && self.asked_to_stop.is_none() {
            return;
        }
        if self.looked.elapsed() >= LOOK_PERIOD {
            self.looked = now;
            process.look();
            self.status.lock().rss_bytes = Some(process.rss_bytes);
        }
        let step_for = now.duration_since(self.step_began);
        let is_slow = step_for > STEP_WAIT
            && match self.step {
                Step::Loading | Step::Creating => true,
                // The session looks after the first one.
                Step::Starting => self.answered == Step::Running,
                Step::Loaded | Step::Created | Step::Running => false,
            };
        if self.asked_to_stop.is_some_and(|asked| asked.elapsed() >= STOP_WAIT) {
            process.kill(format!("did not stop within {} ms", STOP_WAIT.as_millis()));
        } else if is_slow {
            let what = match self.step {
                Step::Loading => "did not load its plugin",
                Step::Creating => "did not make its instance",
                _ => "did not start",
            };
            process.kill(format!("{what} within {} s", STEP_WAIT.as_secs()));
        } else if process.is_mute && process.mute_for(now) > MUTE_WAIT {
            process.kill("closed its pipe to the recorder".to_owned());
        }
        if let Some(ended) = process.ended() {
            self.ended(&ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;

    #[test]
    fn without_a_process_it_sleeps_until_the_next_is_due() {
        let spec =
            ChildSpec { name: "it".to_owned(), plugin: "none".to_owned(), library: None, memory_mb: 64 };
        let (woken, wake) = std::io::pipe().expect("a pipe");
        let (_commands, inbox) = bounded(1);
        let mut it = Supervisor::new(spec, inbox, bounded(1).0, woken, Arc::default());
        let now = Instant::now();
        // However long ago it has looked at one.
        it.looked = now.checked_sub(Duration::from_secs(5)).unwrap_or(now);
        assert_eq!(it.patience(now), IDLE_WAIT);
        it.restart_at = Some(now + Duration::from_secs(4));
        assert_eq!(it.patience(now), Duration::from_secs(4));
        // Whoever could wake it is gone: that is seen once, and it does not turn in circles.
        drop(wake);
        it.wait();
        assert!(it.is_alone);
        it.restart_at = Some(Instant::now() + Duration::from_millis(30));
        let begun = Instant::now();
        it.wait();
        assert!(begun.elapsed() >= Duration::from_millis(20), "{:?}", begun.elapsed());
    }

    #[test]
    fn those_that_end_soon_are_started_again_later_and_later() {
        let spec =
            ChildSpec { name: "it".to_owned(), plugin: "none".to_owned(), library: None, memory_mb: 64 };
        let (woken, _wake) = std::io::pipe().expect("a pipe");
        let (_commands, inbox) = bounded(1);
        let mut it = Supervisor::new(spec, inbox, bounded(1).0, woken, Arc::default());
        let waits: Vec<f64> = (0..9).map(|_| it.plan_restart(Duration::from_secs(1))).collect();
        assert_eq!(waits, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        assert_eq!(it.plan_restart(Duration::from_secs(61)), 0.5, "it was well");
        assert_eq!(it.plan_restart(Duration::from_secs(1)), 1.0);
    }
}
