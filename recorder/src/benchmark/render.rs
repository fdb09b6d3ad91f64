//! The results as tables.

use lockstep_clock::Method;

use super::online::ByTime;
use super::run::Row;
use crate::display::table::{Align, Table};

/// Errors of all methods, then what `smooth` says of its own, then what it misses.
pub fn tables(rows: &[Row]) -> String {
    let mut parts = Vec::new();
    if rows.iter().any(|row| row.online.is_some()) {
        parts.push(online(rows));
    } else {
        parts.push(errors(rows));
    }
    let smooth = Method::Smooth.name();
    if rows.iter().any(|row| row.methods.iter().any(|method| method.method == smooth)) {
        parts.push(uncertainty(rows));
        parts.push(verdict(rows));
    }
    parts.join("\n\n")
}

fn errors(rows: &[Row]) -> String {
    let methods = rows.first().map_or(&[][..], |row| &row.methods);
    let headings: Vec<String> =
        methods.iter().flat_map(|m| [m.method.to_uppercase(), "max".to_owned()]).collect();
    let mut columns = vec![("ERROR, p95 in us", Align::Left), ("TARGET", Align::Right)];
    columns.extend(headings.iter().map(|heading| (heading.as_str(), Align::Right)));
    let mut table = Table::new(&columns);
    for row in rows {
        let mut cells = vec![row.name.clone(), row.target_us.map_or_else(String::new, us)];
        cells.extend(row.methods.iter().flat_map(|m| [us(m.mean.p95_us), us(m.mean.max_us)]));
        table.row(cells);
    }
    table.lines().join("\n")
}

fn uncertainty(rows: &[Row]) -> String {
    let right = |heading| (heading, Align::Right);
    let mut table = Table::new(&[
        ("SMOOTH, us", Align::Left),
        right("P95"),
        right("NO BIAS"),
        right("SIGMA REL"),
        right("COVERS"),
        right("SIGMA TOTAL"),
        right("COVERS"),
        right("WIDTH/P95"),
        right("BOUND"),
        right("HOLDS UNFLAGGED"),
        right("ANYWHERE"),
        right("FLAGGED"),
        right("FIT s"),
        ("MISSES", Align::Left),
    ]);
    for row in rows {
        let Some(score) = row.methods.iter().find(|m| m.method == Method::Smooth.name()).map(|m| m.mean)
        else {
            continue;
        };
        // A share that is not quite 1 must not be shown as 1.
        let share = |share: f64| {
            if share < 1.0 { format!("{:.5}", share.min(0.999_99)) } else { "1".to_owned() }
        };
        let asymmetric = if row.symmetric { "" } else { " (asymmetric)" };
        table.row(vec![
            format!("{}{asymmetric}", row.name),
            us(score.p95_us),
            us(score.p95_bias_removed_us),
            us(score.relative_us),
            format!("{:.3}", score.relative_coverage),
            us(score.total_us),
            format!("{:.3}", score.total_coverage),
            format!("{:.1}", score.width_over_p95()),
            us(score.bound_us),
            share(score.bound_holds),
            share(score.bound_holds_anywhere),
            format!("{:.4}", score.flagged),
            format!("{:.3}", score.fit_s),
            row.misses().join(" "),
        ]);
    }
    table.lines().join("\n")
}

fn verdict(rows: &[Row]) -> String {
    let count = |family: &str| {
        let all = rows.iter().filter(|row| row.family == family);
        let met = all.clone().filter(|row| row.misses().is_empty()).count();
        let target = all.clone().filter(|row| !row.misses().contains(&"p95")).count();
        (all.count(), met, target)
    };
    ["A", "B"]
        .iter()
        .map(|family| (family, count(family)))
        .filter(|(_, (all, _, _))| *all > 0)
        .map(|(family, (all, met, target))| {
            format!("family {family}: {target} of {all} rows within target, {met} miss nothing")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn online(rows: &[Row]) -> String {
    let right = |heading| (heading, Align::Right);
    let mut table = Table::new(&[
        ("ONLINE, p95 in us", Align::Left),
        right("LAST 10-60 s"),
        right("1-5 min"),
        right("later"),
        right("FILTER 10-60 s"),
        right("1-5 min"),
        right("later"),
        right("MONOTONE 10-60 s"),
        right("1-5 min"),
        right("later"),
        right("REL COVERS"),
        right("TOTAL COVERS"),
    ]);
    for row in rows {
        let Some(score) = &row.online else { continue };
        let mut cells = vec![row.name.clone()];
        let by_time = |times: ByTime| times.map(|time| time.map_or_else(|| "-".to_owned(), us));
        cells.extend(by_time(score.last_us));
        cells.extend(by_time(score.filter_us));
        cells.extend(by_time(score.monotone_us));
        cells.extend([score.relative_coverage, score.total_coverage].map(|share| format!("{share:.3}")));
        table.row(cells);
    }
    table.lines().join("\n")
}

/// Microseconds, with three digits.
fn us(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        size if size < 1e7 => format!("{value:.0}"),
        _ => format!("{value:.1e}"),
    }
}
