//! Checks of a configuration that a schema cannot express.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

use super::{
    error::{Diagnostic, Label},
    filename,
    path::{ConfigPath, Segment},
    schema::{Config, Experiment, Isolation, Remote, Source},
    schema_view::SchemaView,
    tree::{At, Document, Problem},
    words,
};
use crate::ntp;

/// Without a source there is nothing to record, unless what is recorded is said later, by remote control.
pub(super) fn no_source(config: &Value) -> Option<Problem> {
    let remote = config.pointer("/remote/enabled") == Some(&Value::Bool(true));
    let (none, label) = match config.get("source") {
        None => (true, "this file has no [[source]]"),
        Some(sources) => (sources.as_array().is_some_and(Vec::is_empty), "this list is empty"),
    };
    (none && !remote).then(|| Problem {
        path: ConfigPath::root().key("source"),
        at: At::Value,
        message: "no [[source]]: there is nothing to record".to_owned(),
        label: label.to_owned(),
        help: Some(
            "add a [[source]] with a `name` and a `plugin`, or name streams of LSL with --lsl\nwith remote control \
             (--remote) they can be selected later"
                .to_owned(),
        ),
    })
}

/// Free keys of `[experiment]` that are almost certainly a misspelled known one: they would
/// otherwise be taken silently and the known key be left unset.
pub(super) fn free_keys(config: &Value, schema: &Value) -> Vec<Problem> {
    let view = SchemaView::new(schema);
    let path = ConfigPath::root().key("experiment");
    let Some(known) = view.at(&path).map(|experiment| view.keys(experiment)) else {
        return Vec::new();
    };
    let Some(given) = config.get("experiment").and_then(Value::as_object) else {
        return Vec::new();
    };
    let unset: Vec<&str> = known.iter().copied().filter(|key| !given.contains_key(*key)).collect();
    given
        .keys()
        .filter(|key| !known.contains(&key.as_str()))
        .filter_map(|key| {
            let meant = unset.iter().find(|word| is_misspelled(key, word))?;
            Some(Problem {
                path: path.clone().key(key),
                at: At::Key,
                message: format!("`{key}` in [experiment] looks like a misspelled `{meant}`"),
                label: format!("did you mean `{meant}`?"),
                help: Some(format!(
                    "accepted: {}, and free keys of your own; give a free key a name less like `{meant}`",
                    words::keys(&known)
                )),
            })
        })
        .collect()
}

fn is_misspelled(key: &str, word: &str) -> bool {
    let plain = key.to_lowercase().replace('-', "_");
    let slips = if word.len() >= 6 { 2 } else { 1 };
    plain == word || (word.len() > 3 && strsim::osa_distance(&plain, word) <= slips)
}

/// Everything wrong with the meaning of the values.
pub(super) fn meaning(config: &Config, document: &Document) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    experiment(&config.experiment, &mut problems);
    directory(config, &mut problems);
    master_clock(config, &mut problems);
    remote(config, &mut problems);
    token(&config.remote, &mut problems);
    for (index, source) in config.source.iter().enumerate() {
        let path = ConfigPath::root().key("source").index(index);
        one_source(source, &path, document, &mut problems);
    }
    let mut diagnostics: Vec<Diagnostic> =
        problems.into_iter().map(|problem| document.diagnose(problem)).collect();
    diagnostics.extend(duplicate_names(config, document));
    if diagnostics.is_empty()
        && let Err(error) = filename::check(config)
    {
        diagnostics.push(document.diagnose(error.to_problem()));
    }
    diagnostics
}

