//! When a recorder asks for the time.

/// A schedule of probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeKind {
    /// LSL's waves (8 probes 64 ms apart, each 2 s), of which a recorder keeps the newest each 5 s.
    Lsl,
    /// LSL's waves, all of them.
    LslAll,
    /// 4 probes 50 ms apart each 60 s.
    Tobii,
    /// 8 probes 64 ms apart each 5 s.
    P8x5,
    /// 8 probes 64 ms apart each 2 s.
    P8x2,
    /// 20 probes 50 ms apart each 30 s.
    P20x30,
    /// 4 probes 50 ms apart each 60 s.
    P4x60,
    /// One probe each 0.25 s.
    Neon4,
}

/// First probe of a recording, in seconds after its start.
const FIRST_S: f64 = 0.3;
/// How often LabRecorder writes an offset, in seconds.
pub(super) const WRITE_EVERY_S: f64 = 5.0;
/// A wave of LSL is over this long after it began.
const LSL_WAVE_S: f64 = 8.0 * 0.064;

impl ProbeKind {
    /// All schedules.
    pub const ALL: [Self; 8] = [
        Self::Lsl,
        Self::LslAll,
        Self::Tobii,
        Self::P8x5,
        Self::P8x2,
        Self::P20x30,
        Self::P4x60,
        Self::Neon4,
    ];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lsl => "lsl",
            Self::LslAll => "lslall",
            Self::Tobii => "tobii",
            Self::P8x5 => "p8x5",
            Self::P8x2 => "p8x2",
            Self::P20x30 => "p20x30",
            Self::P4x60 => "p4x60",
            Self::Neon4 => "neon4",
        }
    }

    /// Probes in a wave, seconds between them, seconds between waves.
    const fn wave(self) -> (usize, f64, f64) {
        match self {
            Self::Lsl | Self::LslAll | Self::P8x2 => (8, 0.064, 2.0),
            Self::P8x5 => (8, 0.064, 5.0),
            Self::Tobii | Self::P4x60 => (4, 0.05, 60.0),
            Self::P20x30 => (20, 0.05, 30.0),
            Self::Neon4 => (1, 0.0, 0.25),
        }
    }

    /// The waves of a recording: when their probes leave, in seconds after the start.
    pub(super) fn waves(self, duration_s: f64) -> Vec<Vec<f64>> {
        let (probes, apart_s, every_s) = self.wave();
        let length_s = probes.saturating_sub(1) as f64 * apart_s;
        let room_s = duration_s - 1.0 - FIRST_S - length_s;
        if room_s.is_nan() || room_s < 0.0 {
            return Vec::new();
        }
        (0..=(room_s / every_s) as usize)
            .map(|wave| {
                let begins_s = FIRST_S + wave as f64 * every_s;
                (0..probes).map(|probe| begins_s + probe as f64 * apart_s).collect()
            })
            .collect()
    }

    /// True for the schedules a LabRecorder would use.
    pub(super) const fn is_lsl(self) -> bool {
        matches!(self, Self::Lsl | Self::LslAll)
    }

    /// True when the recorder keeps only the newest wave each time it writes.
    pub(super) const fn keeps_newest(self) -> bool {
        matches!(self, Self::Lsl)
    }
}

/// The newest wave that is over `at_s` after the start; `None` before the first.
pub(super) fn newest_lsl_wave(at_s: f64) -> Option<usize> {
    let since_s = at_s - FIRST_S - LSL_WAVE_S;
    (since_s >= 0.0).then_some((since_s / 2.0) as usize)
}
