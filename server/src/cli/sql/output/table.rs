//! Aligned tables for people. In: batches. Out: the first rows, laid out together, and how many more
//! there were. No more than those first rows are held in memory.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::failure::{Failure, Outcome};
use super::ResultWriter;

/// Columns of text are not cut narrower than this.
const NARROWEST: usize = 8;

/// How tables look.
#[derive(Debug, Clone, Default)]
pub struct TableStyle {
    /// Rows shown; 0 shows all.
    pub max_rows: usize,
    /// A record a block, a column a line.
    pub expanded: bool,
    /// Columns of text are cut so that a row fits in this many cells.
    pub width: Option<usize>,
}

/// Shows the first rows and counts the rest.
pub struct TableWriter<'a> {
    style: &'a TableStyle,
    null: &'a str,
    name: &'a str,
    out: &'a mut dyn Write,
    columns: Vec<Heading>,
    rows: Vec<Vec<String>>,
    shown: bool,
    count: u64,
}

struct Heading {
    name: String,
    right: bool,
}

impl<'a> TableWriter<'a> {
    pub fn new(style: &'a TableStyle, null: &'a str, name: &'a str, out: &'a mut dyn Write) -> Self {
        Self {
            style,
            null,
            name,
            out,
            columns: Vec::new(),
            rows: Vec::new(),
            shown: false,
            count: 0,
        }
    }

    fn limit(&self) -> usize {
        if self.style.max_rows == 0 {
            usize::MAX
        } else {
            self.style.max_rows
        }
    }

    fn take(&mut self, batch: &RecordBatch) -> Outcome<()> {
        let options = FormatOptions::default()
            .with_null(self.null)
            .with_display_error(true);
        let unreadable = |e| Failure::query(format!("a value cannot be shown: {e}"));
        let formatters: Result<Vec<_>, _> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect();
        let formatters = formatters.map_err(unreadable)?;
        let wanted = batch.num_rows().min(self.limit() - self.rows.len());
        for row in 0..wanted {
            let cells = formatters
                .iter()
                .map(|column| column.value(row).try_to_string().map(|s| plain(&s)));
            self.rows
                .push(cells.collect::<Result<_, _>>().map_err(unreadable)?);
        }
        Ok(())
    }

    fn show(&mut self) -> Outcome<()> {
        self.shown = true;
        let text = if self.style.expanded {
            expanded(&self.columns, &self.rows)
        } else {
            aligned(&self.columns, &self.rows, self.style.width)
        };
        self.rows = Vec::new();
        self.put(&text)
    }

    fn put(&mut self, text: &str) -> Outcome<()> {
        let written = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
        written.map_err(|e| Failure::from_write(self.name, &e))
    }
}

impl ResultWriter for TableWriter<'_> {
    fn shows(&self, rows: usize) -> bool {
        !self.shown && self.count + rows as u64 > self.limit() as u64
    }

    fn write(&mut self, batch: &RecordBatch) -> Outcome<()> {
        if self.columns.is_empty() {
            let heading = |field: &arrow::datatypes::Field| Heading {
                name: plain(field.name()),
                right: is_number(field.data_type()),
            };
            self.columns = batch
                .schema()
                .fields()
                .iter()
                .map(|field| heading(field))
                .collect();
        }
        self.count += batch.num_rows() as u64;
        if !self.shown {
            self.take(batch)?;
            // Show them as soon as it is known that there are more: counting the rest may take long.
            if self.count > self.limit() as u64 {
                self.show()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Outcome<()> {
        if !self.shown {
            self.show()?;
        }
        let footer = match self.count {
            1 => "(1 row)\n".to_owned(),
            n if n > self.limit() as u64 => {
                let more = grouped(n - self.limit() as u64);
                format!(
                    "... {more} more rows ({} in all; --max-rows 0 shows every row)\n",
                    grouped(n)
                )
            }
            n => format!("({} rows)\n", grouped(n)),
        };
        self.put(&footer)
    }
}

fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_number(values),
        other => other.is_numeric(),
    }
}

/// A number with a comma every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Text that can do no harm to a terminal or to the layout.
fn plain(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}

fn aligned(columns: &[Heading], rows: &[Vec<String>], width: Option<usize>) -> String {
    let mut widths: Vec<usize> = columns.iter().map(|c| c.name.width()).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(cell.width());
        }
    }
    if let Some(width) = width {
        fit(&mut widths, columns, width);
    }
    let mut out = String::new();
    let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
    line(&mut out, columns, &widths, &names);
    let rules: Vec<String> = widths.iter().map(|w| "-".repeat(w + 2)).collect();
    out.push_str(&rules.join("+"));
    out.push('\n');
    for row in rows {
        line(&mut out, columns, &widths, row);
    }
    out
}

fn line(out: &mut String, columns: &[Heading], widths: &[usize], cells: &[String]) {
    let last = cells.len().saturating_sub(1);
    for (i, ((cell, width), column)) in cells.iter().zip(widths).zip(columns).enumerate() {
        let cell = cut(cell, *width);
        let gap = " ".repeat(width - cell.width().min(*width));
        out.push_str(if i == 0 { " " } else { " | " });
        match (column.right, i == last) {
            (true, _) => *out += &(gap + &cell),
            (false, true) => *out += &cell,
            (false, false) => *out += &(cell + &gap),
        }
    }
    out.push('\n');
}

/// Narrows the widest columns of text until a line has at most `width` cells. Where that cannot be, cuts
/// nothing: lines that wrap are better than lines that wrap and lack their ends.
fn fit(widths: &mut Vec<usize>, columns: &[Heading], width: usize) {
    let separators = (3 * widths.len()).saturating_sub(1);
    let mut narrowed = widths.clone();
    while narrowed.iter().sum::<usize>() + separators > width {
        let texts = narrowed
            .iter()
            .enumerate()
            .filter(|(i, w)| !columns[*i].right && **w > NARROWEST);
        let Some((widest, _)) = texts.max_by_key(|(_, w)| **w) else {
            return;
        };
        narrowed[widest] -= 1;
    }
    *widths = narrowed;
}

/// `text` in at most `width` cells, with an ellipsis if it was longer.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    out + "…"
}

fn expanded(columns: &[Heading], rows: &[Vec<String>]) -> String {
    let widest = columns.iter().map(|c| c.name.width()).max().unwrap_or(0);
    let mut out = String::new();
    for (i, row) in rows.iter().enumerate() {
        let title = format!("-[ row {} ]", i + 1);
        out += &title;
        out += &"-".repeat((widest + 3).saturating_sub(title.width()));
        out.push('\n');
        for (column, cell) in columns.iter().zip(row) {
            out += &column.name;
            out += &" ".repeat(widest - column.name.width());
            out += " | ";
            out += cell;
            out.push('\n');
        }
    }
    out
}
