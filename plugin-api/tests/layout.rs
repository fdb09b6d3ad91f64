//! The header is compiled as C99 and as C++17 without a warning, what the
//! compilers say of every struct and constant equals the Rust mirror, and its
//! helpers make what they say.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use lockstep_plugin_api::sys;

/// Lines `name value`: each size, each offset, each constant, as the Rust mirror has them.
fn mirror() -> Vec<(String, String)> {
    let layout = sys::layout().into_iter().map(|(name, value)| (name.replace("r#", ""), value.to_string()));
    let constants = sys::constants().into_iter().map(|(name, value)| (name, value.to_string()));
    let texts = sys::texts().into_iter().map(|(name, text)| (name, text.to_string_lossy().into_owned()));
    layout.chain(constants).chain(texts).collect()
}

/// A program that prints the same lines as the header has them.
fn program() -> String {
    let mut source = String::from("#include <stdio.h>\n#include \"lockstep_plugin.h\"\nint main(void) {\n");
    for (name, _) in mirror() {
        let _ = match name.split_once('.') {
            _ if name.starts_with("LKS_EXT_") => writeln!(source, "    printf(\"{name} %s\\n\", {name});"),
            _ if name.starts_with("LKS_") => {
                writeln!(source, "    printf(\"{name} %lld\\n\", (long long)({name}));")
            }
            None => writeln!(source, "    printf(\"{name} %lu\\n\", (unsigned long)sizeof({name}));"),
            Some((of, member)) => {
                writeln!(source, "    printf(\"{name} %lu\\n\", (unsigned long)offsetof({of}, {member}));")
            }
        };
    }
    source.push_str("    return 0;\n}\n");
    source
}

/// What the helpers of the header make, each line a claim that must print 1.
const HELPERS: &str = r#"
#include <stdio.h>
#include "lockstep_plugin.h"
static const lks_plugin table = { sizeof(lks_plugin), LKS_ABI_MAJOR, LKS_ABI_MINOR, 0,
    "x", "1", "y", NULL, NULL, NULL, NULL, NULL, NULL };
LKS_EXPORT const lks_plugin *lks_plugin_entry(uint32_t major, uint32_t minor)
{
    return major == LKS_ABI_MAJOR && minor == LKS_ABI_MINOR ? &table : NULL;
}
static int is_nan(double value) { return !(value <= 0.0) && !(value >= 0.0); }
#define CLAIM(x) printf("%d %s\n", (x) ? 1 : 0, #x)
int main(void)
{
    const lks_channel channels[1] = {{LKS_STR("Cz"), LKS_STR("microvolts"), lks_str_of(NULL)}};
    lks_str text = LKS_STR("a\0b");
    lks_synchronization s = lks_synchronization_init();
    lks_clock_info c = lks_clock_info_init();
    lks_stream_info i = lks_stream_info_init();
    lks_chunk k = lks_chunk_init();
    lks_side_file f = lks_side_file_init();
    CLAIM(text.len == 3 && text.ptr[2] == 'b');
    CLAIM(LKS_STR("").len == 0);
    CLAIM(lks_str_of("four").len == 4);
    CLAIM(channels[0].unit.len == 10 && channels[0].type.len == 0);
    CLAIM(s.struct_size == sizeof s && s.can_drop_samples == 2);
    CLAIM(is_nan(s.offset_mean_s) && is_nan(s.offset_rms_s) && is_nan(s.offset_median_s));
    CLAIM(is_nan(s.offset_5_centile_s) && is_nan(s.offset_95_centile_s));
    CLAIM(c.struct_size == sizeof c && c.domain == 0 && c.resolution_s == 0.0 && c.name.ptr == NULL);
    CLAIM(i.struct_size == sizeof i && i.format == 0 && i.channels == NULL && i.synchronization == NULL);
    CLAIM(k.struct_size == sizeof k && k.stream == 0 && k.data == NULL && k.data_bytes == 0);
    CLAIM(f.struct_size == sizeof f && f.id == 0 && f.file_name.ptr == NULL);
    CLAIM(i.may_be_silent == 0 && i.label.len == 0 && i.origin_xml.ptr == NULL);
    CLAIM(lks_plugin_entry(1, LKS_ABI_MINOR) == &table);
    return 0;
}
"#;

/// Compile `source` without a warning, and run it; what it prints.
fn output(compiler: &str, flags: &[&str], file_name: &str, source: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (file, binary) = (dir.path().join(file_name), dir.path().join("program"));
    std::fs::write(&file, source).expect("write the program");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let built = Command::new(compiler)
        .args(flags)
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(include)
        .arg(&file)
        .arg("-o")
        .arg(&binary)
        .output()
        .unwrap_or_else(|e| panic!("cannot run {compiler}: {e}; install it (apt: gcc g++)"));
    assert!(built.status.success(), "{compiler}: {}", String::from_utf8_lossy(&built.stderr));
    let printed = Command::new(&binary).output().expect("run the program").stdout;
    String::from_utf8(printed).expect("ASCII")
}

fn check(compiler: &str, flags: &[&str], extension: &str) {
    let mine: String = mirror().iter().map(|(name, value)| format!("{name} {value}\n")).collect();
    let theirs = output(compiler, flags, &format!("layout.{extension}"), &program());
    assert_eq!(theirs, mine, "the header and sys.rs differ ({compiler})");
    let claims = output(compiler, flags, &format!("helpers.{extension}"), HELPERS);
    assert_eq!(claims.lines().count(), 13);
    assert!(claims.lines().all(|claim| claim.starts_with('1')), "{compiler}: {claims}");
}

#[test]
fn in_c99_layout_constants_and_helpers_are_as_in_rust() {
    check("cc", &["-std=c99"], "c");
}

#[test]
fn in_cpp17_layout_constants_and_helpers_are_as_in_rust() {
    check("c++", &["-std=c++17"], "cpp");
}

/// Every member the header declares is in the mirror (the test above cannot see a member it was never told of).
#[test]
fn every_struct_and_constant_of_the_header_is_mirrored() {
    let header = include_str!("../include/lockstep_plugin.h");
    let layout = sys::layout();
    let mirrored: Vec<String> = mirror().into_iter().map(|(name, _)| name).collect();
    for line in header.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("} lks_").and_then(|l| l.strip_suffix(';')) {
            assert!(layout.iter().any(|(l, _)| l == &format!("lks_{name}")), "lks_{name} is not mirrored");
        }
        let constant = line.strip_prefix("#define ").and_then(|l| l.split_whitespace().next());
        // Neither the export attribute nor macros with arguments are constants.
        let constant = constant.filter(|n| n.starts_with("LKS_") && *n != "LKS_EXPORT" && !n.contains('('));
        if let Some(name) = constant {
            assert!(mirrored.iter().any(|m| m == name), "{name} is not mirrored");
        }
    }
    // Sizes have no room for a member that is missing at the end of a struct:
    // equal sizes and equal offsets leave nothing unnamed but 4-byte holes, which
    // the header fills with `reserved`.
}
