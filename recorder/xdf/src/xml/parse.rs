//! Parse XML text into an element tree, within bounds.

use std::fmt;

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::Element;

/// Deepest nesting of elements that is parsed.
pub const MAX_DEPTH: usize = 64;

/// Most elements and attributes of one document, so that a small text cannot become a large tree.
pub const MAX_NODES: usize = 1 << 20;

/// XML that could not be parsed, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct XmlError {
    /// Line, counted from 1.
    pub line: usize,
    /// Character in the line, counted from 1.
    pub column: usize,
    /// Byte in the text, counted from 0.
    pub byte: usize,
    /// What is wrong there.
    pub reason: XmlReason,
}

/// What is wrong with XML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XmlReason {
    /// It breaks a rule of XML; the text says which.
    Malformed(String),
    /// An entity other than `&lt;` `&gt;` `&amp;` `&apos;` `&quot;` and numbers.
    UnknownEntity(String),
    /// An element is not closed.
    Unclosed(String),
    /// Text outside of any element.
    StrayText,
    /// There is no element.
    NoElement,
    /// There is more than one outermost element.
    SecondElement(String),
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More than [`MAX_NODES`] elements and attributes.
    TooLarge,
}

impl fmt::Display for XmlReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "not well-formed XML: {what}"),
            Self::UnknownEntity(name) => write!(
                f,
                "&{name}; is not known; XML has &lt; &gt; &amp; &apos; &quot; and numbers like &#233;"
            ),
            Self::Unclosed(name) => {
                write!(f, "<{name}> is not closed; </{name}> is missing")
            }
            Self::StrayText => f.write_str("text outside of any element"),
            Self::NoElement => f.write_str("there is no element"),
            Self::SecondElement(name) => {
                write!(f, "<{name}> follows the outermost element, which must be the only one")
            }
            Self::TooDeep => write!(f, "elements are nested deeper than {MAX_DEPTH}"),
            Self::TooLarge => write!(f, "there are more than {MAX_NODES} elements and attributes"),
        }
    }
}

/// Parses exactly one element.
pub(super) fn document(xml: &str) -> Result<Element, XmlError> {
    let mut parser = Parser::new(xml, true);
    let mut roots = parser.run()?;
    roots.pop().ok_or_else(|| error_at(xml, xml.len(), XmlReason::NoElement))
}

/// Parses any number of elements.
pub(super) fn siblings(xml: &str) -> Result<Vec<Element>, XmlError> {
    Parser::new(xml, false).run()
}

struct Parser<'a> {
    xml: &'a str,
    reader: Reader<&'a [u8]>,
    single_root: bool,
    nodes: usize,
    /// The elements that are open, outermost first.
    open: Vec<Element>,
    roots: Vec<Element>,
}

impl<'a> Parser<'a> {
    fn new(xml: &'a str, single_root: bool) -> Self {
        Self {
            xml,
            reader: Reader::from_str(xml),
            single_root,
            nodes: 0,
            open: Vec::new(),
            roots: Vec::new(),
        }
    }

    fn run(&mut self) -> Result<Vec<Element>, XmlError> {
        loop {
            let at = self.position();
            let event = self.reader.read_event().map_err(|error| {
                let at = usize::try_from(self.reader.error_position()).unwrap_or(at);
                error_at(self.xml, at, XmlReason::Malformed(error.to_string()))
            })?;
            self.take(event, at)
                .map_err(|reason| error_at(self.xml, at, reason))
                .and_then(|more| {
                    if more {
                        Ok(None)
                    } else {
                        Ok(Some(std::mem::take(&mut self.roots)))
                    }
                })?;
        }
    }
}
