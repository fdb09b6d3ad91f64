//! `lockstep check`

use std::path::{Path, PathBuf};

use clap::Args;
use console::style;
use lockstep_analysis::check::{Checked, Finding, Severity, check};
use serde_json::{Value, json};

use super::Failure;
use super::info::open_to_look;
use crate::display::table::{Align, Table};
use crate::display::{format, print_err, print_out};

/// Findings that are shown of each file; all are in --json.
const SHOWN: usize = 60;

/// Check whether recordings are whole: every chunk, counts and stamps against the footers, stamps that
/// go back, streams and sources that are missing, clock offsets that were not measured, exchanges that
/// cannot be, losses that the recorder counted. Nothing is changed.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The recordings: any XDF files, packed (.xdfz, .xdf.gz) or not
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// As JSON: a list with one object for each file
    #[arg(long)]
    pub json: bool,
}

/// Run it.
pub fn run(args: &CheckArgs) -> Result<u8, Failure> {
    let mut objects = Vec::new();
    let mut codes = Vec::new();
    for (index, file) in args.files.iter().enumerate() {
        let shown = file.display().to_string();
        match check_file(file) {
            Ok(checked) => {
                let code = if checked.is_clean() { 0 } else { 3 };
                codes.push(code);
                if args.json {
                    let mut object = json!({"file": shown, "exit_code": code});
                    merge(&mut object, serde_json::to_value(&checked).map_err(anyhow::Error::from)?);
                    objects.push(object);
                } else {
                    let gap = if index > 0 { "\n" } else { "" };
                    print_out(&format!("{gap}{}", render(&checked, file)));
                }
            }
            Err(failure) => {
                codes.push(failure.exit_code());
                print_err(&failure.render());
                objects.push(json!({"file": shown, "exit_code": failure.exit_code(), "findings": null}));
            }
        }
    }
    if args.json {
        print_out(&Value::from(objects).to_string());
    }
    // What kept a file from being checked counts more than what was found in another.
    Ok([2, 1, 3].into_iter().find(|code| codes.contains(code)).unwrap_or(0))
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

fn check_file(file: &Path) -> Result<Checked, Failure> {
    let recording = open_to_look(file)?;
    check(&recording, &mut |_, _| {})
        .map_err(|e| Failure::other(format!("{}: {e}", file.display()), "can the disk be read?"))
}

fn render(checked: &Checked, file: &Path) -> String {
    let counted = |severity: Severity| match checked.count(severity) {
        1 => format!("1 {}", severity.name()),
        n => format!("{n} {}s", severity.name()),
    };
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(counted).join(", ");
    let worst = checked.findings.first().map(|finding| finding.severity);
    let verdict = match worst {
        None => style("✓ whole: nothing was found".to_owned()).green(),
        Some(Severity::Note) => style(format!("✓ whole: {counts}")).green(),
        Some(Severity::Warning) => style(format!("! {counts}")).yellow(),
        Some(Severity::Error) => style(format!("✗ {counts}")).red(),
    };
    let mut lines = vec![
        style(file.display()).bold().to_string(),
        format!(
            "  {}, {} streams, {} samples",
            format::bytes(checked.bytes as f64),
            checked.streams,
            format::count(checked.samples)
        ),
        format!("  {verdict}"),
    ];
    if checked.findings.is_empty() {
        return lines.join("\n");
    }
    let shown = &checked.findings[..checked.findings.len().min(SHOWN)];
    lines.push(String::new());
    lines.extend(table(shown).lines().into_iter().map(|line| format!("  {line}")));
    let more = checked.findings.len() - shown.len();
    if more > 0 {
        lines.push(format!("  ... {more} more with --json"));
    }
    lines.push(String::new());
    let mut told: Vec<&str> = Vec::new();
    for finding in shown.iter().filter(|finding| finding.severity > Severity::Note || shown.len() <= 5) {
        if !told.contains(&finding.meaning) {
            told.push(finding.meaning);
            lines.push(format!("  {}: {}.", style(finding.code).bold(), finding.meaning));
            lines.push(format!("    To do: {}.", finding.mend));
        }
    }
    lines.join("\n").trim_end().to_owned()
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("FINDING", Align::Left),
        ("BYTE", Align::Right),
        ("LENGTH", Align::Right),
        ("STREAM", Align::Left),
        ("LOST", Align::Right),
        ("WHAT", Align::Left),
    ]);
    for finding in findings {
        let sign = match finding.severity {
            Severity::Error => style("✗ error").red(),
            Severity::Warning => style("! warning").yellow(),
            Severity::Note => style("  note").dim(),
        };
        let number = |n: Option<u64>| n.map_or_else(String::new, format::count);
        table.row(vec![
            sign.to_string(),
            finding.code.to_owned(),
            finding.offset.map_or_else(String::new, |offset| offset.to_string()),
            number(finding.bytes),
            match (&finding.stream, finding.stream_id) {
                (Some(name), _) => console::truncate_str(name, 24, "…").into_owned(),
                (None, Some(id)) => format!("id {id}"),
                (None, None) => String::new(),
            },
            number(finding.samples_lost),
            finding.what.clone(),
        ]);
    }
    table
}
