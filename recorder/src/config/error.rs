//! What is wrong with a configuration, and the report that shows the line with a caret.

use std::{fmt, ops::Range, sync::Arc};

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, ThemeCharacters,
    ThemeStyles,
};

use super::words;

/// Narrowest report, in columns.
const WIDTH_MIN: usize = 40;

/// Columns the printer puts before a message or help line.
const INDENT: usize = 8;

/// A text that errors point into: the config file, or one `--set` argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SourceText {
    /// The file name as the user gave it, or `--set`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Whether it was typed on the command line.
    pub is_override: bool,
}

/// A mark under a piece of the text, with a short remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// The remark beside the mark.
    pub text: String,
}

/// One thing wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) source: Option<Arc<SourceText>>,
    /// The first one is the place of the error.
    pub(super) labels: Vec<Label>,
}

impl Diagnostic {
    /// What is wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to mend it.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Name of the file (or `--set`) and line and column of the error, both counted from 1,
    /// columns in characters. None when no text is at fault, as for a missing file.
    pub fn location(&self) -> Option<(&str, usize, usize)> {
        let source = self.source.as_ref()?;
        let start = self.labels.first()?.span.start;
        let before = source.text.get(..start)?;
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[line_start..].chars().count() + 1;
        Some((&source.name, line, column))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, self.location()) {
            (Some(source), _) if source.is_override => {
                let typed = source.text.replace(char::is_control, " ");
                write!(f, "{} {typed}: ", source.name)?;
            }
            (_, Some((name, line, column))) => write!(f, "{name}:{line}:{column}: ")?,
            _ => {}
        }
        f.write_str(&self.message)
    }
}

/// Everything found wrong with a configuration, at least one thing.
///
/// `Display` is one line; [`ConfigError::render`] shows each line with a caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    diagnostics: Vec<Diagnostic>,
}

impl ConfigError {
    /// All of `diagnostics`, in the order of the text; none when there are none.
    pub(super) fn collect(mut diagnostics: Vec<Diagnostic>) -> Option<Self> {
        diagnostics.sort_by_key(|diagnostic| diagnostic.labels.first().map_or(0, |label| label.span.start));
        (!diagnostics.is_empty()).then_some(Self { diagnostics })
    }

    /// An error that points at no text.
    pub(crate) fn plain(message: impl Into<String>, help: impl Into<String>) -> Self {
        Diagnostic { message: message.into(), help: Some(help.into()), source: None, labels: Vec::new() }
            .into()
    }

    /// The single things that are wrong, in the order of the text.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// This error and another one as one report.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.diagnostics.extend(other.diagnostics);
        self
    }

    /// The full report: for each error the message, the line with a caret, and the help.
    /// `width` is the terminal's, in columns; `color` writes ANSI colours.
    pub fn render(&self, color: bool, width: usize) -> String {
        let theme = GraphicalTheme {
            characters: ThemeCharacters {
                underline: '^',
                underbar: '^',
                uarrow: '^',
                ..ThemeCharacters::unicode()
            },
            styles: if color { ThemeStyles::ansi() } else { ThemeStyles::none() },
        };
        let width = width.max(WIDTH_MIN);
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(width)
            .with_wrap_lines(false)
            .with_links(false)
            .without_syntax_highlighting()
            .with_context_lines(1);
        let mut out = String::new();
        for diagnostic in &self.diagnostics {
            let report = Report::new(diagnostic, width);
            if handler.render_report(&mut out, &report).is_err() {
                out.push_str(&diagnostic.to_string());
                out.push('\n');
            }
        }
        out
    }
}

impl From<Diagnostic> for ConfigError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.diagnostics.split_first() else {
            return f.write_str("the configuration is not valid");
        };
        write!(f, "{first}")?;
        match rest.len() {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// A diagnostic in the form the report printer takes.
#[derive(Debug)]
struct Report<'a> {
    labels: &'a [Label],
    message: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
}

impl<'a> Report<'a> {
    /// Sentences are wrapped here, at blanks only, so that paths and quoted values stay whole.
    fn new(diagnostic: &'a Diagnostic, width: usize) -> Self {
        let wrap = |text: &str| words::wrapped(text, width - INDENT);
        let source =
            diagnostic.source.as_ref().map(|source| NamedSource::new(&source.name, source.text.clone()));
        Self {
            labels: &diagnostic.labels,
            message: wrap(&diagnostic.message),
            help: diagnostic.help.as_deref().map(wrap),
            source,
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source.as_ref()?)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labels = self.labels.iter().enumerate().map(|(n, label)| {
            let text = Some(label.text.clone());
            if n == 0 {
                LabeledSpan::new_primary_with_span(text, label.span.clone())
            } else {
                LabeledSpan::new_with_span(text, label.span.clone())
            }
        });
        Some(Box::new(labels))
    }
}
