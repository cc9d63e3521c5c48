//! Saying what is wrong with a request's JSON without repeating it.

use std::fmt::{Display, Write as _};

use serde::de;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::repeatable;

/// An error of one of our own field types, in our own words.
pub(crate) fn field_error<E: de::Error>(message: impl Display) -> E {
    E::custom(format_args!("{OWN_WORDS}{message}"))
}

/// What is wrong, in one line.
///
/// Messages of serde repeat what was sent (`invalid type: string "…"`, ``unknown field `…` ``). What
/// is taken from them is only what *we* expect, which is fixed text and always comes last.
pub(crate) fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let json = error.inner();
    match json.classify() {
        // These messages are fixed texts with a line and a column.
        Category::Syntax | Category::Eof => return format!("the request is not JSON: {json}"),
        Category::Io => return "the request could not be read".to_owned(),
        Category::Data => {}
    }
    let place = format!("line {} column {}", json.line(), json.column());
    let message = json.to_string();
    let message = message.strip_suffix(&format!(" at {place}")).unwrap_or(&message);
    let field = name(error.path());
    let field = field.as_deref();

    if let Some(rest) = message.strip_prefix("unknown field `") {
        let name = rest.split('`').next().and_then(repeatable);
        let what =
            name.map_or_else(|| "unknown field".to_owned(), |n| format!("unknown field {n}"));
        let within = field.filter(|f| Some(*f) != name).map(|f| format!(" in {f}"));
        let known = expected(message).map(|known| format!(": expected {known}"));
        return format!(
            "{what}{} at {place}{}",
            within.unwrap_or_default(),
            known.unwrap_or_default()
        );
    }
    let field = field.unwrap_or("the request");
    if let Some(what) = message.strip_prefix(OWN_WORDS) {
        return format!("{field}: {what}");
    }
    for (prefix, what) in
        [("missing field `", "is missing"), ("duplicate field `", "is there twice")]
    {
        if let Some(rest) = message.strip_prefix(prefix) {
            // The names of our own fields: serde takes them from the type.
            let name = rest.split('`').next().unwrap_or_default();
            return match field {
                "the request" => format!("{name} {what}"),
                _ if field == name || field.ends_with(&format!(".{name}")) => {
                    format!("{field} {what}")
                }
                _ => format!("{field}.{name} {what}"),
            };
        }
    }
    match expected(message) {
        Some(expected) => format!("{field}: expected {expected} at {place}"),
        None => format!("{field}: not a value this field takes, at {place}"),
    }
}

/// The path to the field, if it is made of names of ours.
fn name(path: &Path) -> Option<String> {
    let mut name = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Map { key } => {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(repeatable(key)?);
            }
            Segment::Seq { index } => write!(name, "[{index}]").expect("a String takes all"),
            Segment::Enum { .. } => {}
            Segment::Unknown => return None,
        }
    }
    (!name.is_empty()).then_some(name)
}

/// What serde expected: the end of its message, written by the type and not by the caller.
fn expected(message: &str) -> Option<String> {
    let (_, expected) = message.rsplit_once(", expected ")?;
    let plain = match expected {
        "u16" => "a whole number from 0 to 65535",
        "u8" | "u32" | "u64" | "usize" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        _ if expected.starts_with("struct ") || expected.contains("tagged enum") => "an object",
        _ => expected,
    };
    Some(plain.replace('`', ""))
}

/// Marks messages of [`field_error`]. Whatever else an error says is not repeated.
const OWN_WORDS: &str = "oubliette: ";
