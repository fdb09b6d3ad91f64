//! The source: finds the phone, starts what records it, and listens to what it says.

use std::ffi::CStr;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lockstep_plugin_api::{
    Clock, ClockInfo, Domain, Error, Host, LogLevel, Source, SourceThread, Stamp, State, Stop, TextStream,
};
use serde_json::{Map, Value, json};

use crate::clock::{self, RESOLUTION_S, Whereabouts};
use crate::echo::Echo;
use crate::find;
use crate::options::Options;
use crate::payload::eye_event::seconds;
use crate::phone::{News, PhoneStatus, Sensor, Status};
use crate::sensor::Task;
use crate::status::{self, Listener};
use crate::streams::{self, Device};

/// How long the network is searched in one go.
const SEARCH: Duration = Duration::from_secs(2);
/// Pause before a phone is asked again.
const RETRY: Duration = Duration::from_millis(300);
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
}

impl Source for NeonSource {
    const ID: &'static CStr = c"neon";
    const VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr = c"Pupil Labs Neon glasses: gaze, IMU, eye events, events of the phone";
    type Options = Options;

    fn create(host: Host, options: Options) -> Result<Self, Error> {
        options.check()?;
        Ok(Self { host, options, stop: Stop::new(), counted: Arc::default() })
    }

    fn start(&mut self) -> Result<(), Error> {
        let host = self.host;
        host.set_state(State::Connecting, "looking for the phone");
        let supervisor = Supervisor {
            host,
            options: self.options.clone(),
            stop: self.stop.clone(),
            status: Arc::default(),
            counted: Arc::clone(&self.counted),
            running: None,
            told: String::new(),
        };
        self.stop.guard(host.spawn("neon", move || supervisor.run())?);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.stop.stop_and_join();
        let counted = std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        self.host.event("neon summary", &Value::Object(counted))
    }
}

/// The thread `neon`.
struct Supervisor {
    host: Host,
    options: Options,
    stop: Stop,
    status: Arc<Mutex<Status>>,
    counted: Arc<Mutex<Map<String, Value>>>,
    running: Option<Running>,
    told: String,
}

/// What records, once the phone is known.
struct Running {
    phone: PhoneStatus,
    events: Option<TextStream>,
    threads: Vec<SourceThread>,
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
        if let Some(running) = self.running {
            running.threads.into_iter().for_each(SourceThread::join);
        }
        Ok(())
    }

    /// Find the phone, and listen to it for as long as it is there. Inside: why it is not, in words.
    fn attend(&mut self) -> Result<Result<(), String>, Error> {
        let at = match self.locate() {
            Ok(at) => at,
            Err(why) => return Ok(Err(why)),
        };
        let text = match status::ask(at) {
            Ok(text) => text,
            Err(why) => return Ok(Err(format!("{at} does not answer ({why}); is the Companion app open?"))),
        };
        let mut fresh = Status::default();
        if let Err(why) = fresh.take_all(&text) {
            return Ok(Err(format!("{at}: {why}")));
        }
        let Some(phone) = fresh.phone.clone() else { return Ok(Ok(())) };
        if let Some(running) = &self.running
            && running.phone.device_id != phone.device_id
        {
            return Ok(Err(format!("another phone ({}) is at {at} now", phone.device_name)));
        }
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        if self.running.is_none() {
            self.running = Some(self.begin(at, phone)?);
        }
        let mut listener = match Listener::open(at) {
            Ok(listener) => listener,
            Err(why) => return Ok(Err(format!("{at} does not tell its status: {why}"))),
        };
        self.tell(State::Streaming, "");
        while !self.stop.is_set() {
            match listener.next() {
                Ok(None) => {}
                Ok(Some(message)) => self.message(&message)?,
                Err(why) => return Ok(Err(format!("the phone's status is lost: {why}"))),
            }
        }
        Ok(Ok(()))
    }

    fn locate(&self) -> Result<SocketAddr, String> {
        match self.options.host_and_port() {
            Some((host, port)) => find::resolve(&host, port),
            None => {
                find::choose(&find::phones(SEARCH, &self.stop)?, &self.options.device).map(|phone| phone.at)
            }
        }
    }

    /// Add clock and streams, and start the threads.
    fn begin(&self, at: SocketAddr, phone: PhoneStatus) -> Result<Running, Error> {
        let host = self.host;
        let hardware = self.status.lock().unwrap_or_else(PoisonError::into_inner).hardware.clone();
        let device = Device::new(&phone, &hardware);
        let info = ClockInfo::new(format!("{}_Neon Clock", device.name), Domain::Unix);
        let clock = host.add_clock(&info.resolution_s(RESOLUTION_S, Stamp::Floor))?;
        let mut running = Running { events: None, threads: Vec::new(), phone };
        let whereabouts = Whereabouts::default();
        match running.phone.time_echo_port {
            Some(port) => {
                let echo = Echo::new(SocketAddr::new(at.ip(), port));
                running.threads.push(self.spawn_clock(clock, echo, &whereabouts)?);
            }
            None => host.log(
                LogLevel::Error,
                "its app is too old to be asked for its time: its samples cannot be placed among others; update the app",
            ),
        }
        if self.options.sensors.events {
            running.events = Some(streams::add_events(host, &device, &clock)?);
        }
        for sensor in Sensor::ALL.into_iter().filter(|sensor| self.options.sensors.wants(*sensor)) {
            running.threads.push(self.spawn_sensor(sensor, &device, &clock, &whereabouts)?);
        }
        self.tell_phone(&running.phone)?;
        Ok(running)
    }

    fn spawn_clock(
        &self,
        clock: Clock,
        echo: Echo,
        whereabouts: &Whereabouts,
    ) -> Result<SourceThread, Error> {
        let (host, stop, counted) = (self.host, self.stop.clone(), Arc::clone(&self.counted));
        let whereabouts = whereabouts.clone();
        host.spawn("neon-clock", move || {
            let c = clock::run(host, &clock, echo, &whereabouts, &stop)?;
            let summary = json!({"asked": c.asked, "answered": c.answered, "late": c.late, "wrong": c.wrong});
            counted.lock().unwrap_or_else(PoisonError::into_inner).insert("time_echo".to_owned(), summary);
            Ok(())
        })
    }

    fn spawn_sensor(
        &self,
        sensor: Sensor,
        device: &Device,
        clock: &Clock,
        whereabouts: &Whereabouts,
    ) -> Result<SourceThread, Error> {
        let stream = streams::add(self.host, device, sensor, clock)?;
        let task = Task {
            host: self.host,
            sensor,
            transport: self.options.transport,
            status: Arc::clone(&self.status),
            whereabouts: whereabouts.clone(),
        };
        let (stop, counted) = (self.stop.clone(), Arc::clone(&self.counted));
        self.host.spawn(&format!("neon-{}", sensor.name()), move || {
            let summary = task.run(stream, &stop)?;
            counted.lock().unwrap_or_else(PoisonError::into_inner).insert(sensor.name().to_owned(), summary);
            Ok(())
        })
    }

    fn message(&mut self, message: &Value) -> Result<(), Error> {
        let (news, phone) = {
            let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
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
