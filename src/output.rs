//! Standard output and standard error: lines, tables, questions.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;

/// Standard output, locked and buffered. Flushed by [`done`](Self::done).
pub(crate) struct Output(io::BufWriter<io::StdoutLock<'static>>);

impl Output {
    /// Takes standard output.
    pub(crate) fn new() -> Self {
        Self(io::BufWriter::with_capacity(64 << 10, io::stdout().lock()))
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        Ok(writeln!(self.0, "{text}")?)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.0.write_all(bytes)?)
    }

    /// Writes a value as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.0, value).map_err(io::Error::from)?;
        Ok(self.0.write_all(b"\n")?)
    }

    /// Hands everything on. A reader that went away shows here at the latest.
    pub(crate) fn done(mut self) -> Result<(), Failure> {
        Ok(self.0.flush()?)
    }

    /// Hands on what there is, for a reader who waits for it.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.0.flush()?)
    }
}

/// Rows of a list: a table for people, or one JSON object a line for programs.
pub(crate) struct Listing {
    columns: &'static [Column],
    rows: Vec<Vec<String>>,
    json: bool,
    out: Output,
}

/// A heading and where its value lies in a row, as a JSON pointer.
pub(crate) type Column = (&'static str, &'static str);

impl Listing {
    /// Begins a list.
    pub(crate) fn new(columns: &'static [Column], json: bool) -> Self {
        let heading = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        Self { columns, rows: vec![heading], json, out: Output::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, row: &Value) -> Result<(), Failure> {
        if self.json {
            return self.out.json(row);
        }
        let cells = self.columns.iter().map(|(_, pointer)| cell(row.pointer(pointer))).collect();
        self.rows.push(cells);
        Ok(())
    }

    /// Prints what has not been printed yet.
    pub(crate) fn done(mut self) -> Result<(), Failure> {
        if !self.json {
            for line in table(&self.rows) {
                self.out.line(line)?;
            }
        }
        self.out.done()
    }
}

/// Columns as wide as their widest cell; the last one as it comes.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A value as one cell, on one line, whatever somebody put into it.
pub(crate) fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(fields)) if fields.is_empty() => "-".to_owned(),
        Some(Value::Object(fields)) => {
            let field = |(name, value): (&String, &Value)| format!("{name}={}", cell(Some(value)));
            fields.iter().map(field).collect::<Vec<_>>().join(" ")
        }
        Some(Value::Array(items)) => {
            items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(",")
        }
        Some(other) => other.to_string(),
    };
    // Names come from others, and terminals obey what they print.
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The fields of an object, a line each.
pub(crate) fn describe(value: &Value, json: bool) -> Result<(), Failure> {
    let mut out = Output::new();
    match value.as_object() {
        Some(fields) if !json => {
            let rows: Vec<_> =
                fields.iter().map(|(name, value)| vec![name.clone(), cell(Some(value))]).collect();
            table(&rows).iter().try_for_each(|line| out.line(line))?;
        }
        _ => out.json(value)?,
    }
    out.done()
}

/// Says a line on standard error that belongs to no result.
pub(crate) fn note(text: impl Display) {
    // Whether anybody reads standard error is not our business.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says on standard error, in one line, why it did not work.
pub(crate) fn complain(failure: &Failure) {
    note(format_args!("oubliette: {failure}"));
}

/// Asks on the terminal before something that cannot be undone. Without a terminal, or with a
/// better reason to believe, the answer is in `yes`.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{question} needs --yes where nobody can be asked")));
    }
    let mut errors = io::stderr();
    write!(errors, "{question}: this cannot be undone. Type yes to go on: ")?;
    errors.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        Ok(())
    } else {
        Err(Failure::failed("not confirmed: nothing was done"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_line_up() {
        let row = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect();
        let lines = table(&[row(&["ID", "NAME"]), row(&["1", "jörg"]), row(&["200", ""])]);
        assert_eq!(lines, ["ID   NAME", "1    jörg", "200"]);
    }

    #[test]
    fn cells_are_one_harmless_line() {
        let show = |value: Value| cell(Some(&value));
        assert_eq!(show(json!("a\u{1b}[31m\nb")), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(show(json!({"email": 2, "us.ssn": 1})), "email=2 us.ssn=1");
        assert_eq!(show(json!(["a", 1, null])), "a,1,-");
        assert_eq!((cell(None), show(json!({}))), ("-".to_owned(), "-".to_owned()));
    }
}
