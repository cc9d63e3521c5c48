//! The embedded packs do what they say.

use oubliette_detect::lint::{self, Severity};
use oubliette_detect::{Pack, RuleSet, standard_packs};

fn packs() -> Vec<Pack> {
    standard_packs()
        .iter()
        .map(|(name, text)| Pack::from_toml(name, text).unwrap_or_else(|error| panic!("{error}")))
        .collect()
}

#[test]
fn every_example_of_every_rule_holds() {
    let problems = lint::check(&packs());
    let errors: Vec<String> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    assert!(errors.is_empty(), "{} problems:\n{}", errors.len(), errors.join("\n"));
}

#[test]
fn the_standard_set_holds_all_packs_in_order() {
    let ids: Vec<String> = packs().iter().map(|pack| pack.id().to_owned()).collect();
    let rules = RuleSet::standard();
    let mut seen: Vec<&str> = rules.rules().iter().map(|rule| rule.pack()).collect();
    seen.dedup();
    assert_eq!(seen, ids);
}
