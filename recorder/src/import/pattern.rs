//! LabRecorder's file names, as a folder and a template of ours.

use crate::config::filename;

/// Placeholders that both know.
const KNOWN: &str = "psbamrn";

/// A name and the folder it starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The template, as ours.
    pub template: String,
    /// What was changed, and why.
    pub notes: Vec<String>,
}

/// Cuts a whole path into the folder before the first placeholder, and the rest.
pub fn split(path: &str) -> (String, String) {
    let end = path.find('%').unwrap_or(path.len());
    match path[..end].rfind(['/', '\\']) {
        None => (".".to_owned(), path.to_owned()),
        Some(0) => (path[..1].to_owned(), path[1..].to_owned()),
        Some(at) => (path[..at].to_owned(), path[at + 1..].to_owned()),
    }
}

impl Pattern {
    /// From LabRecorder's template.
    pub fn new(text: &str) -> Self {
        let mut notes = Vec::new();
        let mut template = String::new();
        let mut chars = text.trim().trim_start_matches(['/', '\\']).chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '{' | '}' => template.extend([c, c]),
                '%' => match chars.peek() {
                    Some(letter) if KNOWN.contains(*letter) => template.push('%'),
                    next => {
                        let shown: String = next.iter().copied().collect();
                        notes.push(format!("`%{shown}` is no placeholder; it stands in the name as it is"));
                        template.push_str("%%");
                    }
                },
                c => template.push(c),
            }
        }
        if template.contains("_acq-%a") && !template.contains(filename::OPTIONAL_ACQUISITION) {
            template = template.replace("_acq-%a", filename::OPTIONAL_ACQUISITION);
            notes.push("`_acq-%a` is left out of the name as long as no acquisition is set".to_owned());
        }
        Self { template, notes }
    }

    /// Whether a placeholder has to have a value.
    pub fn needs(&self, letter: char) -> bool {
        let text = self.template.replace(filename::OPTIONAL_ACQUISITION, "");
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c == '%' && chars.next() == Some(letter) {
                return true;
            }
        }
        false
    }

    /// Whether the run is counted.
    pub fn counts(&self) -> bool {
        self.needs('n') || self.needs('r')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_path_is_cut_before_the_first_placeholder() {
        let cut = |path: &str| {
            let (folder, rest) = split(path);
            format!("{folder} | {rest}")
        };
        assert_eq!(cut("C:/Data/exp%n/block_%b.xdf"), "C:/Data | exp%n/block_%b.xdf");
        assert_eq!(cut("C:\\Data\\x.xdf"), "C:\\Data | x.xdf");
        assert_eq!(cut("/%n.xdf"), "/ | %n.xdf");
        assert_eq!(cut("x_%n.xdf"), ". | x_%n.xdf");
    }

    #[test]
    fn templates_become_ours() {
        let bids = Pattern::new("/sub-%p/ses-%s/%m/sub-%p_ses-%s_task-%b_acq-%a_run-%r_%m.xdf");
        assert_eq!(bids.template, "sub-%p/ses-%s/%m/sub-%p_ses-%s_task-%b[_acq-%a]_run-%r_%m.xdf");
        assert!(bids.needs('p') && bids.needs('m') && bids.counts() && !bids.needs('a'));
        assert_eq!(bids.notes.len(), 1);
        let odd = Pattern::new("{x}_%z_100%");
        assert_eq!((odd.template.as_str(), odd.notes.len()), ("{{x}}_%%z_100%%", 2));
        assert!(!odd.needs('z') && Pattern::new("%a").needs('a'));
    }
}
