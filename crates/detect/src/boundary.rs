//! What may stand directly before and after a match.

use serde::Deserialize;

use crate::byteset::ByteSet;

/// The neighbours a rule tolerates at both ends of its whole match (not of its `value` group).
///
/// Look-around in the pattern could say the same, but not in linear time, and not as something the
/// anchors can use: a forbidden neighbour before a match dismisses a candidate for the price of one load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Boundary {
    /// Anything.
    #[default]
    None,
    /// No `[A-Za-z0-9_]` on either side. Part of the pattern: if its preferred match ends inside a word,
    /// the pattern may still match shorter or longer.
    Word,
    /// No `[0-9]` on either side. Checked after the match.
    Digit,
    /// Before it no `[A-Za-z0-9]`, unless a capital follows what is none: where the names that people put
    /// names of variables together from begin, as `github` does in `MY_GITHUB_KEY` and `myGithubKey`. Anything after
    /// it. Checked before the match.
    Name,
    /// No `[A-Za-z0-9_+/-]` on either side and no `=` after it (before it, `=` is an assignment). For
    /// unprefixed base64 and hex. Checked after the match.
    Token,
}

impl Boundary {
    /// The name as rule packs write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Word => "word",
            Self::Digit => "digit",
            Self::Name => "name",
            Self::Token => "token",
        }
    }

    /// The bytes that may not stand before a match, whatever it starts with.
    pub(crate) fn forbidden_before(self) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        match self {
            // Of a name, the neighbour alone does not tell.
            Self::None | Self::Name => {}
            Self::Digit => set.insert_range(b'0', b'9'),
            Self::Word | Self::Token => {
                set.insert_range(b'0', b'9');
                set.insert_range(b'a', b'z');
                set.insert_range(b'A', b'Z');
                set.insert(b'_');
            }
        }
        if self == Self::Token {
            b"+/-".iter().for_each(|&b| set.insert(b));
        }
        set
    }

    /// Whether no letter or digit of ASCII may stand before a match.
    pub(crate) fn forbids_word_before(self) -> bool {
        matches!(self, Self::Word | Self::Token)
    }

    /// Whether a match may start at `at`.
    pub(crate) fn admits_start(self, haystack: &[u8], at: usize) -> bool {
        let Some(before) = at.checked_sub(1).map(|before| haystack[before]) else { return true };
        match self {
            Self::Name => {
                let first = haystack.get(at).copied().unwrap_or_default();
                let is_hump = first.is_ascii_uppercase() && !before.is_ascii_uppercase();
                !before.is_ascii_alphanumeric() || is_hump
            }
            _ => !self.forbids(before),
        }
    }

    /// Whether a match may end before `at`.
    pub(crate) fn admits_end(self, haystack: &[u8], at: usize) -> bool {
        match haystack.get(at) {
            Some(&next) => !(self.forbids(next) || (self == Self::Token && next == b'=')),
            None => true,
        }
    }

    fn forbids(self, neighbour: u8) -> bool {
        match self {
            Self::None | Self::Name => false,
            Self::Word => neighbour.is_ascii_alphanumeric() || neighbour == b'_',
            Self::Digit => neighbour.is_ascii_digit(),
            Self::Token => neighbour.is_ascii_alphanumeric() || b"_+/-".contains(&neighbour),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Boundary::{self, Digit, Name, None, Token, Word};

    #[test]
    fn the_set_and_the_check_agree() {
        for boundary in [None, Word, Digit, Token] {
            let set = boundary.forbidden_before();
            for byte in 0..=255u8 {
                assert_eq!(set.contains(byte), !boundary.admits_start(&[byte, b'x'], 1));
            }
        }
    }

    #[test]
    fn an_equals_sign_ends_a_token_only_in_front() {
        assert!(Token.admits_start(b"=x", 1));
        assert!(!Token.admits_end(b"x=", 1));
        let edges =
            |boundary: Boundary| boundary.admits_start(b"x", 0) && boundary.admits_end(b"x", 1);
        assert!([None, Word, Digit, Name, Token].into_iter().all(edges));
    }

    #[test]
    fn names_begin_at_words_and_humps() {
        for (text, begins) in [
            ("a_key", true),
            ("aKey", true),
            ("a1Key", true),
            ("AKey", false),
            ("a1key", false),
            ("akey", false),
            ("é-key", true),
        ] {
            let at = text.len() - 3;
            assert_eq!(Name.admits_start(text.as_bytes(), at), begins, "{text}");
        }
    }
}
