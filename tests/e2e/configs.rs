//! Wrong configurations, as a user meets them: exit code 2, the file, the line, a caret under what
//! is wrong, and how to mend it. All messages go into `target/test-output/config_errors.txt`.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::fmt::Write as _;
use std::path::Path;

use support::{Finished, Process, Recorder, TestDir, lockstep};

/// A configuration in which nothing is wrong.
const RIGHT: &str = r#"[experiment]
name = "grip"
participant = "P012"
session = "01"
task = "gonogo"

[recording]
directory = "data"
when_missing = "fail"
wait_s = 10.0

[clock]
interval_s = 5.0
probes = 8

[[source]]
name = "imu"
plugin = "udp"
[source.options]
listen = "127.0.0.1:5005"
payload = "binary"
fields = [
    { name = "t", type = "u32" },
    { name = "n", type = "u16" },
    { name = "acc", type = "f32", count = 3, unit = "m/s^2" },
]
timestamp = { field = "t", unit = "us", clock = "device" }
sequence = { field = "n", per = "sample" }
exchange = { kind = "echo", address = "127.0.0.1:6005" }
nominal_rate_hz = 100.0

[[source]]
name = "markers"
plugin = "udp"
required = false
[source.options]
listen = "127.0.0.1:5006"
payload = "marker"
"#;

/// What is written instead of what, and what has to be said of it: the line of the file, and texts.
struct Case {
    what: &'static str,
    change: (&'static str, &'static str),
    line: usize,
    says: &'static [&'static str],
}

const fn case(
    what: &'static str,
    change: (&'static str, &'static str),
    line: usize,
    says: &'static [&'static str],
) -> Case {
    Case { what, change, line, says }
}

/// Errors of the file itself.
const FILE_CASES: &[Case] = &[
    case("a quote is not closed", ("\"grip\"", "\"grip"), 2, &["a text is not closed", "is missing"]),
    case("a key stands twice", ("session = \"01\"", "name = \"again\""), 4, &["name", "twice"]),
    case(
        "a key is misspelled",
        ("wait_s = 10.0", "wait = 10.0"),
        10,
        &["unknown key `wait` in [recording]", "did you mean `wait_s`?", "accepted here: "],
    ),
    case(
        "a section is misspelled",
        ("[clock]", "[clocks]"),
        12,
        &["unknown section [clocks]", "did you mean `clock`?"],
    ),
    case(
        "a key of [experiment] is misspelled",
        ("participant =", "particpant ="),
        3,
        &["looks like a misspelled `participant`"],
    ),
    case(
        "a number stands in quotes",
        ("interval_s = 5.0", "interval_s = \"5\""),
        13,
        &["must be a number from 0.5 to 3600, found the text \"5\"", "numbers stand without quotes: 5"],
    ),
    case(
        "a text stands without quotes",
        ("session = \"01\"", "session = 1"),
        4,
        &["must be text, found the number 1", "text goes in quotes: \"1\""],
    ),
    case(
        "a number is out of its range",
        ("probes = 8", "probes = 65"),
        14,
        &["must be an integer from 1 to 64, found the number 65"],
    ),
    case("a number has a fraction", ("probes = 8", "probes = 2.5"), 14, &["found the number 2.5"]),
    case(
        "a word is none of those accepted",
        ("\"fail\"", "\"wiat\""),
        9,
        &["must be one of \"fail\", \"wait\" or \"warn\"", "did you mean \"wait\"?"],
    ),
    case(
        "the name of the experiment is missing",
        ("name = \"grip\"\n", ""),
        1,
        &["`name` is missing in [experiment]", "add name = "],
    ),
    case(
        "a source has no plugin",
        ("plugin = \"udp\"\nrequired", "required"),
        32,
        &["`plugin` is missing in source \"markers\""],
    ),
    case(
        "two sources share a name",
        ("name = \"markers\"", "name = \"imu\""),
        33,
        &[
            "two sources are named \"imu\"",
            "first source with this name",
            "give each source a name of its own",
        ],
    ),
    case(
        "an option stands outside of [source.options]",
        ("required = false", "listen = \"5006\""),
        35,
        &["unknown key `listen` in source \"markers\"", "[source.options]"],
    ),
    case(
        "the template of the file name has an unknown placeholder",
        ("wait_s = 10.0", "filename = \"{participnt}.xdf\""),
        10,
        &["participnt", "participant"],
    ),
    case(
        "the folder is written with ~",
        ("directory = \"data\"", "directory = \"~/data\""),
        8,
        &["starts with ~, which is not expanded here", "write the whole path"],
    ),
    case(
        "a Windows path has escapes",
        ("directory = \"data\"", "directory = \"C:\\temp\""),
        8,
        &["control character", "single quotes"],
    ),
    case(
        "the master clock is named by a URL",
        ("probes = 8", "ntp = \"ntp://ntp.example.org\""),
        14,
        &["is a URL; only the name or address is wanted", "expected a server", "\"192.168.1.1:1123\""],
    ),
    case(
        "the master clock has an IPv6 address without brackets",
        ("probes = 8", "ntp = \"2001:db8::1\""),
        14,
        &["stands in brackets: \"[2001:db8::1]\""],
    ),
    case(
        "the master clock has a port that is none",
        ("probes = 8", "ntp = \"ntp.example.org:66000\""),
        14,
        &["\"66000\" is no port (1 to 65535)"],
    ),
    case(
        "the master clock is to be asked too often",
        ("probes = 8", "ntp_interval_s = 1"),
        14,
        &["must be a number from 4 to 3600, found the number 1"],
    ),
    case(
        "remote control listens at a name",
        ("[clock]", "[remote]\nbind = \"localhost\"\n[clock]"),
        13,
        &[
            "`bind` in [remote]: \"localhost\" is no IP address",
            "\"127.0.0.1\" takes commands from this machine only",
        ],
    ),
    case("a duration is no time", ("wait_s = 10.0", "duration_s = 0"), 10, &["must be a number above 0"]),
    case(
        "there is no such plugin",
        ("name = \"markers\"\nplugin = \"udp\"", "name = \"markers\"\nplugin = \"upd\""),
        34,
        &["there is no plugin \"upd\"", "plugins there are: ", "--plugin-dir"],
    ),
    case(
        "a plugin is named by its file",
        ("name = \"markers\"\nplugin = \"udp\"", "name = \"markers\"\nplugin = \"udp.so\""),
        34,
        &["small letters, digits, - and _"],
    ),
];