fn experiment(experiment: &Experiment, problems: &mut Vec<Problem>) {
    let path = ConfigPath::root().key("experiment");
    for key in experiment.extra.keys() {
        let path = path.clone().key(key);
        if filename::RESERVED_KEYS.contains(&key.as_str()) {
            problems.push(Problem {
                message: format!("`{key}` cannot be a free key: the file name uses {{{key}}} already"),
                label: "choose another name".to_owned(),
                help: Some(format!(
                    "{} come from the recorder; name it for example `{key}_of_birth` or `own_{key}`",
                    words::keys(&filename::RESERVED_KEYS)
                )),
                at: At::Key,
                path,
            });
        } else if !is_element_name(key) {
            problems.push(odd_key(path, key));
        }
    }
    let texts = [
        ("name", Some(&experiment.name)),
        ("participant", experiment.participant.as_ref()),
        ("session", experiment.session.as_ref()),
        ("task", experiment.task.as_ref()),
        ("acquisition", experiment.acquisition.as_ref()),
        ("modality", Some(&experiment.modality)),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            let path = path.clone().key(key);
            problems.extend(untidy(text, path, &format!("`{key}` in [experiment]")));
        }
    }
}

fn directory(config: &Config, problems: &mut Vec<Problem>) {
    let directory = config.recording.directory.to_string_lossy();
    let path = ConfigPath::root().key("recording").key("directory");
    if directory.is_empty() {
        problems.push(Problem {
            path,
            at: At::Value,
            message: "`directory` in [recording] is empty".to_owned(),
            label: "expected a folder".to_owned(),
            help: Some("write \".\" for the working directory".to_owned()),
        });
    } else if directory.starts_with('~') {
        problems.push(Problem {
            path,
            at: At::Value,
            message: "`directory` in [recording] starts with ~, which is not expanded here".to_owned(),
            label: "write the whole path".to_owned(),
            help: Some("for example \"/home/lab/data\" or 'C:\\Users\\lab\\data'".to_owned()),
        });
    } else if directory.chars().any(char::is_control) {
        problems.push(Problem {
            path,
            at: At::Value,
            message: "`directory` in [recording] holds a control character".to_owned(),
            label: "\\t, \\n, \\b and the like are escapes in \"...\"".to_owned(),
            help: Some(
                "write a Windows path in single quotes, 'C:\\temp', or with forward slashes, \"C:/temp\""
                    .to_owned(),
            ),
        });
    }
}

fn master_clock(config: &Config, problems: &mut Vec<Problem>) {
    let Some(text) = &config.clock.ntp else { return };
    if let Err(error) = ntp::Server::parse(text) {
        problems.push(Problem {
            path: ConfigPath::root().key("clock").key("ntp"),
            at: At::Value,
            message: format!("`ntp` in [clock]: {error}"),
            label: "expected a server".to_owned(),
            help: Some(ntp::server::ACCEPTED.to_owned()),
        });
    }
    for (index, _) in config.source.iter().enumerate().filter(|(_, source)| source.name == ntp::NAME) {
        problems.push(Problem {
            path: ConfigPath::root().key("source").index(index).key("name"),
            at: At::Value,
            message: format!("a source is named {:?}, as the master clock of [clock] is", ntp::NAME),
            label: "the master clock has this name".to_owned(),
            help: Some("give the source another name".to_owned()),
        });
    }
}

fn remote(config: &Config, problems: &mut Vec<Problem>) {
    let bind = &config.remote.bind;
    if bind.parse::<std::net::IpAddr>().is_err() {
        problems.push(Problem {
            path: ConfigPath::root().key("remote").key("bind"),
            at: At::Value,
            message: format!("`bind` in [remote]: {} is no IP address", words::quoted(bind)),
            label: "expected an IP address".to_owned(),
            help: Some(
                "\"127.0.0.1\" takes commands from this machine only, \"0.0.0.0\" from the whole network"
                    .to_owned(),
            ),
        });
    }
}

fn token(remote: &Remote, problems: &mut Vec<Problem>) {
    let at = |key: &str| ConfigPath::root().key("remote").key(key);
    let Some(token) = &remote.token else { return };
    if let Some(fault) = token.fault() {
        problems.push(Problem {
            path: at("token"),
            at: At::Value,
            message: format!("`token` in [remote] {fault}"),
            label: "cannot serve as a token".to_owned(),
            help: Some("make one of chance, as `openssl rand -hex 16` does".to_owned()),
        });
    }
    if remote.token_file.is_some() {
        problems.push(Problem {
            path: at("token_file"),
            at: At::Key,
            message: "`token` and `token_file` both stand in [remote]".to_owned(),
            label: "a second token".to_owned(),
            help: Some("keep one of the two".to_owned()),
        });
    }
}

