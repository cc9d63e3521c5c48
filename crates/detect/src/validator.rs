//! What a validator says about a match that a pattern alone cannot decide.

/// The answer of a validator: a check digit, a registry of prefixes, an entropy test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The text cannot be what the rule looks for: the match is dropped.
    Invalid,
    /// Nothing speaks for or against: the rule's score stands.
    Unknown,
    /// A check held that random text fails nearly always: the score becomes 1.
    Valid,
}

/// A check by name, given the bytes of the finding's span. It must take time linear in their number and
/// must not panic on any of them.
pub(crate) type Validator = fn(&[u8]) -> Verdict;
