//! JSON as it lies in the bytes: a lexer that builds no tree, and strings that remember where each
//! decoded byte came from.
//!
//! A document is never parsed and written again. Edits are spliced into the original bytes, so
//! number formats, white space, key order and duplicate keys survive untouched.

pub(crate) mod lex;
pub(crate) mod string;

pub(crate) use lex::{Ignore, Lexed, Path, Visit, lex, opening, paths_to};
pub(crate) use string::{Decoded, OffsetMap, decode, escape_into, whole_escapes};
