//! `oubliette rules`.

use oubliette_detect::lint::{self, Severity};
use oubliette_detect::{Pack, standard_packs};
use serde_json::json;

use crate::cli::{PackArguments, RulesCommand, Shown};
use crate::config::Settings;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, Listing, Output};
use crate::rules::{pack_files, rule_set};

pub(super) fn run(settings: &Settings, command: &RulesCommand) -> Result<Outcome, Failure> {
    match command {
        RulesCommand::Check { packs, alone } => check(settings, packs, *alone),
        RulesCommand::Import { from, file, output } => {
            super::import::run(*from, file, output.as_deref())
        }
        RulesCommand::Test { packs, files, rounds, shown } => {
            super::try_rules::run(packs, files, *rounds, *shown)
        }
        RulesCommand::List { packs, shown } => list(settings, packs, *shown),
    }
}

fn check(settings: &Settings, arguments: &PackArguments, alone: bool) -> Result<Outcome, Failure> {
    let standard = standard_packs().iter().filter(|_| !alone);
    let files = pack_files(settings, &arguments.packs)?;
    let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let mut packs = Vec::new();
    let mut problems = Vec::new();
    let mut errors = 0;
    for (name, text) in standard.copied().chain(files) {
        match Pack::from_toml(name, text) {
            Ok(pack) => packs.push(pack),
            Err(error) => {
                problems.push(error.to_string());
                errors += 1;
            }
        }
    }
    let mut found = lint::check(&packs);
    // Errors before notes, in the order in which they stand.
    found.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    errors += found.iter().filter(|problem| problem.severity == Severity::Error).count();
    problems.extend(found.iter().map(ToString::to_string));

    let mut out = Output::new();
    problems.iter().try_for_each(|problem| out.line(problem))?;
    out.line(format_args!(
        "{} in {}: {}, {}",
        counted(packs.iter().map(Pack::len).sum(), "rule"),
        counted(packs.len(), "pack"),
        counted(errors, "error"),
        counted(problems.len() - errors, "note"),
    ))?;
    out.done()?;
    Ok(if errors == 0 { Outcome::Fine } else { Outcome::Problems })
}

const COLUMNS: &[Column] = &[
    ("RULE", "/id"),
    ("ENTITY", "/entity"),
    ("CATEGORY", "/category"),
    ("SCORE", "/score"),
    ("DESCRIPTION", "/description"),
];

fn list(settings: &Settings, arguments: &PackArguments, shown: Shown) -> Result<Outcome, Failure> {
    let rules = rule_set(settings, &arguments.packs)?;
    let mut listing = Listing::new(COLUMNS, shown.json);
    for rule in rules.rules() {
        listing.row(&json!({
            "id": rule.id(),
            "pack": rule.pack(),
            "entity": rule.entity(),
            "category": rule.category(),
            // Through the shortest decimal: 0.95 and not 0.949999988079071.
            "score": rule.score().to_string().parse::<f64>().unwrap_or_default(),
            "validator": rule.validator(),
            "operator": rule.operator(),
            "description": rule.description(),
            "pattern": rule.pattern(),
            "terms": rule.terms().len(),
            "references": rule.references(),
        }))?;
    }
    listing.done()?;
    Ok(Outcome::Fine)
}

pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
