//! Streams chosen beside a configuration, and what becomes of it.

use super::*;
use crate::config::Config;

const PREDICATES: [&str; 2] = ["type='EEG'", "name=\"a\\b\" and type='x'\u{7}"];
const UDP: &str =
    "experiment.name = 'x'\n[[source]]\nname = 'LSL'\nplugin = 'udp'\n[source.options]\nport = 1\n";

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn added(text: &str, predicates: &[&str], overrides: &[&str]) -> Loaded {
    parse_with_streams(text, "x.toml", &owned(predicates), &owned(overrides))
        .unwrap_or_else(|e| panic!("{}\n{text}", e.render(false, 100)))
}

fn with(text: &str, predicates: &[&str], overrides: &[&str]) -> Config {
    added(text, predicates, overrides).config
}

fn predicates(config: &Config, source: usize) -> Vec<&str> {
    assert_eq!((config.source[source].plugin.as_str(), config.source[source].required), (PLUGIN, true));
    let streams = config.source[source].options["streams"].as_array().expect("a list");
    streams.iter().filter_map(|stream| stream["predicate"].as_str()).collect()
}

#[test]
fn without_a_file_there_is_one_source_and_a_name() {
    let config = with(ALONE, &PREDICATES, &["experiment.participant=P1", "source.LSL.required=true"]);
    assert_eq!(config.experiment.name, "lsl");
    assert_eq!(config.experiment.participant.as_deref(), Some("P1"));
    assert_eq!((config.source.len(), predicates(&config, 0)), (1, PREDICATES.to_vec()));
    assert!(crate::config::filename::resolve(&config, &jiff::Zoned::default()).is_ok());
    let config = with(ALONE, &[], &["remote.enabled=true"]);
    assert!(config.source.is_empty(), "nothing is chosen unasked");
    assert_eq!(
        added(ALONE, &PREDICATES[..1], &[]).text,
        "[experiment]\nname = \"lsl\"\n\n[[source]]\nname = \"LSL\"\nplugin = \"lsl\"\n\n[source.options]\n\
         streams = [\n  { predicate = \"type='EEG'\" },\n]\n"
    );
}

#[test]
fn streams_become_a_source_of_their_own_with_a_name_of_its_own() {
    let tables = format!("\u{feff}{UDP}");
    let inline = "source = [{ name = \"LSL\", plugin = \"udp\" }]\n[experiment]\nname = \"x\"\n";
    for text in [tables.as_str(), inline] {
        let config = with(text, &PREDICATES, &["source.LSL-2.acquisition.lab=2"]);
        assert_eq!((config.source.len(), config.source[1].name.as_str()), (2, "LSL-2"), "{text}");
        assert_eq!(predicates(&config, 1), PREDICATES, "{text}");
        assert_eq!(with(text, &[], &[]).source.len(), 1);
    }
    for text in
        ["[experiment]\nname = 'x'\n[remote]\nenabled = true\n", "source = []\n[experiment]\nname = 'x'\n"]
    {
        let config = with(text, &["true()"], &[]);
        assert_eq!((config.source.len(), predicates(&config, 0)), (1, vec!["true()"]), "{text}");
    }
}

#[test]
fn streams_join_those_of_a_configured_source_however_it_is_written() {
    let lsl = "[[source]]\nname = 'net'\nplugin = 'lsl'\n";
    for (options, before) in [
        ("", 0),
        ("options = {}\n", 0),
        ("options.streams = [{ name = 'a' }]\n", 1),
        ("[source.options]\nstreams = [\n  { name = 'a' }, # the amplifier\n]\n", 1),
        ("[[source.options.streams]]\nname = 'a'\n", 1),
    ] {
        let config = with(&format!("{UDP}{lsl}{options}"), &["type='EEG'"], &[]);
        assert_eq!((config.source.len(), predicates(&config, 1)), (2, vec!["type='EEG'"]), "{options}");
        let count = config.source[1].options["streams"].as_array().map(Vec::len);
        assert_eq!(count, Some(before + 1), "{options}");
    }
}

