//! What may stand in a file name on every desktop: Windows has the strictest rules.

/// Longest part of a path, in bytes, on the common file systems.
const PART_MAX_BYTES: usize = 255;

/// Names that Windows keeps for devices, with any extension.
const DEVICES: [&str; 7] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];

/// What is wrong with a value that is to become a piece of a file name.
pub(super) fn value_fault(value: &str) -> Option<String> {
    if value.is_empty() {
        return Some("is empty".to_owned());
    }
    if value == "." || value == ".." {
        return Some("names a folder, not a file".to_owned());
    }
    if let Some(c) = value.chars().find(|c| is_forbidden(*c)) {
        return Some(format!("contains {}", name_of(c)));
    }
    if value.ends_with(['.', ' ']) || value.starts_with(' ') {
        return Some("starts or ends with a blank, or ends with a dot".to_owned());
    }
    None
}

/// What is wrong with a whole part of a path.
pub(super) fn part_fault(part: &str) -> Option<String> {
    if let Some(fault) = value_fault(part) {
        return Some(fault);
    }
    let stem = part.split('.').next().unwrap_or(part).trim_end().to_lowercase();
    let numbered = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    let is_port = numbered.is_some_and(|rest| {
        let mut chars = rest.chars();
        matches!((chars.next(), chars.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
    });
    if is_port || DEVICES.contains(&stem.as_str()) {
        return Some("is the name of a device on Windows".to_owned());
    }
    if part.len() > PART_MAX_BYTES {
        return Some(format!(
            "is {} bytes long, more than the {PART_MAX_BYTES} that file systems take",
            part.len()
        ));
    }
    None
}

fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|') || is_invisible(c)
}

/// Characters that show nothing or turn the direction of writing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn name_of(c: char) -> String {
    if c.is_control() || is_invisible(c) {
        format!("the invisible character U+{:04X}", u32::from(c))
    } else {
        format!("`{c}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_refused_with_any_extension() {
        for part in ["CON", "con.xdf", "Com1.xdf", "lpt9", "nul .xdf", "COM¹"] {
            assert!(part_fault(part).is_some(), "{part}");
        }
        for part in ["control.xdf", "com10.xdf", "sub-con", "lpt", "P01.xdf"] {
            assert_eq!(part_fault(part), None, "{part}");
        }
    }

    #[test]
    fn the_fault_names_the_character() {
        assert_eq!(value_fault("a/b").as_deref(), Some("contains `/`"));
        assert_eq!(value_fault("a\u{202e}b").as_deref(), Some("contains the invisible character U+202E"));
        assert_eq!(value_fault("Müller 7"), None);
    }
}
