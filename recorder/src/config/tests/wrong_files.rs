//! Wrong files, and what each is told: the line with a caret, and what is accepted.

use super::{assert_shows, parse, report, report_with};

#[test]
fn unknown_key_with_a_near_word() {
    let report = report_with("interval_s = 5.0", "intervall = 5.0");
    assert_shows(
        &report,
        &[
            "unknown key `intervall` in [clock]",
            "grip.toml:15:1",
            "did you mean `interval_s`?",
            "accepted here: `interval_s`, `probes`, `ntp`",
        ],
    );
}

#[test]
fn unknown_section() {
    let report = report_with("[clock]", "[clocks]");
    assert_shows(
        &report,
        &[
            "unknown section [clocks]",
            "did you mean `clock`?",
            "the sections are [experiment], [recording], [clock], [remote] and [[source]]",
        ],
    );
}

#[test]
fn key_above_the_first_section() {
    let report = report_with("# pilot of the grip study", "participant = \"P012\"");
    assert_shows(&report, &["`participant` stands outside of any section", "grip.toml:1:1"]);
}

#[test]
fn option_written_outside_options() {
    let report = report_with("required = false", "port = 5006");
    assert_shows(&report, &["unknown key `port` in source \"markers\"", "[source.options]"]);
}

#[test]
fn number_in_quotes() {
    let report = report_with("interval_s = 5.0", "interval_s = \"5\"");
    assert_shows(
        &report,
        &[
            "`interval_s` in [clock] must be a number from 0.5 to 3600, found the text \"5\"",
            "numbers stand without quotes: 5",
            "grip.toml:15:14",
        ],
    );
}

#[test]
fn text_without_quotes_as_number() {
    let report = report_with("session = \"01\"", "session = 1");
    assert_shows(
        &report,
        &["`session` in [experiment] must be text, found the number 1", "text goes in quotes: \"1\""],
    );
}

#[test]
fn number_below_its_range() {
    let report = report_with("interval_s = 5.0", "interval_s = 0.1");
    assert_shows(&report, &["must be a number from 0.5 to 3600, found the number 0.1"]);
}

#[test]
fn number_above_its_range() {
    let report = report_with("interval_s = 5.0", "probes = 65");
    assert_shows(&report, &["`probes` in [clock] must be an integer from 1 to 64, found the number 65"]);
}

#[test]
fn fraction_where_an_integer_is_due() {
    let report = report_with("interval_s = 5.0", "probes = 2.5");
    assert_shows(&report, &["must be an integer from 1 to 64, found the number 2.5"]);
}

#[test]
fn duration_of_zero() {
    let report = report_with("duration_s = 600.5", "duration_s = 0");
    assert_shows(
        &report,
        &[
            "must be a number above 0, found the number 0",
            "recording until stopped".replace("recording", "records").as_str(),
        ],
    );
}

#[test]
fn infinite_duration() {
    let report = report_with("duration_s = 600.5", "duration_s = inf");
    assert_shows(
        &report,
        &["`duration_s` in [recording] is inf, which is not a finite number", "leave the key out"],
    );
    assert_eq!(report.matches('×').count(), 1, "{report}");
}

#[test]
fn misspelled_word() {
    let report = report_with("directory = \"data\"", "when_missing = \"wiat\"");
    assert_shows(
        &report,
        &["must be one of \"fail\", \"wait\" or \"warn\", found the text \"wiat\"", "did you mean \"wait\"?"],
    );
}

#[test]
fn run_that_is_neither_number_nor_auto() {
    let report = report_with("run = \"auto\"", "run = \"next\"");
    assert_shows(
        &report,
        &["`run` in [experiment] must be an integer from 0 to 999999 or \"auto\", found the text \"next\""],
    );
}

#[test]
fn missing_experiment_name() {
    let report = report_with("name = \"grip\"\n", "");
    assert_shows(&report, &["`name` is missing in [experiment]", "grip.toml:2:1", "add name = \"...\""]);
}

#[test]
fn missing_plugin_points_at_the_source() {
    let report = report_with("plugin = \"udp\"\nrequired", "required");
    assert_shows(&report, &["`plugin` is missing in source \"markers\"", "grip.toml:29:1", "[[source]]"]);
}

#[test]
fn no_source() {
    let report = report("[experiment]\nname = \"grip\"\n");
    assert_shows(
        &report,
        &["no [[source]]: there is nothing to record", "add a [[source]] with a `name` and a `plugin`"],
    );
}

#[test]
fn an_address_of_remote_control_that_is_none() {
    let report = report(
        "remote.bind = \"localhost\"\n[experiment]\nname = \"grip\"\n[[source]]\nname = \"s\"\nplugin = \"udp\"\n",
    );
    assert_shows(
        &report,
        &["`bind` in [remote]: \"localhost\" is no IP address", "grip.toml:1:15", "0.0.0.0"],
    );
}

