//! `lockstep export` of official files: equal to what pyxdf loads, and readable by NumPy and pyxdf.
// Processes are watched with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::path::{Path, PathBuf};

use support::{TestDir, check, repository, run};

/// Official files, which are in the repository.
fn official() -> Vec<PathBuf> {
    let data = repository().join("tests/data");
    vec![data.join("minimal.xdf"), data.join("empty_streams.xdf")]
}

fn export(file: &Path, to: &Path, more: &str) -> support::Finished {
    let mut arguments = vec!["export".into(), file.to_owned(), "-o".into(), to.to_owned()];
    arguments.extend(more.split_whitespace().map(PathBuf::from));
    run(arguments)
}

#[test]
fn compat_is_what_pyxdf_loads() {
    let dir = TestDir::new();
    for (index, file) in official().into_iter().enumerate() {
        for (sync, dejitter) in [("robust", "pyxdf"), ("robust", "none"), ("none", "pyxdf"), ("none", "none")]
        {
            let out = dir.join(format!("{index}-{sync}-{dejitter}"));
            let more = format!("--format npz --compat pyxdf --sync {sync} --dejitter {dejitter}");
            export(&file, &out, &more).expect_code(0);
            let switches = [u8::from(sync != "none"), u8::from(dejitter != "none")].map(|on| on.to_string());
            check(
                "exported_npz",
                [file.clone().into_os_string(), out.into(), (&switches[0]).into(), (&switches[1]).into()],
            );
        }
    }
}

#[test]
fn a_synchronized_file_is_loaded_by_pyxdf_as_it_is() {
    let dir = TestDir::new();
    let file = &official()[0];
    export(file, &dir, "--format xdf --sync robust --dejitter none").expect_code(0);
    let synchronized = dir.join("minimal_synchronized.xdf");
    check("exported_xdf", [file, &synchronized]);
}

#[test]
fn wrong_use_is_answered_with_the_mend() {
    let dir = TestDir::new();
    let file = &official()[0];
    export(file, &dir, "--stream name=SendDataCC")
        .expect_code(2)
        .expect_stderr(&["did you mean", "SendDataC"]);
    export(file, &dir, "--compat pyxdf --sync smooth").expect_code(2).expect_stderr(&["--sync robust"]);
    export(file, &dir, "--sync spline").expect_code(2).expect_stderr(&["smooth"]);
    export(file, &dir, "--from 2 --to 1").expect_code(2);
    export(&dir.join("none.xdf"), &dir, "").expect_code(2).expect_stderr(&["none.xdf"]);
    export(file, &dir, "").expect_code(0);
    export(file, &dir, "").expect_code(2).expect_stderr(&["exists already", "--force"]);
    export(file, &dir, "--force").expect_code(0);
}

#[test]
fn damage_is_shown_and_the_exit_code_tells() {
    let dir = TestDir::new();
    let whole = std::fs::read(&official()[0]).expect("an official file");
    let cut = dir.write("cut.xdf", &whole[..whole.len() - 100]);
    let finished = export(&cut, &dir.join("out"), "--format csv").expect_code(3);
    assert!(finished.stdout.contains("damaged: byte"), "{finished}");
}