/// Errors in the options of the UDP plugin, found by its schema or by itself.
const OPTION_CASES: &[Case] = &[
    case(
        "an option has the wrong type",
        ("nominal_rate_hz = 100.0", "nominal_rate_hz = \"100\""),
        30,
        &["must be a number", "found the text \"100\"", "numbers stand without quotes"],
    ),
    case(
        "an option is unknown",
        ("nominal_rate_hz = 100.0", "nominal_rate = 100.0"),
        30,
        &["unknown option `nominal_rate`", "did you mean `nominal_rate_hz`?", "accepted here: "],
    ),
    case(
        "the payload is missing",
        ("payload = \"binary\"\n", ""),
        19,
        &["`payload` is missing", "\"binary\""],
    ),
    case(
        "the payload is none there is",
        ("payload = \"binary\"", "payload = \"bianry\""),
        21,
        &["\"json\", \"csv\", \"binary\" or \"marker\"", "did you mean \"binary\"?"],
    ),
    case(
        "a field has an unknown type",
        ("type = \"u16\"", "type = \"uint16\""),
        24,
        &["found the text \"uint16\"", "\"u16\""],
    ),
    case(
        "a field has no type in a binary layout",
        ("{ name = \"n\", type = \"u16\" }", "{ name = \"n\" }"),
        24,
        &["type"],
    ),
    case(
        "the timestamp names a field that does not exist",
        ("field = \"t\"", "field = \"time\""),
        27,
        &["time"],
    ),
    case(
        "the sequence names a field that does not exist",
        ("field = \"n\"", "field = \"number\""),
        28,
        &["number"],
    ),
    case(
        "an exchange without a timestamp",
        ("timestamp = { field = \"t\", unit = \"us\", clock = \"device\" }\n", ""),
        19,
        &["exchanges measure the clock that stamps the data", "timestamp = { field = "],
    ),
    case(
        "an exchange without an address",
        ("{ kind = \"echo\", address = \"127.0.0.1:6005\" }", "{ kind = \"echo\" }"),
        29,
        &["needs the address where the device answers"],
    ),
    case(
        "an address without a port",
        ("listen = \"127.0.0.1:5005\"", "listen = \"127.0.0.1\""),
        20,
        &["127.0.0.1", "port"],
    ),
    case(
        "an option of another payload",
        ("payload = \"marker\"", "payload = \"marker\"\nmagic = \"4C4B\""),
        39,
        &["has no meaning with the payload \"marker\""],
    ),
    case(
        "a scale on an integer format",
        ("unit = \"m/s^2\" },\n]", "scale = 0.5 },\n]\nformat = \"int16\""),
        25,
        &["the channel \"acc0\" is scaled, but its format is integers", "use float32"],
    ),
];

/// Errors of `--set`, with the column of the caret.
const SET_CASES: &[(&str, usize, &[&str])] = &[
    ("clock.probes=many", 14, &["must be an integer from 1 to 64, found the text \"many\""]),
    ("clock.probe=4", 7, &["unknown key `probe` in [clock]", "did you mean `probes`?"]),
    ("source.marker.required=true", 8, &["there is no source named \"marker\"", "did you mean `markers`?"]),
    ("source.imu.options.lisen=5005", 20, &["unknown option `lisen`", "did you mean `listen`?"]),
    ("clock.ntp=\"192.168.1.256\"", 11, &["is no IPv4 address (four numbers from 0 to 255)"]),
    ("clock.ntp_probes=17", 18, &["must be an integer from 1 to 16"]),
    ("clock.probes", 1, &["there is no `=`", "write --set key=value"]),
    ("experiment.name.first=x", 12, &["so there is nothing below it"]),
];

