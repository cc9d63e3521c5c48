//! The words of a field's name.

use std::fmt;

/// A field name in several spellings, so that a keyword or context word is found in it however either is
/// written: `user.apiKey` is also `user api key`, `user_api_key` and `userapikey`.
#[derive(Default)]
pub(crate) struct FieldWords {
    name: String,
    spelt: String,
}

impl FieldWords {
    /// Takes another field's name; the last one is remembered, as arrays repeat it.
    pub(crate) fn set(&mut self, name: Option<&str>) {
        let name = name.unwrap_or_default();
        if name == self.name {
            return;
        }
        name.clone_into(&mut self.name);
        self.spelt.clear();
        // The end of a path says most, and a path may be long.
        let tail = name.char_indices().rev().nth(MAX_CHARS - 1).map_or(0, |(at, _)| at);
        let words = words(&name[tail..]);
        self.spelt.push_str(&name[tail..]);
        for joint in [" ", "_", ""] {
            self.spelt.push('\n');
            self.spelt.push_str(&words.join(joint));
        }
    }

    /// The spellings, one a line; empty without a field.
    pub(crate) fn text(&self) -> &str {
        &self.spelt
    }
}

/// Names of fields are part of a body.
impl fmt::Debug for FieldWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldWords").finish_non_exhaustive()
    }
}

const MAX_CHARS: usize = 128;

fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous = ' ';
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() {
            let next_is_lower = chars.peek().is_some_and(|next| next.is_lowercase());
            let hump = c.is_uppercase()
                && (previous.is_lowercase() || previous.is_numeric() || next_is_lower);
            match words.last_mut() {
                Some(word) if previous.is_alphanumeric() && !hump => word.extend(c.to_lowercase()),
                _ => words.push(c.to_lowercase().collect()),
            }
        }
        previous = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_where_people_join_them() {
        assert_eq!(words("user.ssnNumber"), ["user", "ssn", "number"]);
        assert_eq!(words("AWS_SECRET-key"), ["aws", "secret", "key"]);
        assert_eq!(words("userSSNValue2"), ["user", "ssn", "value2"]);
        assert_eq!(words("messages[0].content"), ["messages", "0", "content"]);
        assert!(words("..").is_empty());
    }

    #[test]
    fn a_new_name_replaces_the_old_one() {
        let mut field = FieldWords::default();
        field.set(Some("apiKey"));
        assert_eq!(field.text(), "apiKey\napi key\napi_key\napikey");
        field.set(None);
        assert!(field.text().trim().is_empty());
        field.set(Some(&"é".repeat(1000)));
        assert!(field.text().len() <= 8 * MAX_CHARS + 3);
    }
}
