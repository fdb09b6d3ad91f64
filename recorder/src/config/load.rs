//! From a TOML file and `--set` overrides to a checked [`Config`].

use std::{fs, io, path::Path};

use serde_json::Value;

use super::{
    check,
    error::ConfigError,
    explain, overrides,
    path::ConfigPath,
    schema::Config,
    secret, syntax,
    tree::{At, Document, Problem},
    whole::whole_numbers,
};

/// A configuration that passed every check, and the text it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The TOML text in force: the file with the overrides put in, comments kept. Secrets stand in it: see [`Loaded::text_to_show`].
    pub text: String,
    /// Name of the file as the user gave it.
    pub file_name: String,
    pub(super) document: Document,
}

/// Reads and checks the file at `path`, with `overrides` (each `key=value`) applied in order.
///
/// # Errors
/// The file cannot be read, or anything in it is wrong: every error that was found.
pub fn load(path: &Path, overrides: &[String]) -> Result<Loaded, ConfigError> {
    let (name, text) = read_text(path)?;
    parse(&text, &name, overrides)
}

/// What errors call the file at `path`, and its text.
pub(super) fn read_text(path: &Path) -> Result<(String, String), ConfigError> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| unreadable(path, &name, &error))?;
    let text = decode(bytes, &name)?;
    Ok((name, text))
}

/// Checks a configuration text; `file_name` is what errors call it.
///
/// # Errors
/// Everything that is wrong in the text or the overrides, with its place.
pub fn parse(text: &str, file_name: &str, overrides: &[String]) -> Result<Loaded, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut document = syntax::parse(text, file_name)?;
    let schema = Config::json_schema();
    let mut toml = text.parse::<toml_edit::DocumentMut>().map_err(|error| {
        // The editor reads integers at once, and stops at one that is too large.
        match document.to_json().1 {
            problems if problems.is_empty() => {
                ConfigError::plain(format!("{file_name}: {}", error.message()), "mend the file")
            }
            problems => report(&document, problems),
        }
    })?;
    let mut refused: Option<ConfigError> = None;
    for raw in overrides {
        if let Err(error) = overrides::apply(raw, &mut document, &mut toml, &schema) {
            refused = Some(match refused {
                Some(earlier) => earlier.and(error),
                None => error,
            });
        }
    }
    if let Some(error) = refused {
        return Err(error);
    }
    let config = config_of(&document, &schema)?;
    let text = if overrides.is_empty() { text.to_owned() } else { toml.to_string() };
    Ok(Loaded { config, text, file_name: file_name.to_owned(), document })
}

/// Checks the values against the schema, reads them, and checks what the schema cannot say.
fn config_of(document: &Document, schema: &Value) -> Result<Config, ConfigError> {
    let (mut value, mut problems) = document.to_json();
    // Free keys keep their type; in these sections 8.0 is as good as 8.
    for section in ["recording", "clock", "remote"] {
        if let Some(section) = value.get_mut(section) {
            whole_numbers(section);
        }
    }
    let misfits = explain::problems(schema, &value, document, &ConfigPath::root())
        .map_err(|reason| ConfigError::plain(reason, "this is a fault of the recorder"))?;
    for misfit in misfits {
        // A value that JSON cannot carry is already reported.
        if !problems.iter().any(|known| known.path == misfit.path) {
            problems.push(misfit);
        }
    }
    problems.extend(check::no_source(&value));
    problems.extend(check::free_keys(&value, schema));
    if !problems.is_empty() {
        return Err(report(document, problems));
    }
    let config: Config = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = path_of(error.path());
        report(
            document,
            vec![Problem {
                message: format!("{} cannot be read: {}", document.name_of(&path), error.inner()),
                label: "cannot be read".to_owned(),
                help: Some("a number without a fraction is written without a point: 3".to_owned()),
                at: At::Value,
                path,
            }],
        )
    })?;
    match ConfigError::collect(check::meaning(&config, document)) {
        Some(error) => Err(error),
        None => Ok(config),
    }
}

fn report(document: &Document, problems: Vec<Problem>) -> ConfigError {
    let diagnostics = problems.into_iter().map(|problem| document.diagnose(problem)).collect();
    ConfigError::collect(diagnostics)
        .unwrap_or_else(|| ConfigError::plain("the configuration is not valid", "check the file"))
}

/// The place that serde names.
fn path_of(path: &serde_path_to_error::Path) -> ConfigPath {
    use serde_path_to_error::Segment;
    path.iter().fold(ConfigPath::root(), |path, segment| match segment {
        Segment::Seq { index } => path.index(*index),
        Segment::Map { key } => path.key(key),
        Segment::Enum { variant } => path.key(variant),
        Segment::Unknown => path,
    })
}

impl Loaded {
    /// The text in force as it goes into a recording: without secrets.
    pub fn text_to_show(&self) -> String {
        secret::masked(&self.text)
    }

    /// Where source number `index` stands.
    pub fn source_path(&self, index: usize) -> ConfigPath {
        ConfigPath::root().key("source").index(index)
    }

    /// Where an option of source number `index` stands; `pointer` is a JSON pointer into its
    /// options, as `/fields/0/name`, and "" is the options themselves.
    pub fn option_path(&self, index: usize, pointer: &str) -> ConfigPath {
        let path = self.source_path(index).key("options");
        let options = self
            .config
            .source
            .get(index)
            .map(|source| Value::Object(source.options.clone()))
            .unwrap_or_default();
        path.pointer(pointer, &options)
    }
}

fn unreadable(path: &Path, name: &str, error: &io::Error) -> ConfigError {
    if path.is_dir() {
        return ConfigError::plain(
            format!("{name} is a folder, not a configuration file"),
            "name the .toml file in it",
        );
    }
    match error.kind() {
        io::ErrorKind::NotFound => {
            let from = std::env::current_dir()
                .map(|folder| format!("; relative names start from {}", folder.display()))
                .unwrap_or_default();
            ConfigError::plain(format!("there is no file {name}"), format!("check the spelling{from}"))
        }
        io::ErrorKind::PermissionDenied => ConfigError::plain(
            format!("no permission to read {name}"),
            "make the file readable for this user",
        ),
        _ => ConfigError::plain(format!("{name} cannot be read: {error}"), "check the file and its disk"),
    }
}

fn decode(bytes: Vec<u8>, name: &str) -> Result<String, ConfigError> {
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let what =
            if utf16 { "it is UTF-16".to_owned() } else { format!("line {line} holds a byte that is not") };
        ConfigError::plain(
            format!("{name} is not UTF-8 text: {what}"),
            "save the file with the encoding UTF-8",
        )
    })
}