fn validate(dir: &TestDir, config: &str, more: &[&str]) -> Finished {
    dir.write("config.toml", config);
    let mut command = lockstep(["validate", "config.toml"]);
    Process::start(command.args(more).current_dir(&**dir)).wait(support::PATIENCE)
}

/// What is not as it should be in a message that has to show a place and hold some texts.
fn faults(finished: &Finished, place: &str, says: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    if finished.code != Some(2) {
        faults.push(format!("exit code {:?}", finished.code));
    }
    if !finished.stderr.contains('^') {
        faults.push("no caret".to_owned());
    }
    let wanted = says.iter().copied().chain([place]);
    faults.extend(wanted.filter(|text| !finished.says(text)).map(|text| format!("it does not say {text:?}")));
    faults
}

#[test]
fn each_wrong_configuration_is_told_at_its_line_with_the_mend() {
    let dir = TestDir::new();
    let mut all = String::new();
    let mut wrong = String::new();
    let mut judge = |what: &str, finished: &Finished, place: &str, says: &[&str]| {
        writeln!(all, "{what}\n{}", finished.stderr).expect("text");
        let faults = faults(finished, place, says);
        if !faults.is_empty() {
            writeln!(wrong, "{what}: {}\n{}", faults.join("; "), finished.stderr).expect("text");
        }
    };
    for case in FILE_CASES.iter().chain(OPTION_CASES) {
        assert_eq!(RIGHT.matches(case.change.0).count(), 1, "{}: what is changed is there once", case.what);
        let config = RIGHT.replace(case.change.0, case.change.1);
        let place = format!("config.toml:{}:", case.line);
        judge(case.what, &validate(&dir, &config, &[]), &place, case.says);
    }
    for (set, column, says) in SET_CASES {
        let finished = validate(&dir, RIGHT, &["--set", set]);
        judge(&format!("--set {set}"), &finished, &format!("--set:1:{column}"), says);
    }
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("test-output");
    std::fs::create_dir_all(&output).expect("a folder");
    std::fs::write(output.join("config_errors.txt"), &all).expect("written");
    assert!(wrong.is_empty(), "{wrong}");
    assert!(!dir.join("data").exists(), "nothing was begun");
}

#[test]
fn the_right_configuration_is_right() {
    let dir = TestDir::new();
    let finished = validate(&dir, RIGHT, &["--set", "clock.probes=4"]).expect_code(0);
    for text in ["imu", "markers", "sub-P012_ses-01_task-gonogo"] {
        assert!(finished.stdout.contains(text), "{finished}");
    }
    let finished = validate(&dir, RIGHT, &["--set", "clock.ntp=ntp.example.org:1123"]).expect_code(0);
    assert!(finished.stdout.contains("would ask ntp.example.org:1123 (SNTP)"), "{finished}");
    let named = RIGHT.replace("name = \"markers\"", "name = \"ntp\"");
    let finished = validate(&dir, &named, &["--set", "clock.ntp=10.0.0.1"]).expect_code(2);
    finished.expect_stderr(&["config.toml:33:", "as the master clock of [clock] is"]);
    validate(&dir, &named, &[]).expect_code(0);
    assert!(!dir.join("data").exists(), "validate writes nothing");
}

#[test]
fn record_refuses_as_validate_does_and_begins_nothing() {
    let dir = TestDir::new();
    let recording = Recorder::start(&dir, &RIGHT.replace("probes = 8", "probes = 65")).wait();
    recording.expect_code(2);
    assert!(!recording.file.exists(), "nothing was begun");
    recording.finished.expect_stderr(&["config.toml:14:10", "^^", "from 1 to 64"]);
}

#[test]
fn several_errors_are_told_at_once() {
    let dir = TestDir::new();
    let config = RIGHT.replace("probes = 8", "probes = 65").replace("wait_s", "wait");
    let finished = validate(&dir, &config, &[]).expect_code(2);
    finished.expect_stderr(&["config.toml:10:1", "config.toml:14:10"]);
}

#[test]
fn a_configuration_that_cannot_be_read_is_told() {
    let dir = TestDir::new();
    let mut command = lockstep(["validate", "none.toml"]);
    let finished = Process::start(command.current_dir(&*dir)).wait(support::PATIENCE).expect_code(2);
    finished.expect_stderr(&["none.toml"]);
    let finished = validate(&dir, "", &[]).expect_code(2);
    finished.expect_stderr(&["config.toml"]);
    dir.write("config.toml", b"name = \"\xff\"\n");
    let mut command = lockstep(["validate", "config.toml"]);
    let finished = Process::start(command.current_dir(&*dir)).wait(support::PATIENCE).expect_code(2);
    finished.expect_stderr(&["config.toml", "UTF-8"]);
}
