//! From a rule's pattern to the machines that run it.

pub(crate) mod gate;
mod literals;
pub(crate) mod shape;
mod signal;

use std::sync::OnceLock;

use regex_automata::hybrid::dfa::DFA;
use regex_automata::meta;
use regex_automata::nfa::thompson::{BuildError, NFA, WhichCaptures};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind, Look};

use crate::boundary::Boundary;
use crate::byteset::ByteSet;
use crate::error::{DetectError, DetectErrorKind};
use crate::lexicon::Starts;
use crate::limits::Limits;
use crate::pack::{RuleSource, RuleSyntax};
use gate::Gate;

/// A rule's pattern: what leads to its matches, and the machines that run it.
#[derive(Debug)]
pub(crate) struct Matcher {
    /// The number of the group named `value`.
    pub(crate) value_group: Option<usize>,
    pub(crate) boundary: Boundary,
    /// What the first places of a match admit, and what they do where the text starts, if that is something else.
    pub(crate) shape: Vec<ByteSet>,
    pub(crate) shape_at_start: Option<Vec<ByteSet>>,
    /// Where a match may start that starts with a letter or digit of ASCII.
    pub(crate) starts: Starts,
    /// How many digits stand in the first [`NEEDED_WITHIN`] bytes of a match at least.
    pub(crate) needed: usize,
    /// What the places behind each literal of the gate admit, until they are part of a layer.
    pub(crate) tails: Vec<Vec<ByteSet>>,
    /// How far behind the start of every match a digit stands at most, if that is near and known.
    pub(crate) digit_within: Option<usize>,
    pub(crate) forbidden_before: ByteSet,
    /// How candidates for a start are found.
    pub(crate) gate: Gate,
    /// How many bytes a match has at least and at most before what the gate leads to.
    pub(crate) lead: (usize, usize),
    /// What the first places after these admit.
    behind_lead: Option<Vec<ByteSet>>,
    /// The length of the longest match, if there is one.
    pub(crate) max_len: Option<usize>,
    /// The length of every match, if they are all as long.
    pub(crate) len: Option<usize>,
    /// An estimate of the memory taken once the machines are there, against [`Limits::compiled_bytes`].
    pub(crate) bytes: usize,
    /// Built when the first candidate turns up: most rules of most accounts never see one.
    machines: OnceLock<Box<Machines>>,
    nesting: u32,
}

/// What runs a pattern.
#[derive(Debug)]
pub(crate) struct Machines {
    /// Walked byte by byte from a candidate's start, so that what a failure cost is known.
    pub(crate) dfa: DFA,
    /// Searches the rest of a haystack, and says where the `value` group lies.
    pub(crate) regex: meta::Regex,
}

impl Matcher {
    /// Whether a match may start at `start`, by its neighbour and its first bytes: far cheaper than a walk,
    /// and mostly enough.
    pub(crate) fn may_start(&self, haystack: &[u8], start: usize) -> bool {
        let shape = match &self.shape_at_start {
            Some(shape) if start == 0 => shape,
            _ => &self.shape,
        };
        (start == 0 || !self.forbidden_before.contains(haystack[start - 1]))
            && ByteSet::all_admit(shape, haystack, start)
            && (self.boundary != Boundary::Name || self.boundary.admits_start(haystack, start))
    }

    /// The places that the gate leads to: a match's first, or those behind its lead.
    pub(crate) fn gate_shape(&self) -> &[ByteSet] {
        self.behind_lead.as_deref().unwrap_or(&self.shape)
    }

    /// How far behind the start of every match a digit stands at most, if that is so near that places can be
    /// found by it.
    pub(crate) fn digit_near(&self) -> Option<usize> {
        self.digit_within.filter(|&within| within <= gate::DIGIT_REACH)
    }

