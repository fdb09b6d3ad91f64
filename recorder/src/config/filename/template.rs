//! The template of a file name: literal text and placeholders, in parts between slashes.

use crate::config::schema::Experiment;

use super::FilenameError;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text as it is.
    Literal(String),
    /// The value of a key.
    Key(String),
}

/// A template, cut at its slashes: folders, then the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// The parts between slashes, each a list of pieces.
    pub parts: Vec<Vec<Piece>>,
}

/// LabRecorder's placeholders, and `%d` for the date.
const PERCENT: [(char, &str); 8] = [
    ('p', "participant"),
    ('s', "session"),
    ('b', "task"),
    ('a', "acquisition"),
    ('m', "modality"),
    ('r', "run"),
    ('n', "run"),
    ('d', "date"),
];

impl Template {
    /// Reads a template. `\` separates folders as `/` does; `{{`, `}}` and `%%` stand for one
    /// brace or percent sign; `.xdf` is added when it is missing.
    pub(super) fn parse(text: &str) -> Result<Self, FilenameError> {
        let bad = |problem: String| FilenameError::Template { template: text.to_owned(), problem };
        let mut parts = vec![Vec::new()];
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '/' | '\\' => parts.push(Vec::new()),
                '{' | '}' if chars.next_if_eq(&c).is_some() => push_char(&mut parts, c),
                '}' => {
                    return Err(bad("a `}` without its `{`; write `}}` for a brace in the name".to_owned()));
                }
                '{' => {
                    let mut key = String::new();
                    loop {
                        match chars.next() {
                            Some('}') => break,
                            Some(c) => key.push(c),
                            None => return Err(bad(format!("`{{{key}` is not closed by a `}}`"))),
                        }
                    }
                    push(&mut parts, Piece::Key(key.trim().to_owned()));
                }
                '%' => match chars.next() {
                    Some('%') => push_char(&mut parts, '%'),
                    Some(letter) => {
                        let known = PERCENT.iter().find(|(known, _)| *known == letter);
                        let (_, key) = known.ok_or_else(|| bad(unknown_percent(letter)))?;
                        push(&mut parts, Piece::Key((*key).to_owned()));
                    }
                    None => return Err(bad("a `%` at the end; write `%%` for a percent sign".to_owned())),
                },
                c => push_char(&mut parts, c),
            }
        }
        if text.starts_with(['/', '\\']) {
            return Err(bad("it starts with a slash, but it is a name below `directory`".to_owned()));
        }
        if parts.iter().any(Vec::is_empty) {
            return Err(bad("there is nothing between or after two slashes".to_owned()));
        }
        let mut template = Self { parts };
        template.add_extension();
        Ok(template)
    }

    /// The default name: BIDS when there is a participant, else experiment, date and time; the
    /// parts that are not set are left out.
    pub(super) fn standard(experiment: &Experiment) -> Self {
        let mut name = String::new();
        let labels = [
            ("_ses-", "session", experiment.session.is_some()),
            ("_task-", "task", experiment.task.is_some()),
            ("_acq-", "acquisition", experiment.acquisition.is_some()),
            ("_run-", "run", experiment.run.is_some()),
        ];
        for (label, key, is_set) in labels {
            if is_set {
                name.push_str(&format!("{label}{{{key}}}"));
            }
        }
        let text = if experiment.participant.is_some() {
            let session = if experiment.session.is_some() { "ses-{session}/" } else { "" };
            format!("sub-{{participant}}/{session}{{modality}}/sub-{{participant}}{name}_{{modality}}.xdf")
        } else {
            format!("{{experiment}}{name}_{{date}}_{{time}}.xdf")
        };
        Self::parse(&text).unwrap_or(Self { parts: Vec::new() })
    }

    /// Whether the template uses `key`.
    pub(super) fn uses(&self, key: &str) -> bool {
        self.keys().any(|used| used == key)
    }

    /// The keys used, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flatten().filter_map(|piece| match piece {
            Piece::Key(key) => Some(key.as_str()),
            Piece::Literal(_) => None,
        })
    }

    fn add_extension(&mut self) {
        let has_extension = match self.parts.last().and_then(|part| part.last()) {
            Some(Piece::Literal(text)) => text.to_ascii_lowercase().ends_with(".xdf"),
            _ => false,
        };
        if !has_extension {
            ".xdf".chars().for_each(|c| push_char(&mut self.parts, c));
        }
    }
}

fn unknown_percent(letter: char) -> String {
    let known: Vec<String> = PERCENT.iter().map(|(letter, key)| format!("%{letter} ({key})")).collect();
    format!("`%{letter}` is not known; known are {} and %% (a percent sign)", known.join(", "))
}

fn push(parts: &mut [Vec<Piece>], piece: Piece) {
    if let Some(part) = parts.last_mut() {
        part.push(piece);
    }
}

fn push_char(parts: &mut [Vec<Piece>], c: char) {
    let Some(part) = parts.last_mut() else { return };
    if let Some(Piece::Literal(text)) = part.last_mut() {
        text.push(c);
    } else {
        part.push(Piece::Literal(c.to_string()));
    }
}
