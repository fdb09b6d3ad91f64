//! Quoting of CSV fields after RFC 4180, used by the truth logs and the `csv` payload.

/// Appends `text` as one CSV field, quoted only where a reader would otherwise misread it.
pub(crate) fn push_field(out: &mut Vec<u8>, text: &str) {
    let plain = !text.is_empty()
        && !text.contains(['"', ',', '\r', '\n'])
        && text.trim() == text
        && !text.starts_with('#');
    if plain {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for &byte in text.as_bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> String {
        let mut out = Vec::new();
        push_field(&mut out, text);
        String::from_utf8(out).expect("UTF-8 in, UTF-8 out")
    }

    #[test]
    fn quotes_only_what_needs_it() {
        assert_eq!(field("stim/left/17"), "stim/left/17");
        assert_eq!(field("a,b"), "\"a,b\"");
        assert_eq!(field("say \"go\""), "\"say \"\"go\"\"\"");
        assert_eq!(field("two\nlines"), "\"two\nlines\"");
        assert_eq!(field(" edge"), "\" edge\"");
        assert_eq!(field(""), "\"\"");
        assert_eq!(field("# not a comment"), "\"# not a comment\"");
    }
}
