//! The source: finds the phone, starts what records it, and listens to what it says.

use std::ffi::CStr;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lockstep_platform::seconds;
use lockstep_plugin_api::{
    Clock, ClockInfo, Domain, Error, Host, LogLevel, Source, SourceThread, Stamp, State, Stop, TextStream,
    unless_stopped,
};
use serde_json::{Map, Value, json};

use crate::clock::{self, RESOLUTION_S, Whereabouts};
use crate::control;
use crate::echo::Echo;
use crate::find;
use crate::options::Options;
use crate::phone::{News, PhoneStatus, Sensor, Status};
use crate::rest;
use crate::sensor::Task;
use crate::status::Listener;
use crate::streams::{self, Device};

/// How long the network is searched in one go.
const SEARCH: Duration = Duration::from_secs(2);
/// Longest wait for what it says of itself.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause before a phone is asked again.
const RETRY: Duration = Duration::from_millis(300);
/// Longest time for what the phone says when all is over.
const LAST_WORDS: Duration = Duration::from_millis(60);
/// The battery is told of again when it has lost as much, percent.
const BATTERY_STEP: f64 = 5.0;

/// Records one phone and its glasses.
#[derive(Debug)]
pub struct NeonSource {
    host: Host,
    options: Options,
    stop: Stop,
    /// Written by the threads when they end.
    counted: Arc<Mutex<Map<String, Value>>>,
    /// All but the one that starts them.
    threads: Arc<Mutex<Vec<SourceThread>>>,
}

impl Source for NeonSource {
    const ID: &'static CStr = c"neon";
    const VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr =
        c"Pupil Labs Neon glasses: gaze, IMU, eye events, video, events of the phone";
    type Options = Options;

    fn create(host: Host, options: Options) -> Result<Self, Error> {
        options.check()?;
        Ok(Self { host, options, stop: Stop::new(), counted: Arc::default(), threads: Arc::default() })
    }

    fn start(&mut self) -> Result<(), Error> {
        let host = self.host;
        host.set_state(State::Connecting, "looking for the phone");
        let supervisor = Supervisor {
            host,
            options: self.options.clone(),
            stop: self.stop.clone(),
            controls: Arc::default(),
            session_id: uuid::Uuid::new_v4().to_string(),
            at: Arc::default(),
            status: Arc::default(),
            counted: Arc::clone(&self.counted),
            threads: Arc::clone(&self.threads),
            echo_at: Arc::default(),
            running: None,
            deaf_since_s: None,
            told: String::new(),
        };
        self.stop.guard(host.spawn("neon", move || supervisor.run())?);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.stop.stop_and_join();
        std::mem::take(&mut *locked(&self.threads)).into_iter().for_each(SourceThread::join);
        let counted = std::mem::take(&mut *locked(&self.counted));
        self.host.event("neon summary", &Value::Object(counted))
    }
}

/// The thread `neon`.
struct Supervisor {
    host: Host,
    options: Options,
    stop: Stop,
    /// The thread that controls the phone has the other one, as long as it lives.
    controls: Arc<()>,
    /// Identifies this recording to the phone.
    session_id: String,
    /// Where the phone's interface is.
    at: Arc<Mutex<Option<SocketAddr>>>,
    status: Arc<Mutex<Status>>,
    counted: Arc<Mutex<Map<String, Value>>>,
    threads: Arc<Mutex<Vec<SourceThread>>>,
    /// Where the phone can be asked for its time, as it says.
    echo_at: Arc<Mutex<Option<SocketAddr>>>,
    running: Option<Running>,
    /// Since when its status is not heard, in seconds of recorder time.
    deaf_since_s: Option<f64>,
    told: String,
}

/// What records, once the phone is known.
struct Running {
    phone: PhoneStatus,
    events: Option<TextStream>,
}

