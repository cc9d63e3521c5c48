//! From a rule's pattern to the machines that run it.

pub(crate) mod gate;
mod shape;

use regex_automata::hybrid::dfa::DFA;
use regex_automata::meta;
use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_automata::util::primitives::PatternID;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};

use crate::boundary::Boundary;
use crate::byteset::ByteSet;
use crate::error::{DetectError, DetectErrorKind};
use crate::limits::Limits;
use crate::pack::RuleSource;
use gate::Gate;

/// A pattern, ready to run from a given start (`dfa`) or to be searched for (`regex`).
#[derive(Debug)]
pub(crate) struct Matcher {
    /// Walked byte by byte from a candidate's start, so that what a failure cost is known.
    pub(crate) dfa: DFA,
    /// Searches the rest of a haystack, and says where the `value` group lies.
    pub(crate) regex: meta::Regex,
    /// The number of the group named `value`.
    pub(crate) value_group: Option<usize>,
    pub(crate) boundary: Boundary,
    /// What the first places of a match admit.
    pub(crate) shape: Vec<ByteSet>,
    /// Whether text seldom has that shape.
    pub(crate) is_seldom: bool,
    forbidden_before: ByteSet,
    /// How candidates for a start are found.
    pub(crate) gate: Gate,
    /// The length of the longest match, if there is one.
    pub(crate) max_len: Option<usize>,
    /// An estimate of the memory taken, against [`Limits::compiled_bytes`].
    pub(crate) bytes: usize,
}

impl Matcher {
    /// Whether a match may start at `start`, by its neighbour and its first bytes: far cheaper than a walk,
    /// and mostly enough.
    pub(crate) fn may_start(&self, haystack: &[u8], start: usize) -> bool {
        let window = haystack.get(start..start + self.shape.len());
        let fits = |window: &[u8]| self.shape.iter().zip(window).all(|(set, &b)| set.contains(b));
        window.is_some_and(fits)
            && (start == 0 || !self.forbidden_before.contains(haystack[start - 1]))
    }

    pub(crate) fn new(source: &RuleSource, limits: &Limits) -> Result<Self, DetectError> {
        let rule = &source.syntax;
        let wrong = |mend: &str| source.place.error(DetectErrorKind::Pattern, "pattern", mend);
        if rule.pattern.len() > limits.pattern_bytes {
            let mend = format!("longer than {} bytes; split the rule", limits.pattern_bytes);
            return Err(source.place.error(DetectErrorKind::TooLarge, "pattern", &mend));
        }
        let hir = ParserBuilder::new()
            .unicode(rule.unicode)
            .utf8(false)
            .case_insensitive(rule.case_insensitive)
            .nest_limit(limits.nesting)
            .build()
            .parse(&rule.pattern)
            .map_err(|error| wrong(&reason(&error)).caused_by(error))?;
        match hir.properties().minimum_len() {
            Some(0) => return Err(wrong("matches the empty text; require at least one character")),
            None => return Err(wrong("can never match")),
            Some(_) => {}
        }
        let looks = hir.properties().look_set();
        if looks.contains_word_unicode() {
            return Err(wrong(
                "a Unicode word boundary is not supported; use `boundary`, or write (?-u:\\b)",
            ));
        }
        let hir = match rule.boundary() {
            Boundary::Word => Hir::concat(vec![
                Hir::look(Look::WordStartHalfAscii),
                hir,
                Hir::look(Look::WordEndHalfAscii),
            ]),
            _ => hir,
        };

        // What the automata say of themselves does not help; the mend does.
        // What the automata say of themselves does not help; the mend does.
        let mend = "compiles to more than the limit; use smaller repetitions, or (?-u) classes";
        let too_large = || source.place.error(DetectErrorKind::TooLarge, "pattern", mend);
        let nfa = NFA::compiler()
            .configure(
                NFA::config()
                    .utf8(false)
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(limits.pattern_compiled_bytes)),
            )
            .build_from_hir(&hir)
            .map_err(|_| too_large())?;
        let regex = meta::Builder::new()
            .configure(
                meta::Config::new()
                    .utf8_empty(false)
                    .dfa(false)
                    .nfa_size_limit(Some(2 * limits.pattern_compiled_bytes))
                    .onepass_size_limit(Some(ONE_PASS_BYTES))
                    .hybrid_cache_capacity(CACHE_BYTES),
            )
            .build_from_hir(&hir)
            .map_err(|_| too_large())?;
        let max_len = hir.properties().maximum_len();
        let value_group = regex.group_info().to_index(PatternID::ZERO, "value");
        let shape = shape::of(&nfa);
        let bytes = nfa.memory_usage() + regex.memory_usage();
        let gate = gate::choose(&hir, &shape, rule);
        Ok(Self {
            dfa: DFA::builder()
                .configure(
                    DFA::config().cache_capacity(CACHE_BYTES).skip_cache_capacity_check(true),
                )
                .build_from_nfa(nfa)
                .map_err(|_| too_large())?,
            regex,
            value_group,
            boundary: rule.boundary(),
            forbidden_before: rule.boundary().forbidden_before(),
            is_seldom: gate::is_seldom(&shape, rule.boundary()),
            shape,
            gate,
            max_len,
            bytes,
        })
    }
}

/// What is wrong with a pattern, in one line and without the pattern.
pub(crate) fn reason(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => {
            format!("{} at character {}", error.kind(), error.span().start.offset)
        }
        regex_syntax::Error::Translate(error) => {
            format!("{} at character {}", error.kind(), error.span().start.offset)
        }
        _ => "not a regular expression".to_owned(),
    }
}

/// The most memory one rule's lazy automaton may take in one scanner. Most stay far below: only states
/// that text has led to exist. When it is full it starts over, which costs time, never a match.
const CACHE_BYTES: usize = 256 << 10;

/// One-pass automata only serve to find the `value` group.
const ONE_PASS_BYTES: usize = 64 << 10;
