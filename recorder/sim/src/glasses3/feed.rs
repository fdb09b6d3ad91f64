//! Which sample is taken when, by the glasses' oscillator. Pure.

use std::collections::VecDeque;

use serde_json::Value;

use super::config::{Glasses3Config, MAGNETOMETER_HZ};
use super::signals::{Eye, Gaze, Imu, SyncPort, Wearer};

/// Each so many samples of the IMU, one comes in two messages with the same time stamp.
const SPLIT_EVERY: u64 = 97;

/// The signals of a wearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Gaze.
    Gaze,
    /// IMU.
    Imu,
    /// Changes at the sync port.
    SyncPort,
    /// Events that somebody sent.
    Event,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gaze, Self::Imu, Self::SyncPort, Self::Event];

    /// Its name in paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gaze => "gaze",
            Self::Imu => "imu",
            Self::SyncPort => "sync-port",
            Self::Event => "event",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.name() == name)
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// One message before it has a time stamp.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) signal: Signal,
    /// Number of the message in its signal, from 0; those that nobody was sent are counted.
    pub(super) index: u64,
    /// When it was taken, by the oscillator.
    pub(super) oscillator_s: f64,
    pub(super) data: Data,
}

/// What is in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Data {
    Gaze(Gaze),
    Imu(Imu),
    SyncPort(SyncPort),
}

/// Times `first_s + i / rate`, computed afresh for each so that rounding does not add up.
#[derive(Debug, Clone, Copy)]
struct Course {
    rate_hz: f64,
    first_s: f64,
    taken: u64,
}

impl Course {
    fn new(rate_hz: f64) -> Self {
        Self { rate_hz, first_s: 0.0, taken: 0 }
    }

    fn next_s(&self) -> f64 {
        if self.rate_hz > 0.0 { self.first_s + self.taken as f64 / self.rate_hz } else { f64::INFINITY }
    }

    /// Takes the next; its time and its number.
    fn take(&mut self) -> (f64, u64) {
        let taken = (self.next_s(), self.taken);
        self.taken += 1;
        taken
    }

    /// Goes on at another rate after the last one taken.
    fn set_rate(&mut self, rate_hz: f64) {
        if let Some(last) = self.taken.checked_sub(1) {
            let last_s = self.first_s + last as f64 / self.rate_hz;
            // The next is then one period after the last.
            self.first_s = last_s - last as f64 / rate_hz;
        }
        self.rate_hz = rate_hz;
    }
}

/// All samples in the order in which they are taken.
#[derive(Debug)]
pub(super) struct Feed {
    wearer: Wearer,
    whole: bool,
    gaze: Course,
    motion: Course,
    field: Course,
    sync_port: Course,
    imu_messages: u64,
    /// What is taken already and waits for being told.
    split: VecDeque<Sample>,
}

impl Feed {
    pub(super) fn new(config: &Glasses3Config) -> Self {
        let changes_hz = if config.sync_port_every_s > 0.0 { 1.0 / config.sync_port_every_s } else { 0.0 };
        let mut sync_port = Course::new(changes_hz);
        sync_port.first_s = config.sync_port_every_s;
        Self {
            wearer: Wearer::new(config.seed, config.whole),
            whole: config.whole,
            gaze: Course::new(f64::from(config.gaze_hz)),
            motion: Course::new(config.imu_hz),
            field: Course::new(if config.imu_hz > 0.0 { MAGNETOMETER_HZ } else { 0.0 }),
            sync_port,
            imu_messages: 0,
            split: VecDeque::new(),
        }
    }

    /// Changes the rate of gaze, after the last datum taken.
    pub(super) fn set_gaze_hz(&mut self, gaze_hz: u32) {
        if self.gaze.rate_hz != f64::from(gaze_hz) {
            self.gaze.set_rate(f64::from(gaze_hz));
        }
    }

