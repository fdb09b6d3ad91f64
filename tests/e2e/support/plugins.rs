//! Compiling plugins written in C.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The plugin in C that lives with the tests.
pub fn counter_source() -> PathBuf {
    super::repository().join("tests/plugins/c_counter/counter.c")
}

/// File name of the plugin `name` on this system.
pub fn library_name(name: &str) -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}lockstep_plugin_{name}{DLL_SUFFIX}")
}

/// Compile `source` into `folder` as the plugin `name`.
#[track_caller]
pub fn compile_plugin(source: &Path, folder: &Path, name: &str, flags: &[&str]) {
    std::fs::create_dir_all(folder).expect("create a folder");
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-shared", "-fPIC", "-I"])
        .arg(super::repository().join("plugin-api/include"))
        .args(flags)
        .arg(source)
        .arg("-o")
        .arg(folder.join(library_name(name)))
        .arg("-lpthread")
        .output()
        .unwrap_or_else(|e| panic!("cannot run cc: {e}; install a C compiler (Debian: apt install gcc)"));
    assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
}
