//! Short texts that were scanned before and hold nothing: the same names and labels stand in every event of a
//! stream, and a scan of five bytes costs nearly what one of fifty does.

use std::collections::HashSet;

use crate::pseudonyms::Value;

/// Texts with the fields they stood in. Lives as long as an exchange and is wiped with it.
#[derive(Default)]
pub(crate) struct Memo {
    clean: HashSet<Value>,
    key: Vec<u8>,
}

/// Longer texts are rarely said twice.
const LONGEST: usize = 96;

/// So many are remembered: some hundred kilobytes.
const MOST: usize = 2048;

impl Memo {
    /// Whether this text has been seen to hold nothing in this field.
    pub(crate) fn knows(&mut self, text: &[u8], field: Option<&str>) -> bool {
        self.fill_key(text, field) && self.clean.contains(&self.key[..])
    }

    /// Remembers that the text that was just asked for holds nothing.
    pub(crate) fn learn(&mut self, text: &[u8], field: Option<&str>) {
        if self.clean.len() < MOST && self.fill_key(text, field) {
            self.clean.insert(Value::new(&self.key));
        }
    }

    fn fill_key(&mut self, text: &[u8], field: Option<&str>) -> bool {
        let field = field.unwrap_or_default();
        if text.len() + field.len() > LONGEST {
            return false;
        }
        self.key.clear();
        self.key.push(u8::try_from(field.len()).expect("not longer than the longest"));
        self.key.extend_from_slice(field.as_bytes());
        self.key.extend_from_slice(text);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_in_its_field_only() {
        let mut memo = Memo::default();
        assert!(!memo.knows(b"user", Some("role")));
        memo.learn(b"user", Some("role"));
        assert!(memo.knows(b"user", Some("role")));
        for (text, field) in [(&b"user"[..], None), (b"euser", Some("rol")), (b"use", Some("role"))]
        {
            assert!(!memo.knows(text, field));
        }
        let long = [b'x'; LONGEST + 1];
        memo.learn(&long, None);
        assert!(!memo.knows(&long, None));
    }
}