    pub(crate) fn new(source: &RuleSource, limits: &Limits) -> Result<Self, DetectError> {
        let rule = &source.syntax;
        let wrong = |mend: &str| source.place.error(DetectErrorKind::Pattern, "pattern", mend);
        if rule.pattern.len() > limits.pattern_bytes {
            let mend = format!("longer than {} bytes; split the rule", limits.pattern_bytes);
            return Err(source.place.error(DetectErrorKind::TooLarge, "pattern", &mend));
        }
        let hir =
            parse(rule, limits.nesting).map_err(|error| wrong(&reason(&error)).caused_by(error))?;
        match hir.properties().minimum_len() {
            Some(0) => return Err(wrong("matches the empty text; require at least one character")),
            None => return Err(wrong("can never match")),
            Some(_) => {}
        }
        if hir.properties().look_set().contains_word_unicode() {
            return Err(wrong(
                "a Unicode word boundary is not supported; use `boundary`, or write (?-u:\\b)",
            ));
        }
        // What the automata say of themselves does not help; the mend does.
        let mend = "compiles to more than the limit; use smaller repetitions, or (?-u) classes";
        let too_large =
            |_: Box<BuildError>| source.place.error(DetectErrorKind::TooLarge, "pattern", mend);
        let nfa = automaton(&hir, Some(limits.pattern_compiled_bytes)).map_err(too_large)?;
        let shape = shape::of(&nfa, false);
        let at_start = shape::of(&nfa, true);
        let prefix = hir.properties().look_set_prefix();
        let at_word = rule.boundary().forbids_word_before()
            || [Look::WordAscii, Look::WordStartAscii, Look::WordStartHalfAscii]
                .into_iter()
                .any(|look| prefix.contains(look));
        let mut forbidden_before = rule.boundary().forbidden_before();
        let word = Boundary::Word.forbidden_before();
        let begins_word = shape.first().is_some_and(|set| set.minus(word) == ByteSet::EMPTY);
        if at_word && begins_word {
            forbidden_before = forbidden_before.union(word);
        }
        let mut starts = match rule.boundary() {
            _ if at_word => Starts::Word,
            Boundary::Name => Starts::Name,
            _ => Starts::Anywhere,
        };
        let mut gate = gate::choose(&hir, &nfa, &shape, rule, starts);
        let mut lead = (0, 0);
        let mut behind_lead = None;
        let mut led = None;
        if matches!(gate, Gate::Open | Gate::Shape | Gate::Keywords)
            && let Some((min, max, rest)) = gate::split_lead(&hir)
        {
            let rest_nfa = automaton(&rest, None).map_err(too_large)?;
            let rest_shape = shape::of(&rest_nfa, false);
            let better = gate::choose(&rest, &rest_nfa, &rest_shape, rule, Starts::Anywhere);
            if matches!(
                better,
                Gate::Prefix(_) | Gate::Inner { .. } | Gate::InnerShape { .. } | Gate::Shape
            ) {
                (gate, lead, behind_lead) = (better, (min, max), Some(rest_shape));
                led = Some(rest_nfa);
                starts = Starts::Anywhere;
            }
        }
        let properties = hir.properties();
        let digit_within = match gate {
            Gate::Digits { .. } | Gate::Digit { .. } | Gate::Inner { .. } => {
                signal::digit(&nfa, gate::DIGIT_REACH)
            }
            Gate::Prefix(_) | Gate::Keywords => {
                let of_value = properties.maximum_len().filter(|_| rule.min_digits > 0);
                signal::digit(&nfa, FAR_DIGIT).or(of_value)
            }
            _ => None,
        };
        let is_near = properties.maximum_len().is_some_and(|len| len <= NEEDED_WITHIN);
        let of_value = if is_near { rule.min_digits as usize } else { 0 };
        let needed = signal::digits_within(&hir, NEEDED_WITHIN).max(of_value);
        let tails = match &gate {
            Gate::Prefix(literals) => {
                let nfa = led.as_ref().unwrap_or(&nfa);
                literals.iter().map(|literal| shape::behind(nfa, literal)).collect()
            }
            Gate::Inner { literals, tail, .. } => vec![tail.clone(); literals.len()],
            _ => Vec::new(),
        };
        Ok(Self {
            value_group: value_group(&hir),
            boundary: rule.boundary(),
            forbidden_before,
            starts,
            tails,
            needed,
            digit_within,
            gate,
            lead,
            behind_lead,
            max_len: properties.maximum_len(),
            len: properties.minimum_len().filter(|&len| properties.maximum_len() == Some(len)),
            shape_at_start: Some(at_start).filter(|at_start| *at_start != shape),
            shape,
            // The automaton once for each of the two machines, its reverse, and what it grows into.
            bytes: 4 * nfa.memory_usage(),
            machines: OnceLock::new(),
            nesting: limits.nesting,
        })
    }

