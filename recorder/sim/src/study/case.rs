//! The rows of the benchmark.

use super::ProbeKind;
use crate::clock::ClockKind;
use crate::network::PathKind;

/// How a device's clock is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CaseReading {
    /// To the last digit.
    Exact,
    /// The last multiple of a step that has passed.
    Floor {
        /// The step, in seconds.
        resolution_s: f64,
    },
}

impl CaseReading {
    /// What a clock that shows `device_s` is read as.
    pub fn read(self, device_s: f64) -> f64 {
        match self {
            Self::Exact => device_s,
            Self::Floor { resolution_s } => (device_s / resolution_s).floor() * resolution_s,
        }
    }

    /// Step of the readings in seconds, 0 for exact ones.
    pub fn resolution_s(self) -> f64 {
        match self {
            Self::Exact => 0.0,
            Self::Floor { resolution_s } => resolution_s,
        }
    }
}

/// The two families of recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Crystals and phones over LAN, USB and Wi-Fi.
    A,
    /// Harder clocks, paths, readings and schedules.
    B,
}

/// One kind of recording: a row of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Case {
    /// Which family it belongs to.
    pub family: Family,
    /// The device's clock.
    pub clock: ClockKind,
    /// The network between.
    pub path: PathKind,
    /// How long it takes, in seconds.
    pub duration_s: f64,
    /// When the recorder asks.
    pub probes: ProbeKind,
    /// How the device's clock is read.
    pub reading: CaseReading,
}

impl Case {
    /// Its name, for example `phone, wifi, 3600, lsl`; `@us` and `@32k` after the path are readings.
    pub fn name(&self) -> String {
        let reading = match self.reading {
            CaseReading::Floor { resolution_s } if resolution_s == MICROSECOND_S => "@us",
            CaseReading::Floor { resolution_s } if resolution_s == WATCH_CRYSTAL_S => "@32k",
            _ => "",
        };
        let (clock, path, probes) = (self.clock.name(), self.path.name(), self.probes.name());
        format!("{clock}, {path}{reading}, {}, {probes}", self.duration_s)
    }

    /// True when the shortest delays of both ways are equal, so that exchanges can show the true
    /// offset.
    pub fn is_symmetric(&self) -> bool {
        self.path.is_symmetric()
    }
}

const MICROSECOND_S: f64 = 1e-6;
const MILLISECOND_S: f64 = 1e-3;
/// A tick of a watch crystal.
const WATCH_CRYSTAL_S: f64 = 1.0 / 32_768.0;

/// Readings of 1 us.
const US: CaseReading = CaseReading::Floor { resolution_s: MICROSECOND_S };
/// Readings of a watch crystal.
const K32: CaseReading = CaseReading::Floor { resolution_s: WATCH_CRYSTAL_S };
const EXACT: CaseReading = CaseReading::Exact;

use ClockKind::{Const, Flicker, Hvac, Ntp, Pc, Phone, PhoneSlew, PhoneStep, Restart, Suspend, Warm};
use PathKind::{
    Bimodal, Ble, Gamma, Lan, Late, Lossy, Oneway, Queue, Roam, Usb, Usb1k, Weibull, Wifi, WifiAsym,
};
use ProbeKind::{Lsl, LslAll, Neon4, P4x60, P8x2, P8x5, P20x30, Tobii};

type Row = (ClockKind, PathKind, CaseReading, f64, ProbeKind);

