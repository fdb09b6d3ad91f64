//! What the next recording will be, and what every wrong wish is told.

use super::*;
use crate::config::{Run, parse};
use crate::remote::lines::Line;
use crate::remote::protocol;

const BASE: &str = "[experiment]\nname = \"grip\"\ntask = \"rest\"\n[remote]\nenabled = true\n[recording]\n\
                    duration_s = 60\n";

struct Lab {
    base: Loaded,
    search: PluginSearch,
    folder: tempfile::TempDir,
}

fn lab(more: &str) -> Lab {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = format!("recording.directory={:?}", folder.path().to_string_lossy());
    let base = parse(&format!("{BASE}{more}"), "grip.toml", &[directory]).expect("right");
    Lab { base, search: PluginSearch::new(&[]), folder }
}

impl Lab {
    fn desk(&self) -> Desk<'_> {
        Desk::new(&self.base, &self.search)
    }
}

fn obey(desk: &mut Desk<'_>, line: &str) -> String {
    let command = protocol::parse(Line::Text(line.to_owned())).expect(line);
    desk.obey(command, false).line()
}

const UDP: &str = "[[source]]\nname = \"imu\"\nplugin = \"udp\"\n[source.options]\nlisten = \"127.0.0.1:5005\"\npayload = \"marker\"\n";

#[test]
fn nothing_configured_and_nothing_selected_is_never_everything() {
    let lab = lab("");
    let mut desk = lab.desk();
    let why = desk.ready().expect_err("nothing to record");
    assert!(why.contains("nothing is configured and nothing is selected: send `select all`"), "{why}");
    assert_eq!(obey(&mut desk, "select none"), "OK nothing is selected\n");
    assert_eq!(
        obey(&mut desk, "select type='EEG'"),
        "OK the streams of LSL with type='EEG' will be recorded\n"
    );
    assert!(obey(&mut desk, "select type='EEG'").contains("already"));
    assert_eq!(obey(&mut desk, "select all"), "OK every stream of LSL will be recorded\n");
}

#[test]
fn what_is_configured_is_recorded_and_what_is_selected_beside_it() {
    let lab = lab(UDP);
    let mut desk = lab.desk();
    let ready = desk.ready().expect("the source of the configuration");
    assert_eq!(ready.prepared.sources.len(), 1);
    assert!(ready.path.starts_with(lab.folder.path()), "{:?}", ready.path);
    let told = obey(&mut desk, "select type='EEG'");
    assert!(told.contains("with type='EEG' will be recorded, and what is configured: imu"), "{told}");
    let loaded = desk.loaded(desk.naming()).expect("right");
    assert_eq!(loaded.config.source[1].plugin, lsl::PLUGIN);
    assert!(loaded.text.contains("type='EEG'"), "the file will hold what was selected");
}

#[test]
fn nothing_can_be_selected_beside_two_sources_that_could_record_it() {
    let source = |name: &str| {
        format!("[[source]]\nname = \"{name}\"\nplugin = \"lsl\"\noptions.streams = [{{ type = \"EEG\" }}]\n")
    };
    let lab = lab(&format!("{}{}", source("net"), source("eye")));
    let mut desk = lab.desk();
    for command in ["select all", "select type='Gaze'"] {
        let told = obey(&mut desk, command);
        assert!(
            told.starts_with("ERROR the sources \"net\" and \"eye\" are both of the plugin lsl"),
            "{told}"
        );
        assert!(desk.selection().is_empty());
    }
    assert_eq!(obey(&mut desk, "select none"), "OK what is configured will be recorded: net, eye\n");
}

#[test]
fn the_file_is_named_by_commands_and_the_counter_tests_the_real_path() {
    let lab = lab(UDP);
    let mut desk = lab.desk();
    let root = lab.folder.path().join("Study 1");
    let command =
        format!("filename {{root:{}}}{{template:Exp%n/{{task}}_%b.xdf}}{{task:Hold}}", root.display());
    let first = root.join("Exp001").join("Hold_Hold.xdf");
    assert_eq!(obey(&mut desk, &command), format!("OK the next file is {}\n", first.display()));
    std::fs::create_dir_all(first.parent().expect("a parent")).expect("folder");
    std::fs::write(&first, "").expect("file");
    let ready = desk.ready().expect("ready");
    assert_eq!(ready.path, root.join("Exp002").join("Hold_Hold.xdf"));
    assert_eq!(ready.config.experiment.run, Some(Run::Number(2)), "the file says which run it is");
    assert_eq!(ready.config.recording.duration_s, Some(60.0));
    let told = obey(&mut desk, "filename {run:1}");
    assert!(told.starts_with("OK taken, but nothing can be recorded yet"), "{told}");
    assert!(told.contains("already exists") && told.contains("send filename {run:auto}"), "{told}");
    assert!(desk.ready().expect_err("exists").contains("nothing is ever overwritten"));
}

