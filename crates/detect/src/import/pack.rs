//! Writing a pack, rule by rule, and trying each before it is kept.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use super::regex::Translated;
use super::{Fate, Imported, Note};
use crate::context::{MAX_WORD_BYTES, is_word};
use crate::error::{DetectError, DetectErrorKind};
use crate::pack::Pack;
use crate::ruleset::RuleSet;
use crate::scan::DEFAULT_MIN_SCORE;
use crate::terms::MAX_TERM_BYTES;

/// A rule to be written.
#[derive(Debug, Default)]
pub(super) struct NewRule {
    /// Made a slug and unique.
    pub(super) name: String,
    pub(super) entity: String,
    pub(super) category: &'static str,
    pub(super) description: String,
    pub(super) translated: Translated,
    /// In place of a pattern.
    pub(super) terms: Vec<String>,
    pub(super) case_insensitive: bool,
    pub(super) keywords: Vec<String>,
    pub(super) context: Vec<String>,
    pub(super) min_entropy: f64,
    pub(super) score: f64,
}

/// An allow table to be written.
#[derive(Debug, Default)]
pub(super) struct NewAllow {
    pub(super) rules: Vec<String>,
    pub(super) contains: Vec<String>,
    pub(super) patterns: Vec<String>,
    pub(super) case_insensitive: bool,
}

/// A pack in the making.
pub(super) struct Writer {
    id: String,
    text: String,
    ids: HashSet<String>,
    rules: usize,
    notes: Vec<Note>,
    carried: usize,
}

impl Writer {
    pub(super) fn new(source_name: &str, from: &str) -> Self {
        let stem = Path::new(source_name).file_stem().and_then(|stem| stem.to_str());
        let mut id = slug(stem.unwrap_or_default(), '-');
        if id.is_empty() {
            from.clone_into(&mut id);
        }
        let text =
            format!("pack = {}\ndescription = {}\n", string(&id), string(&format!("From {from}")));
        Self { id, text, ids: HashSet::new(), rules: 0, notes: Vec::new(), carried: 0 }
    }

    pub(super) fn note(&mut self, rule: &str, fate: Fate, message: impl Into<String>) {
        self.carried += usize::from(fate != Fate::Refused && !rule.is_empty());
        self.notes.push(Note { rule: rule.to_owned(), fate, message: message.into() });
    }

    /// Says what became of a rule that was carried over.
    pub(super) fn carried(&mut self, rule: &str, changes: &[String]) {
        let fate = if changes.is_empty() { Fate::Carried } else { Fate::Changed };
        self.note(rule, fate, changes.join("; "));
    }

    /// Writes a rule if it compiles: its id, or why it does not.
    pub(super) fn rule(
        &mut self,
        rule: &NewRule,
        changes: &mut Vec<String>,
    ) -> Result<String, String> {
        let id = self.unique(&rule.name);
        let mut with = rule.translated.clone();
        let mut text = write_rule(&id, rule, &with);
        if let Err(error) = self.compiles(&text) {
            // Classes of all scripts may be too large where ASCII is not.
            with.unicode = false;
            let ascii = write_rule(&id, rule, &with);
            let large = error.kind() == DetectErrorKind::TooLarge && rule.translated.unicode;
            if !(large && with.pattern.is_ascii() && self.compiles(&ascii).is_ok()) {
                self.ids.remove(&id);
                return Err(reason(&error, &id));
            }
            changes
                .push("`\\w` and classes mean ASCII, as the pattern would be too large".to_owned());
            text = ascii;
        }
        self.text.push_str(&text);
        self.rules += 1;
        Ok(id)
    }

    /// Writes an allow table if it compiles. Rules that it names have been written.
    pub(super) fn allow(&mut self, allow: &NewAllow) -> Result<(), String> {
        let mut text = "\n[[allow]]\n".to_owned();
        list(&mut text, "rules", &allow.rules);
        list(&mut text, "contains", &allow.contains);
        list(&mut text, "patterns", &allow.patterns);
        if allow.case_insensitive {
            text.push_str("case_insensitive = true\n");
        }
        // The rules it names are not needed to try it.
        let alone = text.lines().filter(|line| !line.starts_with("rules = "));
        let alone: String = alone.map(|line| format!("{line}\n")).collect();
        self.compiles(&alone).map_err(|error| reason(&error, ""))?;
        self.text.push_str(&text);
        Ok(())
    }

    fn compiles(&self, rule: &str) -> Result<(), DetectError> {
        let text = format!("pack = 'import'\n{rule}");
        RuleSet::builder().pack(Pack::from_toml("import", &text)?).build().map(|_| ())
    }

