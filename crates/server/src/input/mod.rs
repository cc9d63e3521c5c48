//! Reading what callers send: bodies, fields, queries and paths.
//!
//! Messages name what is wrong by position and by the names of our own fields, never by the value
//! that was sent: a caller that mixes up two fields must not find a body in its log.

pub(crate) mod base64;
pub(crate) mod explain;
pub(crate) mod fields;
pub(crate) mod json;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod time;

/// A name from a request, fit to be repeated: lower case words and underscores, as our own field
/// names are.
///
/// People's names and addresses, keys and numbers do not look like that. A misspelt field does, and
/// naming it is what helps most.
pub(crate) fn repeatable(name: &str) -> Option<&str> {
    // Our one name with digits.
    let words = name.strip_suffix("_b64").unwrap_or(name);
    let plain = words.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    (plain && (1..=32).contains(&name.len())).then_some(name)
}
