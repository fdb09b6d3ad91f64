//! `--set key=value` in all its forms.

use super::{super::*, GOOD, assert_shows, good};

fn with(overrides: &[&str]) -> Result<Loaded, ConfigError> {
    let overrides: Vec<String> = overrides.iter().map(|raw| (*raw).to_owned()).collect();
    let loaded = parse(GOOD, "grip.toml", &overrides)?;
    // What is written into the recording is what was in force.
    let again = parse(&loaded.text, "again.toml", &[]).expect("the text in force is right");
    assert_eq!(again.config, loaded.config, "{}", loaded.text);
    Ok(loaded)
}

fn set(raw: &str) -> Loaded {
    with(&[raw]).unwrap_or_else(|error| panic!("{}", error.render(false, 100)))
}

fn refused(raw: &str) -> String {
    with(&[raw]).expect_err("wrong on purpose").render(false, 100)
}

#[test]
fn a_number_a_flag_and_a_text() {
    assert_eq!(set("clock.probes=16").config.clock.probes, 16);
    assert!(!set("source.grip force.required=false").config.source[0].required);
    assert_eq!(set("experiment.task=squeeze").config.experiment.task.as_deref(), Some("squeeze"));
    assert_eq!(set("experiment.task = \"two words\"").config.experiment.task.as_deref(), Some("two words"));
    assert_eq!(
        set("recording.directory=/data/2026 pilot").config.recording.directory.to_str(),
        Some("/data/2026 pilot")
    );
}

#[test]
fn a_key_that_takes_text_takes_it_as_typed() {
    for typed in ["7", "01", "1e5", "true", "2026-11-22", "a=b"] {
        let loaded = set(&format!("experiment.session={typed}"));
        assert_eq!(loaded.config.experiment.session.as_deref(), Some(typed));
    }
}

#[test]
fn an_option_of_a_source_named_by_its_name() {
    for raw in [
        "source.grip force.options.port=7",
        "source.\"grip force\".options.port=7",
        "source.'grip force'.options.port = 7",
    ] {
        let loaded = set(raw);
        assert_eq!(loaded.config.source[0].options["port"], 7);
        assert!(loaded.text.contains("port = 7   # as in the firmware"), "{}", loaded.text);
    }
    assert_eq!(set("source.markers.options.port=8").config.source[1].options["port"], 8);
}

#[test]
fn new_keys_tables_lists_and_inline_tables() {
    assert_eq!(set("experiment.room=3").config.experiment.extra["room"], Scalar::Integer(3));
    assert_eq!(
        set("source.markers.synchronization.offset_mean=0.5").config.source[1].synchronization.offset_mean,
        Some(0.5)
    );
    let options = &set("source.markers.options.fields=[{name='a'}, {name='b'}]").config.source[1].options;
    assert_eq!(options["fields"][1]["name"], "b");
    let options = &set("source.markers.options={port=1, clock={mode='echo'}}").config.source[1].options;
    assert_eq!(options["clock"]["mode"], "echo");
    let options = &set("source.grip force.options.clock.mode=echo").config.source[0].options;
    assert_eq!(options["clock"]["mode"], "echo");
    let options = &set("source.markers.options.clock.mode=echo").config.source[1].options;
    assert_eq!(options["clock"]["mode"], "echo");
}

#[test]
fn a_missing_section_is_made() {
    let text = "[experiment]\nname = 'x'\n[[source]]\nname = 's'\nplugin = 'udp'\n";
    let loaded = parse(text, "x.toml", &["clock.probes=3".to_owned(), "source.s.options.a.b=1".to_owned()])
        .expect("right");
    assert_eq!(loaded.config.clock.probes, 3);
    let again = parse(&loaded.text, "x.toml", &[]).expect("right");
    assert_eq!(again.config, loaded.config, "{}", loaded.text);
}

#[test]
fn a_later_override_wins_and_may_use_a_new_name() {
    let loaded =
        with(&["source.markers.name=keys", "source.keys.required=true", "clock.probes=2", "clock.probes=3"])
            .expect("right");
    assert_eq!(loaded.config.source[1].name, "keys");
    assert!(loaded.config.source[1].required);
    assert_eq!(loaded.config.clock.probes, 3);
}

#[test]
fn names_with_dots_and_quotes() {
    let text = GOOD.replace("\"markers\"", "'a.\"b\"'");
    for raw in [r#"source.'a."b"'.required=true"#, r#"source."a.\"b\"".required=true"#] {
        let loaded = parse(&text, "x.toml", &[raw.to_owned()]).expect("right");
        assert!(loaded.config.source[1].required);
    }
    let error = parse(&text, "x.toml", &["source.a.b.required=true".to_owned()]).expect_err("wrong");
    assert_shows(
        &error.render(false, 160),
        &["there is no source named \"a\"", "in single quotes: --set 'source.\"a.b\".required=false'"],
    );
}

#[test]
fn comments_stay() {
    let text = set("clock.interval_s=2").text;
    for comment in ["# pilot of the grip study", "# a free key", "# as in the firmware"] {
        assert!(text.contains(comment), "{text}");
    }
}

#[test]
fn an_unknown_source_lists_the_sources() {
    assert_shows(
        &refused("source.marker.options.port=5"),
        &[
            "there is no source named \"marker\"",
            "did you mean `markers`?",
            "the sources of this file are `grip force` and `markers`",
            "--set:1:8",
        ],
    );
}

#[test]
fn a_wrong_value_is_shown_in_the_override() {
    assert_shows(
        &refused("clock.probes=many"),
        &[
            "`probes` in [clock] must be an integer from 1 to 64, found the text \"many\"",
            "--set:1:14",
            "clock.probes=many",
        ],
    );
    assert_shows(
        &refused("clock.probe=4"),
        &["unknown key `probe` in [clock]", "did you mean `probes`?", "--set:1:7"],
    );
}

#[test]
fn errors_of_the_file_keep_their_lines_beside_an_override() {
    let text = GOOD.replace("required = false", "requird = false");
    let error = parse(&text, "grip.toml", &["experiment.room=3".to_owned()]).expect_err("wrong");
    assert_eq!(error.diagnostics()[0].location(), Some(("grip.toml", 32, 1)));
}

#[test]
fn malformed_overrides_say_how_to_write_one() {
    for (raw, piece) in [
        ("clock.probes", "there is no `=`"),
        ("=5", "the key has an empty part"),
        ("clock..probes=5", "the key has an empty part"),
        ("source.\"markers.required=true", "the quote is not closed"),
        ("source.\"markers\"x=true", "expected `.` or `=` here"),
    ] {
        assert_shows(&refused(raw), &[piece, "write --set key=value"]);
    }
}

#[test]
fn nothing_goes_below_a_value() {
    assert_shows(
        &refused("experiment.name.first=x"),
        &["this key holds the text \"grip\", so there is nothing below it"],
    );
}

#[test]
fn no_override_leaves_the_text_as_it_is() {
    assert_eq!(good().text, GOOD);
}

#[test]
fn all_bad_overrides_are_reported() {
    let error = with(&["a", "source.x.y=1"]).expect_err("wrong");
    assert_eq!(error.diagnostics().len(), 2);
}
