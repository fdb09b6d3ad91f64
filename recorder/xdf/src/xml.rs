//! A small XML element tree, for stream headers and footers.
//!
//! Parsing keeps what XDF metadata uses: elements, attributes, text (entities and CDATA resolved);
//! comments, processing instructions and document types are dropped. Writing always gives a
//! document that any XML 1.0 parser takes, whatever the tree holds:
//! - characters that XML 1.0 cannot hold (most control characters) become U+FFFD;
//! - characters that a name cannot have become `_`; so does the colon, because readers refuse a
//!   prefix nobody declared and XDF metadata knows no namespaces (`xmlns` becomes `xmlns_`);
//! - of attributes with the same name the first is kept.

mod parse;
mod write;

pub use parse::{MAX_DEPTH, MAX_NODES, XmlError, XmlReason};

/// The declaration that [`Element::to_xml`] begins with.
pub const DECLARATION: &str = "<?xml version=\"1.0\"?>";

/// One element with everything in it.
///
/// The text between child elements is joined in [`text`](Self::text), so the order of text and
/// children is not kept; XDF metadata does not mix them. White space between children is dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The tag's name.
    pub name: String,
    /// Names and values, in order.
    pub attributes: Vec<(String, String)>,
    /// The text directly in this element.
    pub text: String,
    /// The child elements, in order.
    pub children: Vec<Element>,
}

impl Element {
    /// An empty element.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The element with that text.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The element with one more attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// The element with one more child.
    #[must_use]
    pub fn with_child(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// Adds a child at the end.
    pub fn push_child(&mut self, child: Element) {
        self.children.push(child);
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first child of that name, to change.
    pub fn child_mut(&mut self, name: &str) -> Option<&mut Element> {
        self.children.iter_mut().find(|child| child.name == name)
    }

    /// The value of the attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let (_, value) = self.attributes.iter().find(|(key, _)| key == name)?;
        Some(value)
    }

    /// The element at the end of a path of names like "desc/clock/name", taking the first child of
    /// the name at each step; the empty path is the element itself.
    pub fn find(&self, path: &str) -> Option<&Element> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(self, |element, name| element.child(name))
    }

    /// The text of the element at the end of a path, as in [`find`](Self::find).
    pub fn text_at(&self, path: &str) -> Option<&str> {
        self.find(path).map(|element| element.text.as_str())
    }

    /// Parses a document: one element, with or without a declaration before it.
    ///
    /// # Errors
    /// [`XmlError`] with line and column, also for more than [`MAX_DEPTH`] levels or [`MAX_NODES`]
    /// elements and attributes.
    pub fn parse(xml: &str) -> Result<Element, XmlError> {
        parse::document(xml)
    }

    /// The element as a document with declaration, without added white space.
    pub fn to_xml(&self) -> String {
        let mut out = DECLARATION.to_owned();
        write::element(&mut out, self);
        out
    }

    /// The element alone, without declaration.
    pub fn to_fragment(&self) -> String {
        let mut out = String::new();
        write::element(&mut out, self);
        out
    }
}

/// Parses any number of sibling elements, such as the inside of a `<desc>`.
///
/// # Errors
/// [`XmlError`] as for [`Element::parse`], and if there is text outside of the elements.
pub fn parse_fragment(xml: &str) -> Result<Vec<Element>, XmlError> {
    parse::siblings(xml)
}

/// Parses any number of sibling elements that will stand `levels` deep in a document: whatever it
/// takes can be parsed again from there, with some 1000 elements and attributes around it.
///
/// # Errors
/// As [`parse_fragment`].
pub fn parse_inside(xml: &str, levels: usize) -> Result<Vec<Element>, XmlError> {
    parse::inside(xml, levels)
}

#[cfg(test)]
mod tests;
