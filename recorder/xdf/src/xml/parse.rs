//! Parse XML text into an element tree, within bounds.

use std::collections::HashSet;
use std::fmt;

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::Element;

/// Deepest nesting of elements that is parsed.
pub const MAX_DEPTH: usize = 64;

/// Most elements and attributes of one document, so that a small text cannot become a large tree.
pub const MAX_NODES: usize = 1 << 20;

/// Elements and attributes of a document that [`inside`] leaves to what stands around.
const NODES_AROUND: usize = 1 << 10;

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
    let mut roots = Tree::new(true, 0, 0).parse(xml)?;
    let nothing = || error_at(xml, xml.len(), XmlReason::NoElement);
    roots.pop().ok_or_else(nothing)
}

/// Parses any number of elements.
pub(super) fn siblings(xml: &str) -> Result<Vec<Element>, XmlError> {
    Tree::new(false, 0, 0).parse(xml)
}

/// Parses any number of elements that will stand `levels` deep in a document.
pub(super) fn inside(xml: &str, levels: usize) -> Result<Vec<Element>, XmlError> {
    Tree::new(false, levels, NODES_AROUND).parse(xml)
}

/// The elements found so far.
struct Tree {
    one_root: bool,
    /// Levels of the document above these elements.
    levels: usize,
    /// Elements and attributes so far, with those that are left to others.
    nodes: usize,
    /// The elements that are open, outermost first.
    open: Vec<Element>,
    /// The closed outermost elements.
    roots: Vec<Element>,
}

impl Tree {
    fn new(one_root: bool, levels: usize, nodes: usize) -> Self {
        Self { one_root, levels, nodes, open: Vec::new(), roots: Vec::new() }
    }

    fn parse(mut self, xml: &str) -> Result<Vec<Element>, XmlError> {
        let mut reader = Reader::from_str(xml);
        loop {
            let at = offset(reader.buffer_position());
            let taken = match reader.read_event() {
                Ok(Event::Eof) => break,
                Ok(event) => self.take(event),
                Err(error) => {
                    let at = offset(reader.error_position());
                    return Err(error_at(xml, at, XmlReason::Malformed(error.to_string())));
                }
            };
            taken.map_err(|reason| error_at(xml, at, reason))?;
        }
        match self.open.pop() {
            Some(open) => Err(error_at(xml, xml.len(), XmlReason::Unclosed(open.name))),
            None => Ok(self.roots),
        }
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), XmlReason> {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::Empty(tag) => {
                self.start(&tag)?;
                self.end();
                Ok(())
            }
            Event::End(_) => {
                self.end();
                Ok(())
            }
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(malformed)?;
                match (character, resolve_xml_entity(&reference)) {
                    (Some(character), _) => self.text(character.encode_utf8(&mut [0; 4])),
                    (None, Some(text)) => self.text(text),
                    (None, None) => Err(XmlReason::UnknownEntity(reference.to_string())),
                }
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) | Event::Eof => Ok(()),
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), XmlReason> {
        let mut element = Element::new(tag.name().0);
        if self.open.is_empty() && self.one_root && !self.roots.is_empty() {
            return Err(XmlReason::SecondElement(element.name));
        }
        if self.levels + self.open.len() >= MAX_DEPTH {
            return Err(XmlReason::TooDeep);
        }
        self.count_node()?;
        // The reader's own check compares each name with all before it.
        let mut names = HashSet::new();
        for attribute in tag.attributes().with_checks(false) {
            self.count_node()?;
            let attribute = attribute.map_err(|error| XmlReason::Malformed(error.to_string()))?;
            if !names.insert(attribute.key.0) {
                return Err(XmlReason::Malformed(format!("duplicated attribute `{}`", attribute.key.0)));
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(malformed)?;
            element.attributes.push((attribute.key.0.to_owned(), value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) {
        // The reader has matched the tags, so there is an open element.
        let Some(mut element) = self.open.pop() else {
            return;
        };
        if !element.children.is_empty() && element.text.trim().is_empty() {
            element.text.clear();
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.roots.push(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), XmlReason> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            // A byte order mark before the document is no text.
            None if text.trim_start_matches('\u{FEFF}').trim().is_empty() => {}
            None => return Err(XmlReason::StrayText),
        }
        Ok(())
    }

    fn count_node(&mut self) -> Result<(), XmlReason> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(XmlReason::TooLarge);
        }
        Ok(())
    }
}

fn malformed(error: quick_xml::Error) -> XmlReason {
    XmlReason::Malformed(error.to_string())
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// The error for a byte of `xml`, with its line and column.
fn error_at(xml: &str, byte: usize, reason: XmlReason) -> XmlError {
    let byte = xml.floor_char_boundary(byte);
    let before = &xml[..byte];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    XmlError {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        byte,
        reason,
    }
}
