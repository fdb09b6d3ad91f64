//! The tracker: its connection, what has arrived, time syncs, and what happens when.

use std::collections::VecDeque;

use crate::error::SimError;
use crate::rng::Draws;

use super::config::TrackerConfig;
use super::config_parts::{Level, Span};
use super::conversion::{Conversion, Converter};
use super::schedule::{Change, Schedule};
use super::signals::Values;
use super::streams::NotificationKind;
use super::supply::{Supply, pop_arrived};
use super::time::{DeviceTime, system_us};
use super::truth::{SyncKind, Timesync, TruthLogs};

/// A library keeps what has arrived for so long when nobody takes it.
const KEPT_S: f64 = 5.0;

/// Why the device does not do as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no connection.
    Unreachable,
    /// It gets new firmware.
    Upgrading,
}

/// One sample with its stamps.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its number, from 0.
    pub index: u64,
    /// True host time at which it was taken.
    pub host_s: f64,
    /// The device clock then.
    pub device_us: i64,
    /// The library's conversion of it.
    pub system_us: i64,
    /// What was measured.
    pub values: Values,
}

/// A change of the digital input with its stamps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SyncPortChange {
    /// Its number, from 1.
    pub index: u64,
    /// True host time at which it was seen.
    pub host_s: f64,
    /// The device clock then.
    pub device_us: i64,
    /// The library's conversion of it.
    pub system_us: i64,
    /// What it is now.
    pub value: u32,
}

/// Something that is told at a time of the system clock.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Somebody came, or went.
    Presence {
        /// Whether somebody is there.
        present: bool,
        /// Since when.
        system_us: i64,
    },
    /// A notification.
    Notification {
        /// What it is about.
        kind: NotificationKind,
        /// What it says, if that is a number.
        number: f64,
        /// What it says, if that is a text.
        text: String,
        /// Since when.
        system_us: i64,
    },
}

/// What has arrived.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// A sample.
    Sample(Box<Sample>),
    /// A sample that never arrived: nothing to give, but to be settled in its turn.
    Lost(Box<Sample>),
    /// A change of the digital input.
    SyncPort(SyncPortChange),
    /// Something else.
    Told(Told),
}

/// A time sync under way: wait until it is due, then finish it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimesyncPlan {
    sent_host_s: f64,
    read_host_s: f64,
    /// Host time at which the answer is there.
    pub due_host_s: f64,
}

/// A simulated tracker. Host times that it is told must not fall.
#[derive(Debug)]
pub struct Tracker {
    config: TrackerConfig,
    time: DeviceTime,
    schedule: Schedule,
    supply: Supply,
    requests: Draws,
    replies: Draws,
    converter: Converter,
    truth: TruthLogs,
    connected_since_s: Option<f64>,
    processed_s: f64,
    told: VecDeque<Told>,
}

impl Tracker {
    /// A tracker that begins at `start_host_s`; nobody is connected to it yet.
    ///
    /// # Errors
    /// A parameter that is out of its range, or a truth log that cannot be made.
    pub fn new(config: TrackerConfig, start_host_s: f64, conversion: Conversion) -> Result<Self, SimError> {
        config.validate()?;
        Ok(Self {
            time: DeviceTime::new(&config, start_host_s),
            schedule: Schedule::new(&config, start_host_s),
            supply: Supply::new(&config),
            requests: Draws::new(config.seed, "tobii/requests"),
            replies: Draws::new(config.seed, "tobii/replies"),
            converter: Converter::new(conversion),
            truth: TruthLogs::create(&config, start_host_s)?,
            connected_since_s: None,
            processed_s: start_host_s,
            told: VecDeque::new(),
            config,
        })
    }

    /// What it is like.
    pub fn config(&self) -> &TrackerConfig {
        &self.config
    }

    /// Connects to it, once more if need be.
    ///
    /// # Errors
    /// When the cable is out, or new firmware is on its way.
    pub fn connect(&mut self, now_s: f64) -> Result<(), Refusal> {
        self.advance(now_s);
        if self.holds(&self.config.firmware_upgrades, now_s) {
            return Err(Refusal::Upgrading);
        }
        if !self.config.present || self.holds(&self.config.disconnects, now_s) {
            return Err(Refusal::Unreachable);
        }
        if self.connected_since_s.is_none() {
            self.connected_since_s = Some(now_s);
            self.processed_s = now_s;
            self.event(now_s, "connected", "");
        }
        Ok(())
    }

    /// Ends the connection.
    pub fn hang_up(&mut self, now_s: f64) {
        self.advance(now_s);
        self.drain(now_s);
        if self.connected_since_s.take().is_some() {
            self.event(now_s, "hung_up", "");
        }
        self.truth.flush();
    }