fn one_source(source: &Source, path: &ConfigPath, document: &Document, problems: &mut Vec<Problem>) {
    let name = path.clone().key("name");
    problems.extend(untidy(&source.name, name.clone(), &format!("the name of {}", document.name_of(path))));
    for key in source.acquisition.keys().filter(|key| !is_element_name(key)) {
        problems.push(odd_key(path.clone().key("acquisition").key(key), key));
    }
    if source.isolation == Some(Isolation::None) && source.memory_mb.is_some() {
        problems.push(Problem {
            path: path.clone().key("memory_mb"),
            at: At::Key,
            message: format!(
                "`memory_mb` is for a process of its own, and {} has isolation = \"none\"",
                document.name_of(path)
            ),
            label: "not with isolation = \"none\"".to_owned(),
            help: Some("write isolation = \"process\", or leave memory_mb out".to_owned()),
        });
    }
    let synchronization = &source.synchronization;
    if let (Some(low), Some(high)) = (synchronization.offset_5_centile, synchronization.offset_95_centile)
        && low > high
    {
        problems.push(Problem {
            path: path.clone().key("synchronization").key("offset_5_centile"),
            at: At::Value,
            message: format!(
                "offset_5_centile ({low} s) is above offset_95_centile ({high} s) in {}",
                document.name_of(path)
            ),
            label: "above offset_95_centile".to_owned(),
            help: Some("95 % of the delays are greater than offset_5_centile, and 95 % are less than offset_95_centile: exchange the two?".to_owned()),
        });
    }
}

/// Text with blanks around it, nothing but blanks, or control characters.
fn untidy(text: &str, path: ConfigPath, name: &str) -> Option<Problem> {
    let (message, label) = if text.trim().is_empty() {
        (format!("{name} is blank"), "nothing but blanks")
    } else if text.trim() != text {
        (format!("{name} starts or ends with a blank"), "blank at the edge")
    } else if text.chars().any(char::is_control) {
        (format!("{name} holds a control character, such as a tab or a line break"), "control character")
    } else {
        return None;
    };
    Some(Problem {
        path,
        at: At::Value,
        message,
        label: label.to_owned(),
        help: Some("write plain text on one line".to_owned()),
    })
}

/// Whether a key can be the name of an element in the file's header.
fn is_element_name(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn odd_key(path: ConfigPath, key: &str) -> Problem {
    Problem {
        path,
        at: At::Key,
        message: format!("{key:?} cannot name a value in the file's header"),
        label: "not a plain name".to_owned(),
        help: Some("start with a letter; then letters, digits, _ and -".to_owned()),
    }
}

/// Sources that share a name, each shown with the first of that name.
fn duplicate_names(config: &Config, document: &Document) -> Vec<Diagnostic> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut diagnostics = Vec::new();
    for (index, source) in config.source.iter().enumerate() {
        let Some(&earlier) = first.get(source.name.as_str()) else {
            first.insert(&source.name, index);
            continue;
        };
        let path = |index| {
            let steps = vec![Segment::Key("source".to_owned()), Segment::Index(index)];
            ConfigPath::from(steps).key("name")
        };
        let place = document.place(&path(index), At::Value);
        let other = document.place(&path(earlier), At::Value);
        let mut labels = vec![Label { span: place.span, text: "second source with this name".to_owned() }];
        if other.text == place.text {
            labels.push(Label { span: other.span, text: "first source with this name".to_owned() });
        }
        diagnostics.push(Diagnostic {
            message: format!(
                "two sources are named {:?} (source {} and source {})",
                source.name,
                earlier + 1,
                index + 1
            ),
            help: Some("give each source a name of its own".to_owned()),
            source: document.texts.get(place.text).map(Arc::clone),
            labels,
        });
    }
    diagnostics
}
