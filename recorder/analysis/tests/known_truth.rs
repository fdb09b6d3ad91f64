//! Recordings of simulated clocks whose truth is known, made by another simulator than ours: five files
//! that stand beside the product's specification. Skipped, and said, where they are not there.

use std::path::Path;

use lockstep_analysis::{SyncOptions, Synchronizer, open};
use lockstep_clock::DejitterMethod;

/// Name, and half more than the 95th centile of the errors of such recordings that the specification aims
/// at, in microseconds: each is a single recording.
const RECORDINGS: [(&str, f64); 5] = [
    ("pc_usb_600_lsl_7", 1.5 * 11.0),
    ("phone_lan_3600_tobii_7", 1.5 * 5.9),
    ("phone_wifi_3600_lsl_7", 1.5 * 12.5),
    ("phone_step_lan_3600_lsl_7", 1.5 * 0.8),
    ("phone_slew_wifi_3600_lsl_7", 1.5 * 20.5),
];

#[test]
fn times_are_near_the_truth_and_errors_as_said() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/clock");
    if !folder.is_dir() {
        eprintln!("skipped: there is no folder {}", folder.display());
        return;
    }
    for (name, limit_us) in RECORDINGS {
        let truth = std::fs::read_to_string(folder.join(format!("{name}_truth.csv"))).expect("the truth");
        let truth: Vec<(f64, f64)> = truth
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(','))
            .map(|(device, host)| (device.parse().expect("a number"), host.parse().expect("a number")))
            .collect();
        let recording = open(&folder.join(format!("{name}.xdf")), &mut |_| {}).expect("a recording");
        let options = SyncOptions { dejitter: DejitterMethod::None, ..SyncOptions::default() };
        let synchronizer = Synchronizer::new(&recording, options).expect("clocks");
        let streams = &recording.scan.streams;
        let device = streams.iter().position(|s| s.info.name == "SimDevice").expect("the device");
        let timing = synchronizer.time(device, &mut |_| {}).expect("a timing");
        let mut blocks = timing.blocks(Some(Vec::new()));
        let (mut errors_us, mut within_total, mut beyond_bound) = (Vec::new(), 0, 0);
        let mut next = 0;
        while let Some(block) = blocks.next_block().expect("samples") {
            for (i, device_time_s) in block.device_time_s.iter().enumerate() {
                // The file has the stamps whole, the truth has nine digits of them.
                let Some((stamp_s, host_s)) = truth.get(next) else { break };
                if (device_time_s - stamp_s).abs() > 1e-8 {
                    continue;
                }
                next += 1;
                let error_s = (block.times.time_s[i] - host_s).abs();
                errors_us.push(1e6 * error_s);
                within_total += usize::from(error_s <= 1.96 * block.times.sigma_total_s[i]);
                beyond_bound += usize::from(error_s > block.times.bound_s[i] && !block.times.flagged[i]);
            }
        }
        assert_eq!(next, truth.len(), "{name}: every sample of the truth is in the file");
        errors_us.sort_by(f64::total_cmp);
        let p95_us = errors_us[errors_us.len() * 95 / 100];
        println!("{name}: 95 % of the errors below {p95_us:.2} us, largest {:.1}", errors_us[next - 1]);
        assert!(p95_us < limit_us, "{name}: {p95_us} us");
        assert!(within_total * 100 >= 93 * next, "{name}: {within_total} of {next}");
        assert_eq!(beyond_bound, 0, "{name}");
    }
}
