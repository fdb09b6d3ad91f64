//! Texts in headers.

/// A text of one line as XML 1.0 can hold it between tags: what [`StreamBuilder::desc_xml`](crate::StreamBuilder::desc_xml)
/// is made of. Line breaks become spaces, characters that XML cannot hold U+FFFD.
pub fn xml_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_text_is_it_can_stand_between_tags() {
        assert_eq!(xml_text("a <b> & \"c\"\n\u{1}é"), "a &lt;b&gt; &amp; \"c\" \u{fffd}é");
    }
}