    pub(super) fn done(self, source_name: &str) -> Result<Imported, DetectError> {
        // By itself each rule and table is fine; together they may be too much.
        Pack::from_toml(source_name, &self.text)?;
        Ok(Imported { toml: self.text, notes: self.notes, carried: self.carried })
    }

    fn unique(&mut self, name: &str) -> String {
        let slug = slug(name, '-');
        let base = format!("{}.{}", self.id, if slug.is_empty() { "rule" } else { &slug });
        let base: String = base.chars().take(MAX_ID).collect();
        let id = std::iter::once(base.clone())
            .chain((2u32..).map(|number| format!("{base}-{number}")))
            .find(|id| !self.ids.contains(id))
            .expect("numbers do not run out");
        self.ids.insert(id.clone());
        id
    }
}

/// Leaves room for a number.
const MAX_ID: usize = 88;

/// Lower-case letters, digits and single joints.
pub(super) fn slug(name: &str, joint: char) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with(joint) {
            slug.push(joint);
        }
    }
    let slug: String = slug.chars().take(48).collect();
    slug.trim_end_matches(joint).to_owned()
}

/// A name as an entity.
pub(super) fn entity(name: &str) -> String {
    let entity: String = slug(name, '_').to_uppercase();
    if entity.is_empty() { "CUSTOM".to_owned() } else { entity }
}

fn write_rule(id: &str, rule: &NewRule, translated: &Translated) -> String {
    let mut text = "\n[[rule]]\n".to_owned();
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(text, "{name} = {value}"); // to a string: cannot fail
    };
    field("id", &string(id));
    field("entity", &string(&rule.entity));
    field("category", &string(rule.category));
    let description = rule.description.split_whitespace().collect::<Vec<_>>().join(" ");
    let description = if description.is_empty() { &rule.name } else { &description };
    field("description", &string(description));
    if rule.terms.is_empty() {
        field("pattern", &string(&translated.pattern));
    }
    if let Some(boundary) = translated.boundary {
        field("boundary", &string(boundary));
    }
    if translated.unicode {
        field("unicode", "true");
    }
    if rule.case_insensitive {
        field("case_insensitive", "true");
    }
    if rule.min_entropy > 0.0 {
        field("min_entropy", &rule.min_entropy.to_string());
    }
    if reach(rule) < f64::from(DEFAULT_MIN_SCORE) {
        field("on_request", "true");
    }
    field("score", &rule.score.to_string());
    list(&mut text, "terms", &rule.terms);
    list(&mut text, "keywords", &rule.keywords);
    list(&mut text, "context", &rule.context);
    text
}

/// The score that a rule can reach.
pub(super) fn reach(rule: &NewRule) -> f64 {
    if rule.context.is_empty() { rule.score } else { (rule.score + 0.35).max(0.4) }
}

fn list(text: &mut String, name: &str, list: &[String]) {
    if !list.is_empty() {
        let items: Vec<String> = list.iter().map(|item| string(item)).collect();
        let _ = writeln!(text, "{name} = [{}]", items.join(", "));
    }
}

/// A TOML string on one line, literal if it can be.
fn string(text: &str) -> String {
    if text.chars().all(|c| c != '\'' && !c.is_control()) {
        return format!("'{text}'");
    }
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The words that can be context or keywords, and whether some cannot.
pub(super) fn words(list: &[String], least: usize) -> (Vec<String>, bool) {
    let mut words: Vec<String> = Vec::new();
    for word in list.iter().map(|word| word.trim()) {
        let good = is_word(word) && (least..=MAX_WORD_BYTES).contains(&word.len());
        if good && !words.iter().any(|other| other == word) {
            words.push(word.to_owned());
        }
    }
    let lost = list.iter().any(|word| !words.iter().any(|other| other == word.trim()));
    (words, lost)
}

/// The terms that can be ones, and how many cannot.
pub(super) fn terms(list: &[String]) -> (Vec<String>, usize) {
    let mut seen = HashSet::new();
    let good = |term: &&str| (1..=MAX_TERM_BYTES).contains(&term.len());
    let kept: Vec<&str> = list.iter().map(|term| term.trim()).filter(good).collect();
    let lost = list.len() - kept.len();
    (kept.into_iter().filter(|term| seen.insert(*term)).map(str::to_owned).collect(), lost)
}

/// An error of a rule by itself, without the place in a file that does not exist.
fn reason(error: &DetectError, id: &str) -> String {
    let text = error.to_string();
    let after = text.split_once(&format!("rule {id}: ")).map(|(_, after)| after.to_owned());
    after.unwrap_or(text)
}
