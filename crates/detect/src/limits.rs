//! How large a rule set may grow. Rules may come from strangers.

/// Limits on the packs of one rule set beside the standard ones.
///
/// Patterns run in time linear in the haystack whatever they are; these keep compiling and memory bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The number of rules outside the standard packs.
    pub rules: usize,
    /// The length of one pattern as written.
    pub pattern_bytes: usize,
    /// The size of one pattern's automaton.
    pub pattern_compiled_bytes: usize,
    /// The size of all compiled rules outside the standard packs together.
    pub compiled_bytes: usize,
    /// How deep groups and repetitions may nest.
    pub nesting: u32,
    /// The number of keywords, of context words and of negative context words, each, of one rule.
    pub words: usize,
    /// The bytes of all keywords and context words outside the standard packs together.
    pub word_bytes: usize,
    /// The number of terms of all rules and allow lists outside the standard packs together.
    pub terms: usize,
    /// The bytes of all these terms together.
    pub term_bytes: usize,
    /// The number of patterns in all allow lists outside the standard packs together.
    pub allow_patterns: usize,
}

impl Default for Limits {
    /// Well above what any standard rule needs, well below what would hurt.
    fn default() -> Self {
        Self {
            rules: 1_000,
            pattern_bytes: 8 << 10,
            pattern_compiled_bytes: 2 << 20,
            compiled_bytes: 64 << 20,
            nesting: 64,
            words: 200,
            word_bytes: 128 << 10,
            terms: 50_000,
            term_bytes: 2 << 20,
            allow_patterns: 1_000,
        }
    }
}

impl Limits {
    /// For packs whose number one is sure of, as of the embedded ones; what a single rule may cost stays limited.
    pub(crate) fn of_trusted_packs() -> Self {
        Self {
            rules: usize::MAX,
            compiled_bytes: usize::MAX,
            word_bytes: usize::MAX,
            ..Self::default()
        }
    }
}
