//! The header is compiled as C99 and as C++17 without a warning, and what the
//! compilers say of every struct equals the Rust mirror.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use lockstep_plugin_api::sys;

/// A program that prints each struct's size and each member's offset.
fn program(layout: &[(String, usize)]) -> String {
    let mut source = String::from("#include <stdio.h>\n#include \"lockstep_plugin.h\"\nint main(void) {\n");
    for (name, _) in layout {
        let name = name.replace("r#", "");
        let expression = match name.split_once('.') {
            None => format!("sizeof({name})"),
            Some((of, member)) => format!("offsetof({of}, {member})"),
        };
        let _ = writeln!(source, "    printf(\"{name} %lu\\n\", (unsigned long)({expression}));");
    }
    source.push_str("    return 0;\n}\n");
    source
}

fn check(compiler: &str, flags: &[&str], file_name: &str) {
    let mine = sys::layout();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (source, binary) = (dir.path().join(file_name), dir.path().join("layout"));
    std::fs::write(&source, program(&mine)).expect("write the program");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let built = Command::new(compiler)
        .args(flags)
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(include)
        .arg(&source)
        .arg("-o")
        .arg(&binary)
        .output()
        .unwrap_or_else(|e| panic!("cannot run {compiler}: {e}; install it (apt: gcc g++)"));
    assert!(built.status.success(), "{compiler}: {}", String::from_utf8_lossy(&built.stderr));
    let printed = Command::new(&binary).output().expect("run the program").stdout;
    let theirs = String::from_utf8(printed).expect("ASCII");
    let mine: String =
        mine.iter().map(|(name, value)| format!("{} {value}\n", name.replace("r#", ""))).collect();
    assert_eq!(theirs, mine, "the header and sys.rs differ ({compiler})");
}

#[test]
fn c99_layout_equals_the_rust_mirror() {
    check("cc", &["-std=c99"], "layout.c");
}

#[test]
fn cpp17_layout_equals_the_rust_mirror() {
    check("c++", &["-std=c++17"], "layout.cpp");
}

/// Every member the header declares is in the mirror (the test above cannot see a member it was never told of).
#[test]
fn every_struct_and_constant_of_the_header_is_mirrored() {
    let header = include_str!("../include/lockstep_plugin.h");
    let mirror = include_str!("../src/sys.rs");
    let layout = sys::layout();
    for line in header.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("} lks_").and_then(|l| l.strip_suffix(';')) {
            assert!(layout.iter().any(|(l, _)| l == &format!("lks_{name}")), "lks_{name} is not mirrored");
        }
        let constant = line.strip_prefix("#define LKS_").and_then(|l| l.split_whitespace().next());
        if let Some(name) = constant.filter(|n| *n != "EXPORT") {
            assert!(
                mirror.contains(&format!("    {name}: ")) || mirror.contains(&format!("const {name}: ")),
                "LKS_{name} is not mirrored"
            );
        }
    }
    // Sizes have no room for a member that is missing at the end of a struct:
    // equal sizes and equal offsets leave nothing unnamed but 4-byte holes, which
    // the header fills with `reserved`.
}