#[test]
fn values_that_would_leave_the_folder_are_refused_and_change_nothing() {
    let lab = lab(UDP);
    let mut desk = lab.desk();
    obey(&mut desk, "filename {participant:P1}{session:S1}");
    let before = desk.naming().clone();
    for wrong in [
        "filename {participant:../../etc}",
        "filename {session:..}",
        "filename {template:../x}",
        "filename {template:/etc/x}",
        "filename {template:{participant}/{nonsense}}",
        "filename {task:a/b}",
        "filename {root:~/data}",
        "filename {participant:sub-P1}",
    ] {
        let told = obey(&mut desk, wrong);
        assert!(told.starts_with("ERROR nothing was changed: "), "{wrong}: {told}");
        assert_eq!(*desk.naming(), before, "{wrong}");
    }
}

#[test]
fn while_it_records_commands_are_for_the_next_recording() {
    let lab = lab(UDP);
    let mut desk = lab.desk();
    let command = protocol::parse(Line::Text("filename {task:walk}".to_owned())).expect("right");
    assert_eq!(desk.obey(command, true).line(), "OK for the next recording: taken\n");
    let outlook = desk.outlook(true).expect("right");
    assert_eq!(outlook.text, "for the next recording: what is configured will be recorded: imu");
}

#[test]
fn the_network_is_looked_through_for_what_is_configured_and_what_is_selected() {
    let lab = lab("[[source]]\nname = \"net\"\nplugin = \"lsl\"\noptions.streams = [{ type = \"EEG\" }]\n");
    let mut desk = lab.desk();
    obey(&mut desk, "select name='Markers'");
    let outlook = desk.outlook(false).expect("right");
    let streams: Vec<String> = outlook.streams.iter().map(ToString::to_string).collect();
    assert_eq!(streams, ["type='EEG'", "name='Markers'"]);
    assert!(outlook.text.contains("what is configured: net; the next file is "), "{}", outlook.text);
}

#[test]
fn from_another_machine_no_folder_outside_of_the_configurations_is_chosen() {
    let lab = lab(UDP);
    let desk = lab.desk();
    let allows = |root: &str, from: &str| {
        let command = protocol::parse(Line::Text(format!("filename {{root:{root}}}"))).expect("right");
        desk.allows(&command, from.parse().expect("an address"))
    };
    let folder = lab.folder.path();
    let (inside, beside) = (folder.join("Study 1"), format!("{}x", folder.display()));
    let up = folder.join("a").join("..").join("..").join("x");
    for (root, is_inside) in [
        (folder.display().to_string(), true),
        (inside.display().to_string(), true),
        (String::new(), true),
        (beside, false),
        (up.display().to_string(), false),
        ("/".to_owned(), false),
        ("data".to_owned(), false),
        ("..".to_owned(), false),
    ] {
        for from in ["192.0.2.9:7", "[2001:db8::1]:7", "[::ffff:192.0.2.9]:7"] {
            let told = allows(&root, from);
            assert_eq!(told.is_ok(), is_inside, "{root:?}: {told:?}");
            assert!(is_inside || told.is_err_and(|text| text.contains("set `directory` in [recording]")));
        }
        for from in ["127.0.0.1:7", "[::1]:7", "[::ffff:127.0.0.1]:7"] {
            assert_eq!(allows(&root, from), Ok(()), "this machine's users choose where they like: {root:?}");
        }
    }
    let other = protocol::parse(Line::Text("filename {task:x}".to_owned())).expect("right");
    assert_eq!(desk.allows(&other, "192.0.2.9:7".parse().expect("an address")), Ok(()));
}
