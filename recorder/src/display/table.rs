//! Columns that line up.

use console::measure_text_width;

/// On which side a column's texts stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of texts under headings. Texts may be styled.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings and no rows.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        Self { columns: columns.iter().map(|(h, a)| ((*h).to_owned(), *a)).collect(), rows: Vec::new() }
    }

    /// Add a row; texts beyond the columns are ignored, missing ones are empty.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table without as many of the `dispensable` columns, in that order, as
    /// it takes to fit into `width`.
    pub fn narrowed(mut self, width: usize, dispensable: &[&str]) -> Self {
        for heading in dispensable {
            if self.lines().iter().all(|line| measure_text_width(line) <= width) {
                break;
            }
            let Some(i) = self.columns.iter().position(|c| c.0 == *heading) else { continue };
            self.columns.remove(i);
            for row in self.rows.iter_mut().filter(|row| i < row.len()) {
                row.remove(i);
            }
        }
        self
    }

    /// The lines, the headings first, without trailing spaces.
    pub fn lines(&self) -> Vec<String> {
        let cell = |row: &'_ [String], i: usize| row.get(i).cloned().unwrap_or_default();
        let headings: Vec<String> = self.columns.iter().map(|c| c.0.clone()).collect();
        let all = || std::iter::once(&headings).chain(&self.rows);
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|i| all().map(|row| measure_text_width(&cell(row, i))).max().unwrap_or(0))
            .collect();
        all()
            .map(|row| {
                let mut line = String::new();
                for (i, ((_, align), width)) in self.columns.iter().zip(&widths).enumerate() {
                    let text = cell(row, i);
                    let pad = " ".repeat(width - measure_text_width(&text));
                    let gap = if i == 0 { "" } else { "  " };
                    match align {
                        Align::Left => line.extend([gap, &text, &pad]),
                        Align::Right => line.extend([gap, &pad, &text]),
                    }
                }
                line.trim_end().to_owned()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&[("NAME", Align::Left), ("N", Align::Right), ("WHY", Align::Left)]);
        table.row(vec!["a".into(), "12,345".into(), "x".into()]);
        table.row(vec!["größer".into(), "1".into()]);
        assert_eq!(table.lines(), ["NAME         N  WHY", "a       12,345  x", "größer       1"]);
        let styled = console::style("a").red().force_styling(true).to_string();
        table.row(vec![styled.clone(), "2".into()]);
        assert_eq!(table.lines()[3], format!("{styled}            2"));
        let narrow = table.narrowed(15, &["WHY", "N"]);
        assert_eq!(narrow.lines()[..2], ["NAME         N", "a       12,345"]);
    }
}
