//! What is known of one device clock before anything is estimated.

use crate::{Exchange, Measurement, Reading, measure};

/// A clock offset as an XDF file stores it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offset {
    /// Device time at which it was collected.
    pub device_time_s: f64,
    /// Host minus device.
    pub offset_s: f64,
    /// Round-trip time of the exchange behind it, where that is known.
    pub round_trip_s: Option<f64>,
}

/// Everything a recording holds about one device clock.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// How the clock is read.
    pub reading: Reading,
    /// Every exchange, in the order in which they were recorded (by t3). Empty where a file keeps none.
    pub exchanges: Vec<Exchange>,
    /// The offsets (ClockOffset chunks), in file order.
    pub offsets: Vec<Offset>,
    /// The offsets are cached values that were stamped when they were read, not when they were
    /// measured: what LabRecorder writes.
    pub stale_stamps: bool,
    /// Half of (minimum delay to the device minus minimum delay back), where it is known, from a
    /// calibration; it is added to every offset. `Some(0.0)` says that the path is known to be
    /// symmetric; `None` that nothing is known: the usual asymmetry is then counted as error.
    pub known_asymmetry_s: Option<f64>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            reading: Reading::FINE,
            exchanges: Vec::new(),
            offsets: Vec::new(),
            stale_stamps: false,
            known_asymmetry_s: None,
        }
    }
}

impl History {
    /// The exchanges that can be evaluated, in order.
    pub fn measurements(&self) -> impl Iterator<Item = Measurement> + '_ {
        self.exchanges.iter().filter_map(|exchange| measure(exchange, self.reading))
    }

    /// True when nothing at all was measured: the stamps can only be taken as they are.
    pub fn is_empty(&self) -> bool {
        self.exchanges.is_empty() && self.offsets.is_empty()
    }
}
