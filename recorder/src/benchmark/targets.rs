//! What each row should reach.

use lockstep_sim::study::{Case, Family, PathKind};

/// p95 of the error in us that the prototype of `smooth` reached on recordings of its own simulator,
/// with a margin: the larger of 1.4 times its mean and 1.1 times its worst recording. The first 45
/// are family A and are to be met; the others are family B, whose recordings are drawn from other
/// parameters here, so that they are to be come near.
const TARGETS_US: [(&str, f64); 80] = [
    ("const, lan, 600, lsl", 0.3),
    ("const, usb, 600, lsl", 5.5),
    ("const, wifi, 600, lsl", 5.9),
    ("pc, lan, 600, lsl", 0.9),
    ("pc, usb, 600, lsl", 11.0),
    ("pc, wifi, 600, lsl", 6.7),
    ("phone, lan, 600, lsl", 1.0),
    ("phone, usb, 600, lsl", 11.0),
    ("phone, wifi, 600, lsl", 24.5),
    ("const, lan, 3600, lsl", 0.3),
    ("const, usb, 3600, lsl", 2.7),
    ("const, wifi, 3600, lsl", 1.9),
    ("pc, lan, 3600, lsl", 0.6),
    ("pc, usb, 3600, lsl", 7.2),
    ("pc, wifi, 3600, lsl", 4.2),
    ("phone, lan, 3600, lsl", 0.8),
    ("phone, usb, 3600, lsl", 8.4),
    ("phone, wifi, 3600, lsl", 12.5),
    ("phone_step, lan, 3600, lsl", 0.8),
    ("phone_step, usb, 3600, lsl", 7.6),
    ("phone_step, wifi, 3600, lsl", 16.0),
    ("phone_slew, lan, 3600, lsl", 1.1),
    ("phone_slew, usb, 3600, lsl", 7.2),
    ("phone_slew, wifi, 3600, lsl", 20.5),
    ("const, lan, 10800, lsl", 0.2),
    ("const, wifi, 10800, lsl", 0.7),
    ("pc, lan, 10800, lsl", 0.6),
    ("pc, wifi, 10800, lsl", 4.5),
    ("phone, lan, 10800, lsl", 0.8),
    ("phone, wifi, 10800, lsl", 9.3),
    ("phone_step, wifi, 10800, lsl", 13.5),
    ("phone_slew, wifi, 10800, lsl", 13.0),
    ("pc, wifi_asym, 3600, lsl", 705.0),
    ("pc, lan, 3600, tobii", 3.6),
    ("pc, lan, 10800, tobii", 3.6),
    ("pc, wifi, 3600, tobii", 56.5),
    ("pc, wifi, 10800, tobii", 36.5),
    ("phone, lan, 3600, tobii", 5.9),
    ("phone, lan, 10800, tobii", 7.3),
    ("phone, wifi, 3600, tobii", 90.0),
    ("phone, wifi, 10800, tobii", 86.5),
    ("phone_step, wifi, 3600, tobii", 220.0),
    ("pc, wifi, 3600, lslall", 4.6),
    ("phone, wifi, 10800, lslall", 6.8),
    ("phone, lan, 3600, lslall", 0.5),
    ("warm, wifi, 300, p8x5", 49.5),
    ("flicker, gamma, 300, p8x2", 38.0),
    ("flicker, usb1k, 300, p8x5", 680.0),
    ("warm, ble, 300, p8x2", 16000.0),
    ("hvac, weibull, 300, p20x30", 71.5),
    ("hvac, wifi, 300, neon4", 75.0),
    ("warm, lan, 1800, p8x5", 3.2),
    ("warm, usb1k, 1800, p8x2", 665.0),
    ("warm, late, 1800, p8x5", 7.9),
    ("flicker, ble, 1800, p8x2", 10500.0),
    ("flicker, gamma@32k, 1800, p8x5", 75.5),
    ("flicker, roam, 1800, p8x2", 20.0),
    ("ntp, gamma, 1800, p20x30", 140.0),
    ("suspend, wifi, 1800, p8x5", 20.5),
    ("suspend, lan, 1800, p8x2", 0.7),
    ("restart, lan, 1800, p8x5", 0.8),
    ("hvac, wifi, 1800, neon4", 52.5),
    ("warm, weibull, 7200, p8x5", 5.8),
    ("hvac, gamma, 7200, p8x5", 60.5),
    ("hvac, queue, 7200, p8x2", 1600.0),
    ("hvac, roam, 7200, p8x5", 165.0),
    ("flicker, lan@us, 7200, p8x5", 0.8),
    ("flicker, oneway, 7200, p8x5", 8.0),
    ("ntp, lan, 7200, p8x5", 1.8),
    ("ntp, weibull, 7200, p8x2", 1.8),
    ("ntp, lossy, 7200, p8x5", 67.5),
    ("ntp, lan, 7200, p4x60", 295.0),
    ("restart, wifi, 7200, p8x5", 10.5),
    ("restart, gamma, 7200, p4x60", 125.0),
    ("flicker, lan, 7200, neon4", 5.0),
    ("ntp, wifi, 7200, neon4", 92.5),
    ("hvac, bimodal, 28800, p8x5", 5.5),
    ("ntp, wifi, 28800, p8x5", 42.5),
    ("warm, wifi, 28800, p20x30", 9.7),
    ("flicker, lan, 28800, p4x60", 3.0),
];

/// The target of a row for `smooth`, p95 in us; `None` for cases that are no row.
pub fn target_us(case: &Case) -> Option<f64> {
    let name = case.name();
    TARGETS_US.iter().find(|row| row.0 == name).map(|row| row.1)
}

/// The target from offsets alone, as LabRecorder writes them, p95 in us: 25 over wires, 75 over a busy
/// wireless network; none for clocks that are stepped or slewed.
pub fn lab_recorder_target_us(case: &Case) -> Option<f64> {
    let disturbed = matches!(case.clock.name(), "phone_step" | "phone_slew");
    match case.path {
        _ if disturbed || case.family != Family::A => None,
        PathKind::Lan | PathKind::Usb => Some(25.0),
        PathKind::Wifi => Some(75.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lockstep_sim::study::{family_a, family_b};

    use super::*;

    #[test]
    fn every_row_has_a_target() {
        for case in family_a().into_iter().chain(family_b()) {
            assert!(target_us(&case).is_some_and(|target| target > 0.0), "{}", case.name());
        }
    }
}