#[test]
fn empty_list_of_sources() {
    const EMPTY: &str = "source = []\n[experiment]\nname = \"grip\"\n";
    let report = report(EMPTY);
    assert_shows(
        &report,
        &[
            "no [[source]]: there is nothing to record",
            "grip.toml:1:10",
            "this list is empty",
            "add a [[source]] with a `name` and a `plugin`, or name streams of LSL with --lsl",
        ],
    );
    assert!(!report.contains("at least 1"), "told once, as where there is no list:\n{report}");
    let remote =
        parse(&format!("{EMPTY}[remote]\nenabled = true\n"), "grip.toml", &[]).expect("selected later");
    assert!(remote.config.source.is_empty());
}

#[test]
fn two_sources_of_one_name_show_both_places() {
    let report = report_with("name = \"markers\"", "name = \"grip force\"");
    assert_shows(
        &report,
        &[
            "two sources are named \"grip force\"",
            "first source with this name",
            "second source with this name",
            "grip.toml:30:8",
        ],
    );
}

#[test]
fn source_in_single_brackets() {
    let text = "[experiment]\nname = \"grip\"\n[source]\nname = \"a\"\nplugin = \"udp\"\n";
    assert_shows(&report(text), &["must be a list", "found a table", "[[source]], in double brackets"]);
}

#[test]
fn one_source_in_single_brackets_after_others() {
    let report = report_with("[[source]]\nname = \"markers\"", "[source]\nname = \"markers\"");
    assert_shows(&report, &["`source` is set twice", "write [[source]], in double brackets"]);
}

#[test]
fn misspelled_key_among_the_free_keys() {
    let report = report_with("participant =", "particpant =");
    assert_shows(&report, &["`particpant` in [experiment] looks like a misspelled `participant`"]);
}

#[test]
fn free_key_with_a_reserved_name() {
    let report = report_with("group =", "date =");
    assert_shows(&report, &["`date` cannot be a free key"]);
}

#[test]
fn free_key_holding_a_list() {
    let report = report_with("group = \"control\"", "group = [\"a\"]");
    assert_shows(&report, &["`group` in [experiment] must be text, a number or true or false, found a list"]);
}

#[test]
fn unquoted_text() {
    let report = report_with("\"hold\"", "hold");
    assert_shows(&report, &["text without quotes", "grip.toml:6:8", "write \"hold\""]);
}

#[test]
fn number_with_a_unit() {
    let report = report_with("600.5", "600 s");
    assert_shows(&report, &["a number stands alone, without its unit"]);
}

#[test]
fn decimal_comma() {
    let report = report_with("600.5", "600,5");
    assert_shows(&report, &["a decimal comma", "write numbers with a point: 0.5"]);
}

#[test]
fn typographic_quotes() {
    let report = report_with("\"hold\"", "\u{201c}hold\u{201d}");
    assert_shows(&report, &["typographic quotes", "write \"hold\""]);
}

#[test]
fn leading_zero() {
    let report = report_with("\"01\"", "01");
    assert_shows(&report, &["a number cannot start with 0", "a label such as \"01\" is text"]);
}

#[test]
fn missing_value() {
    let report = report_with("5.0", "");
    assert_shows(&report, &["a value is missing after `=`", "grip.toml:15"]);
}

#[test]
fn windows_path_in_double_quotes() {
    let report = report_with("\"data\"", "\"D:\\data\"");
    assert_shows(&report, &["backslash", "'C:\\data'"]);
}

#[test]
fn windows_path_whose_backslash_makes_a_tab() {
    let report = report_with("\"data\"", "\"D:\\tmp\"");
    assert_shows(&report, &["control character", "'C:\\temp'"]);
}

#[test]
fn home_folder_is_not_expanded() {
    let report = report_with("\"data\"", "\"~/data\"");
    assert_shows(&report, &["starts with ~, which is not expanded here"]);
}

#[test]
fn capital_boolean() {
    let report = report_with("required = false", "required = False");
    assert_shows(&report, &["`False` is not true or false", "in small letters"]);
}

#[test]
fn key_set_twice_shows_both_places() {
    let report = report_with("session = \"01\"", "participant = \"P013\"");
    assert_shows(&report, &["`participant` is set twice", "set again here", "first set here"]);
}

#[test]
fn missing_equals_sign() {
    let report = report_with("interval_s = 5.0", "interval_s: 5.0");
    assert_shows(&report, &["neither `key = value` nor a [section]"]);
}

