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

/// For checks that random text of the same shape fails nearly always.
pub(crate) fn valid_if(holds: bool) -> Verdict {
    if holds { Verdict::Valid } else { Verdict::Invalid }
}

/// For checks that too much else passes: what survives is left to the words around it.
pub(crate) fn unknown_if(holds: bool) -> Verdict {
    if holds { Verdict::Unknown } else { Verdict::Invalid }
}

/// A check by name, given the bytes of the finding's span. It must take time linear in their number and
/// must not panic on any of them.
pub(crate) type Validator = fn(&[u8]) -> Verdict;

/// Asserts a validator's verdict on each case.
#[cfg(test)]
pub(crate) fn all(validate: Validator, want: Verdict, cases: &[&str]) {
    for case in cases {
        assert_eq!(validate(case.as_bytes()), want, "{case}");
    }
}