    /// Whether there is a connection.
    pub fn is_connected(&mut self, now_s: f64) -> bool {
        self.advance(now_s);
        self.connected_since_s.is_some()
    }

    /// Whether whoever connects would succeed.
    pub fn is_reachable(&self, now_s: f64) -> bool {
        let away = [&self.config.firmware_upgrades, &self.config.disconnects];
        self.config.present && !away.into_iter().any(|spans| self.holds(spans, now_s))
    }

    /// The device clock.
    pub fn device_us(&self, now_s: f64) -> i64 {
        self.time.at_host(now_s).device_us
    }

    /// Whether it is paused, and takes no samples.
    pub fn is_paused(&self, now_s: f64) -> bool {
        self.holds(&self.config.paused, now_s)
    }

    /// Whether somebody is in front of it.
    pub fn is_somebody_there(&self, now_s: f64) -> bool {
        !self.holds(&self.config.away, now_s)
    }

    /// What a client may do, with a key that was approved of or without one.
    pub fn level(&self, now_s: f64, with_key: bool) -> Level {
        let licence = &self.config.licence;
        let is_revoked = licence.revoked_at_s.is_some_and(|at_s| self.time.elapsed_s(now_s) >= at_s);
        let lacks_key = licence.needs_key && !with_key;
        if is_revoked || lacks_key { licence.level.min(Level::Consumer) } else { licence.level }
    }

    /// Host time at which there is something to take, or something may have happened.
    pub fn next_due_s(&mut self, now_s: f64) -> f64 {
        self.advance(now_s);
        if self.connected_since_s.is_none() || !self.told.is_empty() {
            return now_s;
        }
        self.supply.plan(&self.config, &self.time, now_s);
        let arrival_s = self.supply.next_arrival_s().unwrap_or(f64::INFINITY);
        arrival_s.min(self.schedule.next_s())
    }

    /// Takes all that has arrived. Say with [`settle`](Self::settle) what became of each.
    ///
    /// # Errors
    /// When there is no connection any more: then all that was on its way is lost.
    pub fn take_due(&mut self, now_s: f64) -> Result<Vec<Delivery>, Refusal> {
        self.advance(now_s);
        self.processed_s = now_s;
        let Some(since_s) = self.connected_since_s else {
            self.drain(now_s);
            return Err(Refusal::Unreachable);
        };
        self.supply.plan(&self.config, &self.time, now_s);
        let mut deliveries = Vec::new();
        while let Some(arrived) = pop_arrived(&mut self.supply.samples, now_s) {
            let is_lost =
                arrived.lost || arrived.moment.host_s < since_s || now_s - arrived.arrival_s > KEPT_S;
            let (index, values) = arrived.item;
            let sample = self.sample(index, values, arrived.moment.host_s, arrived.moment.device_us);
            let sample = Box::new(sample);
            deliveries.push(if is_lost { Delivery::Lost(sample) } else { Delivery::Sample(sample) });
        }
        while let Some(arrived) = pop_arrived(&mut self.supply.changes, now_s) {
            let is_lost = arrived.moment.host_s < since_s;
            let change = self.change(arrived.item, arrived.moment.host_s, arrived.moment.device_us);
            if is_lost {
                self.truth.syncport(&change, false, false);
            } else {
                deliveries.push(Delivery::SyncPort(change));
            }
        }
        deliveries.extend(self.told.drain(..).map(Delivery::Told));
        self.truth.tick(now_s);
        Ok(deliveries)
    }

    /// Notes whether a client was given what was taken.
    pub fn settle(&mut self, delivery: &Delivery, delivered: bool) {
        match delivery {
            Delivery::Sample(sample) => self.truth.sample(sample, true, delivered),
            Delivery::Lost(sample) => self.truth.sample(sample, false, false),
            Delivery::SyncPort(change) => self.truth.syncport(change, true, delivered),
            Delivery::Told(_) => {}
        }
    }

    /// Forgets what has arrived, as if nobody had been given it.
    pub fn clear(&mut self, now_s: f64) {
        if let Ok(deliveries) = self.take_due(now_s) {
            for delivery in &deliveries {
                self.settle(delivery, false);
            }
        }
    }

