//! What leads the scanner to a rule's matches, for people who write rules.

use std::fmt;

use crate::compile::gate::Gate;
use crate::finding::RuleIndex;
use crate::ruleset::RuleSet;

/// What leads to the matches of a rule: only there is its pattern run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Anchor {
    /// Every match starts with one of these, in any case.
    Prefix(Vec<String>),
    /// Every match holds one of these, in any case.
    Literal(Vec<String>),
    /// The rule's keywords.
    Keywords,
    /// The rule's context words, in scans for what only these can raise far enough.
    Context,
    /// The first bytes of a match are of a kind that text seldom has.
    Shape,
    /// Another sign, in words: `a run of six digits`.
    Sign(&'static str),
    /// The first bytes of its terms.
    Terms,
    /// Nothing: the pattern is searched for in every text.
    Nothing,
}

/// A few words: `starts with "ghp_"`.
impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |literals: &[String]| {
            let shown: Vec<String> = literals.iter().take(3).map(|l| format!("{l:?}")).collect();
            let more = if literals.len() > 3 { ", …" } else { "" };
            shown.join(", ") + more
        };
        match self {
            Self::Prefix(literals) => write!(f, "starts with {}", list(literals)),
            Self::Literal(literals) => write!(f, "holds {}", list(literals)),
            Self::Keywords => f.write_str("keywords"),
            Self::Context => f.write_str("context words"),
            Self::Shape => f.write_str("rare first bytes"),
            Self::Sign(sign) => f.write_str(sign),
            Self::Terms => f.write_str("first bytes of terms"),
            Self::Nothing => f.write_str("none: searched for in every text"),
        }
    }
}

impl RuleSet {
    /// What leads to the rule's matches.
    ///
    /// # Panics
    ///
    /// If the index comes from another, larger set.
    #[must_use]
    pub fn anchor(&self, rule: RuleIndex) -> Anchor {
        let layers = self.layers().iter().rev();
        let of_terms = self.terms().iter().any(|based| {
            let rules = u32::try_from(based.layer.rules.len()).unwrap_or(u32::MAX);
            (based.base..based.base.saturating_add(rules)).contains(&rule.0)
        });
        if of_terms {
            return Anchor::Terms;
        }
        let based = layers.into_iter().find(|based| based.base <= rule.0);
        let based = based.expect("a rule without terms is in a layer");
        let with = &based.layer.rules[(rule.0 - based.base) as usize];
        let texts = |literals: &[Vec<u8>]| {
            literals.iter().map(|literal| String::from_utf8_lossy(literal).into_owned()).collect()
        };
        match &with.matcher.gate {
            _ if with.is_weak => Anchor::Context,
            gate @ (Gate::Digits { .. }
            | Gate::Digit { .. }
            | Gate::Token { .. }
            | Gate::TokenByKeyword { .. }) => Anchor::Sign(gate.describe()),
            Gate::Prefix(literals) => Anchor::Prefix(texts(literals)),
            Gate::Inner { literals, .. } => Anchor::Literal(texts(literals)),
            Gate::InnerShape { .. } => Anchor::Literal(vec![":".to_owned()]),
            Gate::Keywords => Anchor::Keywords,
            Gate::Shape => Anchor::Shape,
            Gate::Start => Anchor::Sign(Gate::Start.describe()),
            Gate::Open => Anchor::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Pack, RuleSet};

    #[test]
    fn each_kind_of_sign_has_words() {
        let cases = [
            ("pattern = 'ghp_[a-z]{9}'", "starts with \"ghp_\""),
            ("pattern = '[a-z]+@x'", "holds \"@x\""),
            ("pattern = '[a-z]{9}'\nkeywords = ['key']", "keywords"),
            ("pattern = '[0-9]{9}'", "a run of six digits"),
            ("pattern = '[A-Z]{2}[0-9]{2}[A-Z]'", "a digit and its first characters"),
            ("pattern = '[A-Z]{4}'", "rare first bytes"),
            (
                "pattern = '0x[0-9a-f]{40}'",
                "a token of sixteen characters and its first characters",
            ),
            (
                "pattern = '[0-9a-f]{32}'\nkeywords = ['key']\nmin_digits = 1",
                "a token of sixteen characters with a digit near a keyword",
            ),
            ("pattern = '\\A[a-z]+'", "the start of the text"),
            ("pattern = '[a-z ]+'", "none: searched for in every text"),
            ("terms = ['a']", "first bytes of terms"),
        ];
        let mut text = "pack = 't'\n".to_owned();
        for (number, (fields, _)) in cases.iter().enumerate() {
            text += &format!(
                "[[rule]]\nid = 't.{number}'\nentity = 'T'\ncategory = 'pii'\nscore = 1\n{fields}\n"
            );
        }
        let pack = Pack::from_toml("t", &text).unwrap();
        let rules = RuleSet::builder().standard().pack(pack).build().unwrap();
        for (number, (_, words)) in cases.iter().enumerate() {
            let (index, _) = rules.rule_by_id(&format!("t.{number}")).unwrap();
            assert!(rules.anchor(index).to_string().starts_with(words), "{words}");
        }
    }
}