#[test]
fn empty_text() {
    let report = report_with("\"hold\"", "\"\"");
    assert_shows(&report, &["`task` in [experiment] must be text that is not empty, found an empty text"]);
}

#[test]
fn unclosed_text() {
    let report = report_with("\"hold\"", "\"hold");
    assert_shows(&report, &["a text is not closed", "grip.toml:6"]);
}

#[test]
fn unclosed_section_header() {
    let report = report_with("[clock]", "[clock");
    assert_shows(&report, &["a [section] line is not closed", "`]` is missing", "grip.toml:14"]);
}

#[test]
fn plugin_given_as_a_file() {
    let report = report_with("plugin = \"udp\"", "plugin = \"./udp.so\"");
    assert_shows(
        &report,
        &[
            "`plugin` of source \"grip force\" must be",
            "found the text \"./udp.so\"",
            "lockstep plugins` lists them",
        ],
    );
}

#[test]
fn unknown_placeholder_in_the_file_name() {
    let report = report_with("directory = \"data\"", "filename = \"{particpant}_{run}.xdf\"");
    assert_shows(
        &report,
        &[
            "{particpant}, which is unknown (did you mean {participant}?)",
            "{session}",
            "{group}",
            "add a free key `particpant`",
            "grip.toml:11:12",
        ],
    );
}

#[test]
fn placeholder_without_a_value() {
    let report = report_with("directory = \"data\"", "filename = \"{acquisition}_{run}.xdf\"");
    assert_shows(
        &report,
        &["{acquisition}, which is not set in [experiment]", "set `acquisition` in [experiment]"],
    );
}

#[test]
fn participant_with_a_slash() {
    let report = report_with("\"P012\"", "\"P/012\"");
    assert_shows(
        &report,
        &["`participant` = \"P/012\" cannot be used in a file name: it contains `/`", "grip.toml:4:15"],
    );
}

#[test]
fn participant_with_the_bids_label() {
    let report = report_with("\"P012\"", "\"sub-012\"");
    assert_shows(&report, &["repeats `sub-`", "change `participant` in [experiment]"]);
}

#[test]
fn run_auto_without_a_place_for_it() {
    let report = report_with("directory = \"data\"", "filename = \"{participant}.xdf\"");
    assert_shows(&report, &["run = \"auto\" needs {run}", "grip.toml:7:7"]);
}

#[test]
fn unknown_key_in_synchronization() {
    let report = report_with("offset_mean =", "offset_men =");
    assert_shows(
        &report,
        &[
            "unknown key `offset_men` in the synchronization of source \"grip force\"",
            "did you mean `offset_mean`?",
        ],
    );
}

#[test]
fn exchanged_centiles() {
    let report = report_with("offset_mean = 0.012", "offset_5_centile = 0.02\noffset_95_centile = 0.01");
    assert_shows(&report, &["offset_5_centile (0.02 s) is above offset_95_centile (0.01 s)"]);
}

#[test]
fn acquisition_key_that_cannot_be_written() {
    let report = report_with("serial_number =", "\"serial number\" =");
    assert_shows(&report, &["\"serial number\" cannot name a value in the file's header"]);
}

#[test]
fn integer_beyond_64_bits() {
    let report = report_with("serial_number = 42", "serial_number = 99999999999999999999");
    assert_shows(&report, &["too large for an integer"]);
}

#[test]
fn several_errors_are_shown_together_in_the_order_of_the_file() {
    let text = super::GOOD
        .replace("session = \"01\"", "session = 1")
        .replace("interval_s = 5.0", "interval_s = 0")
        .replace("required = false", "requird = false");
    let error = super::parse(&text, "grip.toml", &[]).expect_err("wrong on purpose");
    let lines: Vec<usize> =
        error.diagnostics().iter().filter_map(|d| d.location()).map(|(_, line, _)| line).collect();
    assert_eq!(lines, [5, 15, 32]);
    assert_eq!(error.to_string().lines().count(), 1);
    assert!(error.to_string().ends_with("(and 2 more)"), "{error}");
}

#[test]
fn isolation_is_one_of_two_words_and_memory_is_for_one_of_them() {
    let report = report_with("required = false", "isolation = \"thread\"");
    assert_shows(&report, &["must be one of \"process\" or \"none\"", "found the text \"thread\""]);
    let report = report_with("required = false", "isolation = \"none\"\nmemory_mb = 64");
    assert_shows(
        &report,
        &[
            "`memory_mb` is for a process of its own, and source \"markers\" has isolation = \"none\"",
            "write isolation = \"process\", or leave memory_mb out",
        ],
    );
    let report = report_with("required = false", "isolation = \"process\"\nmemory_mb = 1");
    assert_shows(&report, &["must be an integer from 32 to 1048576, found the number 1"]);
}
