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
    }
}