    /// The machines of `rule`, which is the one this was made from.
    pub(crate) fn machines(&self, rule: &RuleSyntax) -> &Machines {
        self.machines.get_or_init(|| Box::new(Machines::new(rule, self.nesting)))
    }
}

impl Machines {
    fn new(rule: &RuleSyntax, nesting: u32) -> Self {
        const WHY: &str = "what Matcher::new compiled within a limit compiles without";
        let hir = parse(rule, nesting).expect(WHY);
        let dfa = DFA::builder()
            .configure(DFA::config().cache_capacity(CACHE_BYTES).skip_cache_capacity_check(true))
            .build_from_nfa(automaton(&hir, None).expect(WHY))
            .expect(WHY);
        let regex = meta::Builder::new()
            .configure(
                meta::Config::new()
                    .utf8_empty(false)
                    .dfa(false)
                    .onepass_size_limit(Some(ONE_PASS_BYTES))
                    .hybrid_cache_capacity(CACHE_BYTES),
            )
            .build_from_hir(&hir)
            .expect(WHY);
        Self { dfa, regex }
    }
}

/// The pattern with its boundary, if that is part of it.
fn parse(rule: &RuleSyntax, nesting: u32) -> Result<Hir, Box<regex_syntax::Error>> {
    let hir = ParserBuilder::new()
        .unicode(rule.unicode)
        .utf8(false)
        .case_insensitive(rule.case_insensitive)
        .nest_limit(nesting)
        .build()
        .parse(&rule.pattern)
        .map_err(Box::new)?;
    Ok(match rule.boundary() {
        Boundary::Word => Hir::concat(vec![
            Hir::look(Look::WordStartHalfAscii),
            hir,
            Hir::look(Look::WordEndHalfAscii),
        ]),
        _ => hir,
    })
}

fn automaton(hir: &Hir, limit: Option<usize>) -> Result<NFA, Box<BuildError>> {
    let config = NFA::config().utf8(false).which_captures(WhichCaptures::None);
    NFA::compiler().configure(config.nfa_size_limit(limit)).build_from_hir(hir).map_err(Box::new)
}

/// The number of the group named `value`.
fn value_group(hir: &Hir) -> Option<usize> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some("value") => {
            Some(capture.index as usize)
        }
        HirKind::Capture(capture) => value_group(&capture.sub),
        HirKind::Repetition(repetition) => value_group(&repetition.sub),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => subs.iter().find_map(value_group),
        _ => None,
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

/// Where digits are counted that a match must hold.
pub(crate) const NEEDED_WITHIN: usize = 72;

/// How far a digit is looked for that a match cannot do without.
const FAR_DIGIT: usize = 96;

/// The most memory one rule's lazy automaton may take in one scanner. Most stay far below: only states
/// that text has led to exist. When it is full it starts over, which costs time, never a match.
const CACHE_BYTES: usize = 256 << 10;

/// One-pass automata only serve to find the `value` group.
const ONE_PASS_BYTES: usize = 64 << 10;