    /// Asks the device for its time, now.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn plan_timesync(&mut self, now_s: f64) -> Result<TimesyncPlan, Refusal> {
        self.advance(now_s);
        let request_s = self.config.usb.request.draw_s(&mut self.requests);
        let reply_s = self.config.usb.reply.draw_s(&mut self.replies);
        if self.connected_since_s.is_none() {
            return Err(Refusal::Unreachable);
        }
        let read_host_s = now_s + request_s;
        Ok(TimesyncPlan { sent_host_s: now_s, read_host_s, due_host_s: read_host_s + reply_s })
    }

    /// The answer to a question about the time, which is there since `received_host_s`.
    ///
    /// # Errors
    /// When the connection ended meanwhile.
    pub fn finish_timesync(
        &mut self,
        plan: &TimesyncPlan,
        received_host_s: f64,
        kind: SyncKind,
    ) -> Result<Timesync, Refusal> {
        self.advance(received_host_s);
        if self.connected_since_s.is_none_or(|since_s| since_s > plan.sent_host_s) {
            return Err(Refusal::Unreachable);
        }
        Ok(Timesync {
            kind,
            sent_host_s: plan.sent_host_s,
            host_s: plan.read_host_s,
            received_host_s,
            st1_us: system_us(plan.sent_host_s),
            et2_us: self.time.at_host(plan.read_host_s).device_us,
            st3_us: system_us(received_host_s),
        })
    }

    /// Notes a time sync: whether the library converts with it from now on, and whether a client was
    /// given it.
    pub fn settle_timesync(&mut self, sync: &Timesync, used: bool, delivered: bool) {
        if used {
            self.converter.add(sync.st1_us, sync.et2_us, sync.st3_us);
        }
        self.truth.timesync(sync, used, delivered);
        self.truth.tick(sync.received_host_s);
    }

    /// Notes in the truth log that something happened.
    pub fn event(&mut self, host_s: f64, kind: &str, details: &str) {
        let moment = self.time.at_host(host_s);
        self.truth.event(&moment, kind, details);
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// The first refusal of the disk, told once; the logs end with it.
    pub fn flush(&mut self) -> Result<(), SimError> {
        self.truth.flush();
        self.truth.failure().map_or(Ok(()), Err)
    }

    fn holds(&self, spans: &[Span], host_s: f64) -> bool {
        let elapsed_s = self.time.elapsed_s(host_s);
        spans.iter().any(|span| span.holds(elapsed_s))
    }

    /// Lets happen what happens until now.
    fn advance(&mut self, now_s: f64) {
        while let Some((at_s, change)) = self.schedule.pop_until(now_s) {
            self.happen(at_s, change);
        }
        let idle_s = self.config.idle_disconnect_s;
        if idle_s > 0.0 && now_s - self.processed_s > idle_s {
            self.drop_connection(self.processed_s + idle_s, "idle");
        }
    }

    fn happen(&mut self, at_s: f64, change: Change) {
        match change {
            Change::CableOut => self.drop_connection(at_s, "cable"),
            Change::Upgrade => self.drop_connection(at_s, "firmware_upgrade"),
            Change::Restart => self.event(at_s, "clock_restart", ""),
            Change::Revoked => self.event(at_s, "licence_revoked", ""),
            Change::Presence(present) => {
                self.event(at_s, "presence", if present { "present" } else { "away" });
                self.tell(Told::Presence { present, system_us: system_us(at_s) });
            }
            Change::Notify(planned) => {
                let details = format!("{:?} {} {}", planned.kind, planned.number, planned.text);
                self.event(at_s, "notification", details.trim_end());
                let (kind, number, text) = (planned.kind, planned.number, planned.text);
                self.tell(Told::Notification { kind, number, text, system_us: system_us(at_s) });
            }
        }
    }

    /// Whoever is not connected is told nothing, and not later either.
    fn tell(&mut self, told: Told) {
        if self.connected_since_s.is_some() {
            self.told.push_back(told);
        }
    }

    fn drop_connection(&mut self, at_s: f64, why: &str) {
        if self.connected_since_s.take().is_some() {
            self.told.clear();
            self.event(at_s, "connection_lost", why);
            self.truth.flush();
        }
    }

    /// Loses all that has arrived, or would have, with nobody there.
    fn drain(&mut self, now_s: f64) {
        self.supply.plan(&self.config, &self.time, now_s);
        while let Some(arrived) = pop_arrived(&mut self.supply.samples, now_s) {
            let (index, values) = arrived.item;
            let sample = self.sample(index, values, arrived.moment.host_s, arrived.moment.device_us);
            self.truth.sample(&sample, false, false);
        }
        while let Some(arrived) = pop_arrived(&mut self.supply.changes, now_s) {
            let change = self.change(arrived.item, arrived.moment.host_s, arrived.moment.device_us);
            self.truth.syncport(&change, false, false);
        }
        self.truth.tick(now_s);
    }

    fn sample(&self, index: u64, values: Values, host_s: f64, device_us: i64) -> Sample {
        Sample { index, host_s, device_us, system_us: self.converter.system_us(device_us), values }
    }

    fn change(&self, (index, value): (u64, u32), host_s: f64, device_us: i64) -> SyncPortChange {
        SyncPortChange { index, host_s, device_us, system_us: self.converter.system_us(device_us), value }
    }
}
