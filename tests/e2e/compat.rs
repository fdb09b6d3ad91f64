//! `export --compat pyxdf` gives what pyxdf's `load_xdf` gives, and what is left of damaged files is
//! at least what pyxdf leaves: both read by pip's pyxdf itself, on the same files, in the same run.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use lockstep_analysis::export::{ExportOptions, Format, export};
use lockstep_analysis::{SyncOptions, open};
use support::{Simulator, TestDir, check, note, record_all, repository, run};

/// Generated files.
const GENERATED: usize = 240;
/// One of so many goes through the binary, with its options as they are typed; the others through the
/// same export without a process for each.
const BY_BINARY: usize = 12;

/// The name of each combination, and whether clocks are synchronized and stamps dejittered.
const COMBINATIONS: [(&str, bool, bool); 4] = [
    ("sync-dejitter", true, true),
    ("sync-raw", true, false),
    ("raw-dejitter", false, true),
    ("raw-raw", false, false),
];

fn export_by_binary(file: &Path, out: &Path) {
    for (name, sync, dejitter) in COMBINATIONS {
        let mut arguments: Vec<OsString> = vec!["export".into(), file.into(), "-o".into()];
        arguments.push(out.join(name).into());
        arguments.extend(["--format", "npz", "--compat", "pyxdf"].map(OsString::from));
        if !sync {
            arguments.extend(["--sync", "none"].map(OsString::from));
        }
        if !dejitter {
            arguments.extend(["--dejitter", "none"].map(OsString::from));
        }
        let finished = run(arguments);
        // 3: told that something is wrong with the file.
        assert!(matches!(finished.code, Some(0 | 3)), "{finished}");
    }
}

fn export_directly(file: &Path, out: &Path) {
    let recording = open(file, &mut |_| {}).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    for (name, sync, dejitter) in COMBINATIONS {
        let options = ExportOptions {
            format: Format::Npz,
            streams: Vec::new(),
            from_s: None,
            to_s: None,
            sync: SyncOptions::pyxdf(sync, dejitter),
            overwrite: false,
        };
        export(&recording, &out.join(name), &options, &mut |_| {})
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }
}

/// Export all files in all combinations, and let pyxdf compare.
fn compare(files: &[PathBuf], out: &Path, by_binary: usize) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((index, file)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, files.get(i)?)))
        {
            let out = out.join(file.file_name().expect("a file"));
            if index % by_binary == 0 { export_by_binary(file, &out) } else { export_directly(file, &out) }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut arguments = vec![out.to_owned()];
    arguments.extend_from_slice(files);
    check("compat", arguments);
}

/// The recordings in a folder, in order of their names.
fn recordings(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.to_string_lossy().contains(".xdf"));
    files.sort();
    files
}

#[test]
fn generated_files_come_out_as_pyxdf_gives_them() {
    let dir = TestDir::in_memory();
    let files = dir.join("files");
    std::fs::create_dir(&files).expect("create a folder");
    check("compat_files", [files.as_os_str(), GENERATED.to_string().as_ref()]);
    let files = recordings(&files);
    assert_eq!(files.len(), GENERATED);
    compare(&files, &dir.join("out"), BY_BINARY);
}

#[test]
fn recordings_come_out_as_pyxdf_gives_them() {
    let dir = TestDir::in_memory();
    let flags = [
        "--name=regular --rate-hz=250 --channels=4 --skew-ppm=40 --clock-offset-s=-55.5",
        "--name=irregular --rate-hz=0 --mean-rate-hz=60 --payload=json --format=string --skew-ppm=-20",
        "--name=stepped --rate-hz=120 --format=int16 --step=1.5:7 --unit=us",
    ];
    let simulators =
        flags.map(|flags| Simulator::new(&dir.join("truth"), 1, &format!("{flags} --duration-s=4")));
    let recording = record_all(&dir, &simulators);
    recording.expect_code(0);
    let mut files = vec![recording.file];
    files.extend(recordings(&repository().join("tests/data")));
    compare(&files, &dir.join("out"), 1);
}

#[test]
fn files_of_others_come_out_as_pyxdf_gives_them() {
    let shared = repository().join("../shared/data");
    if !shared.is_dir() {
        note("SKIPPED: the recordings are not there that are shared beside the repository");
        return;
    }
    let dir = TestDir::in_memory();
    for folder in ["xdf", "clock"] {
        compare(&recordings(&shared.join(folder)), &dir.join(folder), 2);
    }
}

#[test]
fn damage_leaves_at_least_what_it_should() {
    let dir = TestDir::in_memory();
    let files = dir.join("files");
    std::fs::create_dir(&files).expect("create a folder");
    check("damage_files", [&files]);
    for file in recordings(&files) {
        let out = dir.join("out").join(file.file_name().expect("a file"));
        let arguments: Vec<OsString> = ["export".into(), file.into(), "-o".into(), out.into()].into();
        let more = ["--format", "npz", "--sync", "none", "--dejitter", "none"].map(OsString::from);
        let finished = run(arguments.into_iter().chain(more));
        assert!(matches!(finished.code, Some(0 | 3)), "{finished}");
    }
    let table = check("damage", [&files, &dir.join("out")]);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-output");
    std::fs::create_dir_all(&folder).expect("create a folder");
    std::fs::write(folder.join("damage_table.txt"), table).expect("write a file");
}
