//! Recovery of any bytes: what is written is a whole recording with the samples that were said to be in it.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use lockstep_analysis::{open, recover};
use lockstep_xdf::{DamageReason, scan};

/// The file that is recovered; in memory where there is such a place.
fn file() -> &'static Path {
    static FILE: OnceLock<std::path::PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        folder.join(format!("lockstep-fuzz-recover-{}.xdf", std::process::id()))
    })
}

fuzz_target!(|data: &[u8]| {
    std::fs::write(file(), data).expect("there is room");
    let recording = open(file(), &mut |_| {});
    // It is open still, where a system allows that.
    drop(std::fs::remove_file(file()));
    let Ok(recording) = recording else { return };
    let Ok(recovery) = recover::plan(&recording, &mut |_| {}) else { return };
    let mut written = Vec::new();
    let origin = recover::Origin::default();
    recover::write_into(&recording, &recovery, &origin, &mut written, Path::new("out.xdf"), &mut |_| {})
        .expect("memory takes all");
    let found = scan(&written, &mut |_| {}).expect("it is a recording");
    // Chunks of kinds that nobody knows are kept as they are.
    let damage: Vec<_> =
        found.damage.iter().filter(|d| !matches!(d.reason, DamageReason::UnknownTag(_))).collect();
    assert!(damage.is_empty(), "it is not whole: {damage:?}");
    assert_eq!(found.streams.len(), recovery.streams.len());
    for (found, planned) in found.streams.iter().zip(&recovery.streams) {
        assert_eq!((found.id, found.sample_count), (planned.id, planned.samples));
        assert_eq!(found.clock_offsets.len() as u64, planned.clock_offsets);
    }
    let _ = (recovery.samples_lost(), recovery.bytes_skipped(), recovery.is_lossy());
});