    /// When the next sample is taken.
    pub(super) fn next_s(&self) -> f64 {
        let due_s = [&self.gaze, &self.motion, &self.field, &self.sync_port].map(Course::next_s);
        let first_s = due_s.into_iter().fold(f64::INFINITY, f64::min);
        self.split.front().map_or(first_s, |sample| sample.oscillator_s)
    }

    /// Takes it.
    pub(super) fn take(&mut self) -> Sample {
        if let Some(sample) = self.split.pop_front() {
            return sample;
        }
        let due_s = self.next_s();
        if self.gaze.next_s() <= due_s {
            let (at_s, index) = self.gaze.take();
            let data = Data::Gaze(self.wearer.gaze(index, at_s));
            return Sample { signal: Signal::Gaze, index, oscillator_s: at_s, data };
        }
        if self.sync_port.next_s() <= due_s {
            let (at_s, index) = self.sync_port.take();
            let data = Data::SyncPort(SyncPort::at(index));
            return Sample { signal: Signal::SyncPort, index, oscillator_s: at_s, data };
        }
        self.take_imu(due_s)
    }

    /// Motion or magnetic field, or both where they fall together.
    fn take_imu(&mut self, due_s: f64) -> Sample {
        let mut imu = Imu::default();
        let mut splits = false;
        if self.motion.next_s() <= due_s {
            let (_, index) = self.motion.take();
            imu.accelerometer = Some(self.wearer.accelerometer(due_s));
            imu.gyroscope = Some(self.wearer.gyroscope(due_s));
            splits = !self.whole && (index + 1).is_multiple_of(SPLIT_EVERY);
        }
        if self.field.next_s() <= due_s {
            self.field.take();
            imu.magnetometer = Some(self.wearer.magnetometer(due_s));
        }
        if splits {
            let rest = Imu { gyroscope: imu.gyroscope.take(), ..Imu::default() };
            let first = self.imu_sample(due_s, imu);
            let second = self.imu_sample(due_s, rest);
            self.split.push_back(second);
            return first;
        }
        self.imu_sample(due_s, imu)
    }

    fn imu_sample(&mut self, oscillator_s: f64, imu: Imu) -> Sample {
        let index = self.imu_messages;
        self.imu_messages += 1;
        Sample { signal: Signal::Imu, index, oscillator_s, data: Data::Imu(imu) }
    }
}

impl Data {
    /// As it is sent.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Gaze(gaze) => gaze.json(),
            Self::Imu(imu) => imu.json(),
            Self::SyncPort(change) => change.json(),
        }
    }

    /// Its columns of the truth log, each after a comma.
    pub(super) fn columns(&self) -> String {
        let mut columns = String::new();
        match self {
            Self::Gaze(gaze) => {
                push(&mut columns, gaze.point);
                push(&mut columns, gaze.point_mm);
                push_eye(&mut columns, &gaze.left);
                push_eye(&mut columns, &gaze.right);
            }
            Self::Imu(imu) => {
                push(&mut columns, imu.accelerometer);
                push(&mut columns, imu.gyroscope);
                push(&mut columns, imu.magnetometer);
            }
            Self::SyncPort(change) => columns = format!(",{},{}", change.direction, change.value),
        }
        columns
    }
}

/// The names of those columns.
pub(super) fn columns(signal: Signal) -> &'static str {
    match signal {
        Signal::Gaze => {
            "gaze2d_x,gaze2d_y,gaze3d_x_mm,gaze3d_y_mm,gaze3d_z_mm,\
             left,left_origin_x_mm,left_origin_y_mm,left_origin_z_mm,\
             left_direction_x,left_direction_y,left_direction_z,left_pupil_mm,\
             right,right_origin_x_mm,right_origin_y_mm,right_origin_z_mm,\
             right_direction_x,right_direction_y,right_direction_z,right_pupil_mm"
        }
        Signal::Imu => {
            "accelerometer_x_m_s2,accelerometer_y_m_s2,accelerometer_z_m_s2,\
             gyroscope_x_deg_s,gyroscope_y_deg_s,gyroscope_z_deg_s,\
             magnetometer_x_ut,magnetometer_y_ut,magnetometer_z_ut"
        }
        Signal::SyncPort => "direction,value",
        Signal::Event => "tag,object",
    }
}