#[test]
fn what_is_wrong_is_told_at_its_line_of_the_file() {
    let error = |text: &str| {
        parse_with_streams(text, "x.toml", &owned(&PREDICATES), &[]).expect_err(text).to_string()
    };
    assert!(error("[experiment]\nname = x\n").starts_with("x.toml:2:8:"), "no TOML");
    assert!(error("source = 3\nexperiment.name = 'x'\n").starts_with("x.toml:1:10:"), "no sources");
    // A section behind the sources keeps its line, though a source is added.
    let behind = error(&format!("{UDP}[clock]\ninterval_s = 'x'\n"));
    assert!(behind.starts_with("x.toml:8:14:"), "{behind}");
    let loaded = load_with_streams(None, &owned(&PREDICATES), &[]).expect("right");
    let option = loaded.option_path(0, "/streams/1/predicate");
    let error = loaded.error_at(&option, "no predicate", "").to_string();
    assert!(error.starts_with(&format!("{ALONE_NAME}:11:17: ")), "{error}");
}

#[test]
fn what_joins_an_optional_source_is_required_and_what_was_there_stays_optional() {
    let lsl = "[[source]]\nname = 'net'\nplugin = 'lsl'\nrequired = false # if it is there\n";
    let here = "{ name = 'a' }, { name = 'b', required = true }";
    for options in [
        &format!("options.streams = [{here}]\n"),
        &format!("[source.options]\nstreams = [\n  {here}, # the amplifier\n]\n"),
        "[[source.options.streams]]\nname = 'a'\n[[source.options.streams]]\nname = 'b'\nrequired = true\n",
    ] {
        let text = format!("{UDP}{lsl}{options}");
        let loaded = added(&text, &["type='EEG'"], &[]);
        assert!(loaded.text.contains("required = true # if it is there"), "{}", loaded.text);
        assert_eq!(predicates(&loaded.config, 1), ["type='EEG'"], "the source is required: {options}");
        let streams = loaded.config.source[1].options["streams"].as_array().expect("a list");
        let optional: Vec<Option<bool>> = streams.iter().map(|s| s.get("required")?.as_bool()).collect();
        assert_eq!(optional, [Some(false), Some(false), None], "{options}");
        let unasked = &with(&text, &[], &[]).source[1];
        assert_eq!((unasked.required, unasked.options["streams"][0].get("required")), (false, None));
    }
    // In a source that is required, every stream is what the file says of it.
    let required = format!("{UDP}{}options.streams = [{here}]\n", lsl.replace("false", "true"));
    let streams = &with(&required, &["type='EEG'"], &[]).source[1].options["streams"];
    assert_eq!((streams[0].get("required"), streams[1]["required"].as_bool()), (None, Some(true)));
}

#[test]
fn two_sources_that_could_record_them_are_told_for_none_is_recorded_twice() {
    let streams = "[[source.options.streams]]\nname = 'a'\n";
    let two = format!(
        "experiment.name = 'x'\n[[source]]\nname = 'net'\nplugin = 'lsl'\n{streams}[[source]]\nname = 'imu'\n\
         plugin = 'udp'\n[[source]]\nname = 'eye'\nplugin = 'lsl'\n{streams}"
    );
    let both = with(&two, &[], &[]);
    assert_eq!(both.source.len(), 3, "a configuration may have them");
    let room = check_room(&both).expect_err("not clear");
    let error = parse_with_streams(&two, "x.toml", &owned(&["true()"]), &[]).expect_err("not clear");
    assert_eq!(error.to_string(), format!("x.toml:12:10: {room}"));
    assert!(room.to_string().contains("\"net\" and \"eye\" are both of the plugin lsl"), "{room}");
    assert!(error.diagnostics()[0].help().is_some_and(|help| help.contains("make one source of them")));
    let wrong = two.replace("'udp'", "3");
    let error = parse_with_streams(&wrong, "x.toml", &owned(&["true()"]), &[]).expect_err("wrong");
    assert!(error.to_string().starts_with("x.toml:9:10: "), "what is wrong comes first: {error}");
    assert_eq!(check_room(&with(UDP, &["true()"], &[])), Ok(()));
}

#[test]
fn an_override_that_undoes_what_was_chosen_is_told() {
    let error = |raw: &str| {
        parse_with_streams(UDP, "x.toml", &owned(&["type='EEG'"]), &owned(&[raw])).expect_err(raw).to_string()
    };
    let told = error("source.LSL-2.options.streams=[{ name = 'a' }]");
    assert_eq!(told, "--set replaces `streams`, and so takes away what --lsl chose: type='EEG'");
    assert!(error("source.LSL.plugin=lsl").contains("\"LSL\" and \"LSL-2\" are both of the plugin lsl"));
    // What else it says of the source that was added is another matter.
    let config = with(UDP, &["type='EEG'"], &["source.LSL-2.required=false", "source.LSL-2.plugin=mine"]);
    assert_eq!((config.source[1].required, config.source[1].plugin.as_str()), (false, "mine"));
}