/// What several threads write, whoever of them failed.
fn locked<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Supervisor {
    fn run(mut self) -> Result<(), Error> {
        while !self.stop.is_set() {
            if let Err(why) = self.attend()? {
                let state = if self.running.is_some() { State::Degraded } else { State::Connecting };
                self.tell(state, &why);
                self.stop.wait(RETRY);
            }
        }
        self.tell_deaf()
    }

    /// Find the phone, and listen to it for as long as it is there. Inside: why it is not, in words.
    fn attend(&mut self) -> Result<Result<(), String>, Error> {
        let at = match self.locate() {
            Ok(at) => at,
            // A search that was called off has found nothing, which says nothing.
            Err(_) if self.stop.is_set() => return Ok(Ok(())),
            Err(why) => return Ok(Err(why)),
        };
        let text = match unless_stopped(&self.stop, move || rest::status(at, PATIENCE)) {
            Some(Ok(text)) => text,
            None => return Ok(Ok(())),
            Some(Err(why)) => {
                return Ok(Err(format!("{at} does not answer ({why}); is the Companion app open?")));
            }
        };
        let mut fresh = Status::default();
        if let Err(why) = fresh.take_all(&text) {
            return Ok(Err(format!("{at}: {why}")));
        }
        let Some(phone) = fresh.phone.clone() else { return Ok(Ok(())) };
        // It was asked for before the phone was told to record, maybe; that a recording ends is told.
        fresh.recording = fresh.recording.or_else(|| locked(&self.status).recording.clone());
        if let Some(running) = &self.running
            && running.phone.device_id != phone.device_id
        {
            return Ok(Err(format!("another phone ({}) is at {at} now", phone.device_name)));
        }
        let wanted = &self.options.device;
        if !wanted.is_empty() && *wanted != phone.device_name {
            return Ok(Err(format!("{at} is {}, not {wanted}", phone.device_name)));
        }
        // Its address and its ports may be others than before.
        let echo_at = phone.time_echo_port.map(|port| SocketAddr::new(at.ip(), port));
        *locked(&self.at) = Some(at);
        *locked(&self.echo_at) = echo_at;
        *locked(&self.status) = fresh;
        if self.running.is_none() {
            self.running = Some(self.begin(phone)?);
        }
        let mut listener = match unless_stopped(&self.stop, move || Listener::open(at)) {
            Some(Ok(listener)) => listener,
            None => return Ok(Ok(())),
            Some(Err(why)) => return Ok(Err(format!("{at} does not tell its status: {why}"))),
        };
        self.tell(State::Streaming, "");
        self.tell_deaf()?;
        // What the phone says of its last orders is still listened to.
        while !self.stop.is_set() || Arc::strong_count(&self.controls) > 1 {
            match listener.next() {
                Ok(None) => {}
                Ok(Some(message)) => self.message(&message)?,
                Err(why) => {
                    self.deaf_since_s = Some(self.host.now_s());
                    return Ok(Err(format!("the phone's status is lost: {why}")));
                }
            }
        }
        // The last of it may be on its way.
        let until = Instant::now() + LAST_WORDS;
        while let Ok(Some(message)) = listener.next()
            && Instant::now() < until
        {
            self.message(&message)?;
        }
        Ok(Ok(()))
    }

    /// What the phone said while nobody heard it is missing.
    fn tell_deaf(&mut self) -> Result<(), Error> {
        if let (Some(since_s), Some(events)) =
            (self.deaf_since_s.take(), self.running.as_mut().and_then(|running| running.events.as_mut()))
        {
            let now_s = self.host.now_s();
            let text = format!("the phone's status was not heard from {since_s:.3} to {now_s:.3} s");
            events.report_gap(None, &text)?;
        }
        Ok(())
    }

    fn locate(&self) -> Result<SocketAddr, String> {
        match self.options.host_and_port() {
            Some((host, port)) => unless_stopped(&self.stop, move || find::resolve(&host, port))
                .unwrap_or_else(|| Err("it was told to stop".to_owned())),
            None => {
                // Once it is known, another one that has come since is not meant.
                let known = self.running.as_ref().map(|running| running.phone.device_name.as_str());
                let wanted = known.filter(|_| self.options.device.is_empty()).unwrap_or(&self.options.device);
                find::choose(&find::phones(SEARCH, &self.stop)?, wanted).map(|phone| phone.at)
            }
        }
    }

    /// Add clock and streams, and start the threads.
    fn begin(&self, phone: PhoneStatus) -> Result<Running, Error> {
        let host = self.host;
        let hardware = locked(&self.status).hardware.clone();
        let device = Device::new(&phone, &hardware, &self.session_id);
        let info = ClockInfo::new(format!("{}_Neon Clock", device.name), Domain::Unix);
        let clock = host.add_clock(&info.resolution_s(RESOLUTION_S, Stamp::Floor))?;
        let mut running = Running { events: None, phone };
        let whereabouts = Whereabouts::default();
        locked(&self.threads).push(self.spawn_clock(clock, &whereabouts)?);
        if running.phone.time_echo_port.is_none() {
            let text = "its app is too old to be asked for its time: its samples cannot be placed among others; \
                        update the app";
            host.log(LogLevel::Error, text);
        }
        if self.options.sensors.events {
            running.events = Some(streams::add_events(host, &device, &clock)?);
        }
        for sensor in Sensor::ALL.into_iter().filter(|sensor| self.options.sensors.wants(*sensor)) {
            let thread = self.spawn_sensor(sensor, &device, &clock, &whereabouts)?;
            locked(&self.threads).extend(thread);
        }
        let thread = self.spawn_control()?;
        locked(&self.threads).extend(thread);
        self.tell_phone(&running.phone)?;
        Ok(running)
    }

    fn spawn_clock(&self, clock: Clock, whereabouts: &Whereabouts) -> Result<SourceThread, Error> {
        let echo = Echo::new(Arc::clone(&self.echo_at));
        let (host, stop, counted) = (self.host, self.stop.clone(), Arc::clone(&self.counted));
        let whereabouts = whereabouts.clone();
        host.spawn("neon-clock", move || {
            let c = clock::run(host, &clock, echo, &whereabouts, &stop)?;
            let summary = json!({"asked": c.asked, "answered": c.answered, "late": c.late, "wrong": c.wrong});
            locked(&counted).insert("time_echo".to_owned(), summary);
            Ok(())
        })
    }

    fn spawn_control(&self) -> Result<Option<SourceThread>, Error> {
        let control = self.options.control;
        if !control.recording && control.sync_events_s == 0.0 {
            return Ok(None);
        }
        let task = control::Task {
            host: self.host,
            control,
            session_id: self.session_id.clone(),
            at: Arc::clone(&self.at),
            status: Arc::clone(&self.status),
        };
        let (stop, counted) = (self.stop.clone(), Arc::clone(&self.counted));
        let lives = Arc::clone(&self.controls);
        let thread = self.host.spawn("neon-control", move || {
            let _lives = lives;
            let summary = task.run(&stop)?;
            locked(&counted).insert("control".to_owned(), summary);
            Ok(())
        })?;
        Ok(Some(thread))
    }

    fn spawn_sensor(
        &self,
        sensor: Sensor,
        device: &Device,
        clock: &Clock,
        whereabouts: &Whereabouts,
    ) -> Result<Option<SourceThread>, Error> {
        let stream = match streams::add(self.host, device, sensor, clock) {
            // Without room for pictures the others go on.
            Err(error) if sensor.is_camera() && error != Error::NotRunning => {
                let text = format!("{} is not recorded: {error}", sensor.name());
                self.host.log(LogLevel::Error, &text);
                return Ok(None);
            }
            added => added?,
        };
        let task = Task {
            host: self.host,
            sensor,
            transport: self.options.transport,
            status: Arc::clone(&self.status),
            whereabouts: whereabouts.clone(),
        };
        let (stop, counted) = (self.stop.clone(), Arc::clone(&self.counted));
        let thread = self.host.spawn(&format!("neon-{}", sensor.name()), move || {
            let summary = task.run(stream, &stop)?;
            locked(&counted).insert(sensor.name().to_owned(), summary);
            Ok(())
        })?;
        Ok(Some(thread))
    }

    fn message(&mut self, message: &Value) -> Result<(), Error> {
        let (news, phone) = {
            let mut status = locked(&self.status);
            (status.take(message), status.phone.clone())
        };
        match news {
            News::Event(event) => {
                if let Some(stream) = self.running.as_mut().and_then(|running| running.events.as_mut()) {
                    // An event for which there was no room is counted by the recorder.
                    let _ = stream.push(&[seconds(event.timestamp)], &[event.name.as_str()])?;
                }
            }
            News::Recording(data) => self.host.event("neon_recording", &data)?,
            News::Status => {
                if let (Some(running), Some(now)) = (&mut self.running, phone)
                    && is_worth_telling(&running.phone, &now)
                {
                    running.phone = now.clone();
                    self.tell_phone(&now)?;
                }
            }
            News::Other => {}
        }
        Ok(())
    }

    fn tell_phone(&self, phone: &PhoneStatus) -> Result<(), Error> {
        for (what, state) in [("battery", &phone.battery_state), ("memory", &phone.memory_state)] {
            if !["", "OK"].contains(&state.as_str()) {
                self.host.log(LogLevel::Warn, &format!("the phone says that its {what} is {state}"));
            }
        }
        let details = json!({
            "device_name": phone.device_name, "battery_percent": phone.battery_level,
            "battery_state": phone.battery_state, "memory_bytes": phone.memory, "memory_state": phone.memory_state,
        });
        self.host.event("neon_phone", &details)
    }

    /// Say how it goes, when that has changed.
    fn tell(&mut self, state: State, reason: &str) {
        let text = format!("{state:?} {reason}");
        if self.told != text {
            self.host.set_state(state, reason);
            self.told = text;
        }
    }
}

fn is_worth_telling(before: &PhoneStatus, now: &PhoneStatus) -> bool {
    let lost = before.battery_level.zip(now.battery_level).is_some_and(|(was, is)| was - is >= BATTERY_STEP);
    lost || before.battery_state != now.battery_state || before.memory_state != now.memory_state
}
