//! Finds the largest run number among the files that fit a template.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A piece of the name of a folder or file that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Exactly this text.
    Text(String),
    /// A run number; the same in every place.
    Run,
    /// Digits (`d`) and fixed characters, as `dddd-dd-dd`.
    Shape(&'static str),
}

/// The largest run number among the existing paths below `directory` that fit `parts`.
///
/// # Errors
/// A folder that exists cannot be listed.
pub(super) fn largest_run(directory: &Path, parts: &[Vec<Pattern>]) -> Result<Option<u64>, ScanError> {
    let Some((part, below)) = parts.split_first() else {
        return Ok(None);
    };
    search(directory, part, below, None)
}

/// A folder that cannot be listed.
#[derive(Debug)]
pub(super) struct ScanError {
    pub folder: PathBuf,
    pub error: io::Error,
}

fn search(
    folder: &Path,
    part: &[Pattern],
    below: &[Vec<Pattern>],
    run: Option<u64>,
) -> Result<Option<u64>, ScanError> {
    let fault = |error| ScanError { folder: folder.to_owned(), error };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(fault(error)),
    };
    let mut largest = None;
    for entry in entries {
        let name = entry.map_err(fault)?.file_name();
        // A name that is not Unicode cannot have come from a template.
        let Some(name) = name.to_str() else { continue };
        let mut runs = Vec::new();
        fit(name, part, run, &mut runs);
        for run in runs {
            let found = match below.split_first() {
                None => run,
                Some((part, below)) => search(&folder.join(name), part, below, run)?,
            };
            largest = largest.max(found);
        }
    }
    Ok(largest)
}

/// Every way in which `name` fits `patterns`: the run number in each, if one was met.
fn fit(name: &str, patterns: &[Pattern], run: Option<u64>, runs: &mut Vec<Option<u64>>) {
    let Some((pattern, rest)) = patterns.split_first() else {
        if name.is_empty() && !runs.contains(&run) {
            runs.push(run);
        }
        return;
    };
    match pattern {
        Pattern::Text(text) => {
            if let Some(after) = name.strip_prefix(text.as_str()) {
                fit(after, rest, run, runs);
            }
        }
        Pattern::Shape(shape) => {
            let fits = name.len() >= shape.len()
                && shape.bytes().zip(name.bytes()).all(|(want, found)| match want {
                    b'd' => found.is_ascii_digit(),
                    exact => found == exact,
                });
            if fits {
                fit(&name[shape.len()..], rest, run, runs);
            }
        }
        Pattern::Run => {
            let digits = name.bytes().take_while(u8::is_ascii_digit).count();
            for len in 1..=digits {
                let Ok(number) = name[..len].parse::<u64>() else { break };
                if run.is_none_or(|known| known == number) {
                    fit(&name[len..], rest, Some(number), runs);
                }
            }
        }
    }
}