const A: [Row; 45] = [
    (Const, Lan, EXACT, 600.0, Lsl),
    (Const, Usb, EXACT, 600.0, Lsl),
    (Const, Wifi, EXACT, 600.0, Lsl),
    (Pc, Lan, EXACT, 600.0, Lsl),
    (Pc, Usb, EXACT, 600.0, Lsl),
    (Pc, Wifi, EXACT, 600.0, Lsl),
    (Phone, Lan, EXACT, 600.0, Lsl),
    (Phone, Usb, EXACT, 600.0, Lsl),
    (Phone, Wifi, EXACT, 600.0, Lsl),
    (Const, Lan, EXACT, 3600.0, Lsl),
    (Const, Usb, EXACT, 3600.0, Lsl),
    (Const, Wifi, EXACT, 3600.0, Lsl),
    (Pc, Lan, EXACT, 3600.0, Lsl),
    (Pc, Usb, EXACT, 3600.0, Lsl),
    (Pc, Wifi, EXACT, 3600.0, Lsl),
    (Phone, Lan, EXACT, 3600.0, Lsl),
    (Phone, Usb, EXACT, 3600.0, Lsl),
    (Phone, Wifi, EXACT, 3600.0, Lsl),
    (PhoneStep, Lan, EXACT, 3600.0, Lsl),
    (PhoneStep, Usb, EXACT, 3600.0, Lsl),
    (PhoneStep, Wifi, EXACT, 3600.0, Lsl),
    (PhoneSlew, Lan, EXACT, 3600.0, Lsl),
    (PhoneSlew, Usb, EXACT, 3600.0, Lsl),
    (PhoneSlew, Wifi, EXACT, 3600.0, Lsl),
    (Const, Lan, EXACT, 10800.0, Lsl),
    (Const, Wifi, EXACT, 10800.0, Lsl),
    (Pc, Lan, EXACT, 10800.0, Lsl),
    (Pc, Wifi, EXACT, 10800.0, Lsl),
    (Phone, Lan, EXACT, 10800.0, Lsl),
    (Phone, Wifi, EXACT, 10800.0, Lsl),
    (PhoneStep, Wifi, EXACT, 10800.0, Lsl),
    (PhoneSlew, Wifi, EXACT, 10800.0, Lsl),
    (Pc, WifiAsym, EXACT, 3600.0, Lsl),
    (Pc, Lan, EXACT, 3600.0, Tobii),
    (Pc, Lan, EXACT, 10800.0, Tobii),
    (Pc, Wifi, EXACT, 3600.0, Tobii),
    (Pc, Wifi, EXACT, 10800.0, Tobii),
    (Phone, Lan, EXACT, 3600.0, Tobii),
    (Phone, Lan, EXACT, 10800.0, Tobii),
    (Phone, Wifi, EXACT, 3600.0, Tobii),
    (Phone, Wifi, EXACT, 10800.0, Tobii),
    (PhoneStep, Wifi, EXACT, 3600.0, Tobii),
    (Pc, Wifi, EXACT, 3600.0, LslAll),
    (Phone, Wifi, EXACT, 10800.0, LslAll),
    (Phone, Lan, EXACT, 3600.0, LslAll),
];

const B: [Row; 35] = [
    (Warm, Wifi, EXACT, 300.0, P8x5),
    (Flicker, Gamma, EXACT, 300.0, P8x2),
    (Flicker, Usb1k, EXACT, 300.0, P8x5),
    (Warm, Ble, EXACT, 300.0, P8x2),
    (Hvac, Weibull, EXACT, 300.0, P20x30),
    (Hvac, Wifi, EXACT, 300.0, Neon4),
    (Warm, Lan, EXACT, 1800.0, P8x5),
    (Warm, Usb1k, EXACT, 1800.0, P8x2),
    (Warm, Late, EXACT, 1800.0, P8x5),
    (Flicker, Ble, EXACT, 1800.0, P8x2),
    (Flicker, Gamma, K32, 1800.0, P8x5),
    (Flicker, Roam, EXACT, 1800.0, P8x2),
    (Ntp, Gamma, EXACT, 1800.0, P20x30),
    (Suspend, Wifi, EXACT, 1800.0, P8x5),
    (Suspend, Lan, EXACT, 1800.0, P8x2),
    (Restart, Lan, EXACT, 1800.0, P8x5),
    (Hvac, Wifi, EXACT, 1800.0, Neon4),
    (Warm, Weibull, EXACT, 7200.0, P8x5),
    (Hvac, Gamma, EXACT, 7200.0, P8x5),
    (Hvac, Queue, EXACT, 7200.0, P8x2),
    (Hvac, Roam, EXACT, 7200.0, P8x5),
    (Flicker, Lan, US, 7200.0, P8x5),
    (Flicker, Oneway, EXACT, 7200.0, P8x5),
    (Ntp, Lan, EXACT, 7200.0, P8x5),
    (Ntp, Weibull, EXACT, 7200.0, P8x2),
    (Ntp, Lossy, EXACT, 7200.0, P8x5),
    (Ntp, Lan, EXACT, 7200.0, P4x60),
    (Restart, Wifi, EXACT, 7200.0, P8x5),
    (Restart, Gamma, EXACT, 7200.0, P4x60),
    (Flicker, Lan, EXACT, 7200.0, Neon4),
    (Ntp, Wifi, EXACT, 7200.0, Neon4),
    (Hvac, Bimodal, EXACT, 28800.0, P8x5),
    (Ntp, Wifi, EXACT, 28800.0, P8x5),
    (Warm, Wifi, EXACT, 28800.0, P20x30),
    (Flicker, Lan, EXACT, 28800.0, P4x60),
];

fn cases(family: Family, rows: &[Row]) -> Vec<Case> {
    rows.iter()
        .map(|&(clock, path, reading, duration_s, probes)| {
            // One probe each 0.25 s is the schedule of a device that reads milliseconds.
            let coarse = CaseReading::Floor { resolution_s: MILLISECOND_S };
            let reading = if probes == Neon4 { coarse } else { reading };
            Case { family, clock, path, duration_s, probes, reading }
        })
        .collect()
}

/// The rows of the first family: crystals and phones over LAN, USB and Wi-Fi.
pub fn family_a() -> Vec<Case> {
    cases(Family::A, &A)
}

/// The rows of the second family: harder clocks, paths, readings and schedules.
pub fn family_b() -> Vec<Case> {
    cases(Family::B, &B)
}
