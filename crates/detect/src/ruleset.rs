//! Rule sets: packs, compiled and named.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::allow::Allow;
use crate::digest::RuleSetDigest;
use crate::error::{DetectError, DetectErrorKind};
use crate::finding::RuleIndex;
use crate::layer::Layer;
use crate::limits::Limits;
use crate::pack::Pack;
use crate::rule::Rule;
use crate::terms::TermLayer;

/// Compiled rules. Cheap to clone, shared between threads; a [`Scanner`](crate::Scanner) runs it.
///
/// The standard packs are compiled once in a process and shared by every set that builds upon them:
/// thousands of accounts with rules of their own cost only those.
#[derive(Debug, Clone)]
pub struct RuleSet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rules: Vec<Rule>,
    layers: Vec<BasedLayer>,
    terms: Vec<BasedTerms>,
    allow: Option<Allow>,
    digest: RuleSetDigest,
}

/// A layer and the index of its first rule in the set.
#[derive(Debug, Clone)]
pub(crate) struct BasedLayer {
    pub(crate) base: u32,
    pub(crate) layer: Arc<Layer>,
}

/// The same for rules of terms.
#[derive(Debug, Clone)]
pub(crate) struct BasedTerms {
    pub(crate) base: u32,
    pub(crate) layer: Arc<TermLayer>,
}

impl RuleSet {
    /// The embedded packs.
    #[must_use]
    pub fn standard() -> Self {
        static STANDARD: LazyLock<RuleSet> = LazyLock::new(|| {
            let packs = STANDARD_PACKS.iter().map(|(name, text)| Pack::from_toml(name, text));
            let packs = packs.collect::<Result<Vec<_>, _>>();
            packs
                .and_then(|packs| assemble(&[], &packs, &Limits::of_trusted_packs()))
                .expect("the embedded packs compile: tests/standard.rs checks each of them")
        });
        STANDARD.clone()
    }

    /// A builder of a set of one's own, empty so far.
    #[must_use]
    pub fn builder() -> RuleSetBuilder {
        RuleSetBuilder::default()
    }

    /// The digest that names the set.
    #[must_use]
    pub fn digest(&self) -> &RuleSetDigest {
        &self.0.digest
    }

    /// All rules; an earlier one wins a tie. Among those that were added together, rules of terms come last.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.0.rules
    }

    /// The rule of a finding.
    ///
    /// # Panics
    ///
    /// If the index comes from another, larger set.
    #[must_use]
    pub fn rule(&self, index: RuleIndex) -> &Rule {
        &self.0.rules[index.0 as usize]
    }

    /// The rule with this id.
    #[must_use]
    pub fn rule_by_id(&self, id: &str) -> Option<(RuleIndex, &Rule)> {
        let at = self.0.rules.iter().position(|rule| rule.id() == id)?;
        Some((RuleIndex(u32::try_from(at).ok()?), &self.0.rules[at]))
    }

    pub(crate) fn terms(&self) -> &[BasedTerms] {
        &self.0.terms
    }

    pub(crate) fn allow(&self) -> Option<&Allow> {
        self.0.allow.as_ref()
    }

    pub(crate) fn layers(&self) -> &[BasedLayer] {
        &self.0.layers
    }
}

/// Puts packs together. Packs may come from strangers; see [`Limits`].
#[derive(Debug, Clone, Default)]
pub struct RuleSetBuilder {
    standard: bool,
    packs: Vec<Pack>,
    limits: Limits,
}

impl RuleSetBuilder {
    /// Takes the standard packs in, before all others.
    #[must_use]
    pub fn standard(mut self) -> Self {
        self.standard = true;
        self
    }

    /// Adds a pack after those added so far.
    #[must_use]
    pub fn pack(mut self, pack: Pack) -> Self {
        self.packs.push(pack);
        self
    }

    /// Sets other limits than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Compiles the set.
    ///
    /// # Errors
    ///
    /// [`Pattern`](DetectErrorKind::Pattern) if one is no linear-time regular expression or can match the
    /// empty text, [`TooLarge`](DetectErrorKind::TooLarge) beyond the limits,
    /// [`Duplicate`](DetectErrorKind::Duplicate) if two rules share an id, [`Syntax`](DetectErrorKind::Syntax) if
    /// an allow list names a rule that is not there.
    pub fn build(self) -> Result<RuleSet, DetectError> {
        if !self.standard {
            return assemble(&[], &self.packs, &self.limits);
        }
        let standard = RuleSet::standard();
        if self.packs.is_empty() {
            return Ok(standard);
        }
        assemble(&[standard], &self.packs, &self.limits)
    }
}

/// The embedded packs, as file name and text, in the order in which they are compiled.
#[must_use]
pub fn standard_packs() -> &'static [(&'static str, &'static str)] {
    STANDARD_PACKS
}

static STANDARD_PACKS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/standard_packs.rs"));

/// Lays `packs`, compiled as one layer, on top of sets that are compiled already.
pub(crate) fn assemble(
    below: &[RuleSet],
    packs: &[Pack],
    limits: &Limits,
) -> Result<RuleSet, DetectError> {
    // Of the right size at once: ten thousand accounts each hold one, and a vector that grows leaves a hole behind.
    let inherited: usize = below.iter().map(|set| set.rules().len()).sum();
    let mut rules: Vec<Rule> =
        Vec::with_capacity(inherited + packs.iter().map(Pack::len).sum::<usize>());
    rules.extend(below.iter().flat_map(|set| set.rules().iter().cloned()));
    let mut layers: Vec<BasedLayer> = below.iter().flat_map(|set| set.layers().to_vec()).collect();
    let mut terms: Vec<BasedTerms> = below.iter().flat_map(|set| set.terms().to_vec()).collect();
    let base = rules.len();
    for of_terms in [false, true] {
        for pack in packs {
            for source in pack.rules().iter().filter(|rule| rule.syntax.is_of_terms() == of_terms) {
                rules.push(Rule::new(pack, source)?);
            }
        }
    }
    let own = &rules[base..];
    if own.len() > limits.rules {
        return Err(DetectError::new(
            DetectErrorKind::TooLarge,
            format!("{} rules, but at most {} may be added", own.len(), limits.rules),
        ));
    }
    check_unique(&rules)?;
    let place = |index: usize| u32::try_from(index).expect("limits keep rules few");
    let first_of_terms = own.partition_point(|rule| !rule.syntax().is_of_terms());
    let (patterns, of_terms) = own.split_at(first_of_terms);
    if !patterns.is_empty() {
        let layer = Arc::new(Layer::new(patterns, limits)?);
        layers.push(BasedLayer { base: place(base), layer });
    }
    if !of_terms.is_empty() {
        let layer = Arc::new(TermLayer::new(of_terms, limits)?);
        terms.push(BasedTerms { base: place(base + first_of_terms), layer });
    }
    let lists = below.iter().filter_map(RuleSet::allow);
    let allow = Allow::new(lists, packs, &rules, base, limits)?;
    let digest = RuleSetDigest::of(&rules, allow.as_ref());
    Ok(RuleSet(Arc::new(Inner { rules, layers, terms, allow, digest })))
}

fn check_unique(rules: &[Rule]) -> Result<(), DetectError> {
    let mut seen: HashMap<&str, &Rule> = HashMap::new();
    for rule in rules {
        if let Some(other) = seen.insert(rule.id(), rule) {
            let place = &other.source().place;
            let mend = format!("stands already in {}:{}", place.source(), place.line());
            return Err(rule.source().place.error(DetectErrorKind::Duplicate, "id", &mend));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