/// Numbers as they read back to the same bits, or as many empty columns.
fn push<const N: usize>(columns: &mut String, numbers: Option<[f64; N]>) {
    match numbers {
        Some(numbers) => numbers.iter().for_each(|number| columns.push_str(&format!(",{number:?}"))),
        None => columns.push_str(&",".repeat(N)),
    }
}

fn push_eye(columns: &mut String, eye: &Eye) {
    let (found, origin_mm, way, pupil_mm) = match eye {
        Eye::Found { origin_mm, direction, pupil_mm } => {
            ("found", Some(*origin_mm), Some(*direction), *pupil_mm)
        }
        Eye::Empty => ("empty", None, None, None),
        Eye::Missing => ("missing", None, None, None),
    };
    columns.push(',');
    columns.push_str(found);
    push(columns, origin_mm);
    push(columns, way);
    push(columns, pupil_mm.map(|mm| [mm]));
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn feed(change: impl FnOnce(&mut Glasses3Config)) -> Feed {
        let mut config = Glasses3Config::new("g3", Ipv4Addr::LOCALHOST.into());
        change(&mut config);
        Feed::new(&config)
    }

    fn until(feed: &mut Feed, end_s: f64) -> Vec<Sample> {
        let mut taken = Vec::new();
        while feed.next_s() < end_s {
            taken.push(feed.take());
        }
        taken
    }

    #[test]
    fn samples_come_in_order_at_their_rates_with_the_columns_they_say() {
        let taken = until(&mut feed(|config| config.sync_port_every_s = 0.25), 10.0);
        assert!(taken.is_sorted_by(|a, b| a.oscillator_s <= b.oscillator_s));
        for (signal, count) in [(Signal::Gaze, 500), (Signal::SyncPort, 39)] {
            let own: Vec<&Sample> = taken.iter().filter(|sample| sample.signal == signal).collect();
            assert_eq!(own.len(), count, "{signal:?}");
            assert!(own.iter().enumerate().all(|(place, sample)| sample.index == place as u64));
        }
        for sample in &taken {
            let named = columns(sample.signal).split(',').count();
            assert_eq!(sample.data.columns().split(',').count(), named + 1, "{sample:?}");
        }
    }

    #[test]
    fn messages_of_the_imu_have_parts_in_every_mix() {
        let taken = until(&mut feed(|_| {}), 10.0);
        let mut kinds = std::collections::BTreeMap::new();
        let (mut motions, mut fields) = (0, 0);
        for sample in &taken {
            if let Data::Imu(imu) = sample.data {
                let has = (imu.accelerometer.is_some(), imu.gyroscope.is_some(), imu.magnetometer.is_some());
                *kinds.entry(has).or_insert(0) += 1;
                motions += u32::from(has.0);
                fields += u32::from(has.2);
            }
        }
        assert_eq!((motions, fields), (1190, 100), "{kinds:?}");
        for kind in [
            (true, true, false),
            (true, true, true),
            (true, false, false),
            (false, true, false),
            (false, false, true),
        ] {
            assert!(kinds.contains_key(&kind), "{kind:?} is not in {kinds:?}");
        }
    }

    #[test]
    fn another_rate_goes_on_after_the_last_datum() {
        let mut feed = feed(|config| (config.imu_hz, config.sync_port_every_s) = (0.0, 0.0));
        assert_eq!(until(&mut feed, 1.0).len(), 50);
        feed.set_gaze_hz(100);
        let taken = until(&mut feed, 1.5);
        assert!((taken[0].oscillator_s - 0.99).abs() < 1e-9, "{}", taken[0].oscillator_s);
        assert_eq!((taken.len(), taken[0].index), (51, 50));
    }
}
