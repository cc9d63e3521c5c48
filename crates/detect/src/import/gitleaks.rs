//! gitleaks: `gitleaks.toml`.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Value;

use super::pack::{NewAllow, NewRule, Writer, entity, words};
use super::regex::{Flavour, Translated, Value as Part, translate};
use super::{Fate, Imported, syntax};
use crate::error::DetectError;

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default)]
    rules: Vec<Value>,
    allowlist: Option<Value>,
    #[serde(default)]
    allowlists: Vec<Value>,
    extend: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TheirRule {
    id: String,
    description: String,
    regex: Option<String>,
    path: Option<String>,
    #[serde(rename = "secretGroup")]
    secret_group: u32,
    entropy: f64,
    keywords: Vec<String>,
    allowlist: Option<Value>,
    allowlists: Vec<Value>,
    required: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TheirAllow {
    condition: String,
    paths: Vec<String>,
    commits: Vec<String>,
    #[serde(rename = "regexTarget")]
    regex_target: String,
    regexes: Vec<String>,
    stopwords: Vec<String>,
    #[serde(rename = "targetRules")]
    target_rules: Vec<String>,
}

/// How sure a secret's pattern is by itself: gitleaks does not say, and acts upon each.
const SCORE: f64 = 0.8;

pub(super) fn import(source_name: &str, text: &str) -> Result<Imported, DetectError> {
    let config: Config = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.as_bytes().iter().take(start).filter(|&&b| b == b'\n').count() + 1;
        // What the reader says may quote the file.
        syntax(source_name, &format!(":{line}: not a configuration of gitleaks in TOML"))
    })?;
    let mut out = Writer::new(source_name, "gitleaks");
    if config.extend.is_some() {
        out.note("", Fate::Refused, "[extend]: no other file is read; import that one, too");
    }
    // Their id and ours, with what part of a match the finding is.
    let mut written: HashMap<String, (String, bool)> = HashMap::new();
    for value in config.rules {
        let name =
            value.get("id").and_then(Value::as_str).unwrap_or("a rule without id").to_owned();
        match value.try_into::<TheirRule>() {
            Ok(rule) => import_rule(&mut out, &name, rule, &mut written),
            Err(_) => {
                out.note(&name, Fate::Refused, "a field has not the form that gitleaks gives it")
            }
        }
    }
    for list in config.allowlist.into_iter().chain(config.allowlists) {
        let mut notes = Vec::new();
        let read = list.try_into::<TheirAllow>();
        let Ok(list) = read else {
            out.note("", Fate::Refused, "an allow list of a form that gitleaks does not have");
            continue;
        };
        let targets: Vec<_> = list.target_rules.iter().filter_map(|id| written.get(id)).collect();
        if targets.is_empty() && !list.target_rules.is_empty() {
            out.note("", Fate::Refused, "an allow list of rules that were not carried over");
            continue;
        }
        let all = list.target_rules.is_empty();
        // In a set with other packs it must not speak about theirs.
        let about: Vec<_> = if all { written.values().collect() } else { targets };
        let mut rules: Vec<String> = about.iter().map(|(id, _)| id.clone()).collect();
        rules.sort();
        let whole = about.iter().all(|(_, whole)| *whole);
        if rules.is_empty() {
            continue;
        }
        import_allow(&mut out, &list, rules, whole, &mut notes);
        let fate = if notes.is_empty() { Fate::Carried } else { Fate::Changed };
        let mut message = vec!["the allow list of all rules".to_owned()];
        message.append(&mut notes);
        out.note("", fate, message.join("; "));
    }
    out.done(source_name)
}

fn import_rule(
    out: &mut Writer,
    name: &str,
    rule: TheirRule,
    written: &mut HashMap<String, (String, bool)>,
) {
    let refuse = |out: &mut Writer, why: &str| out.note(name, Fate::Refused, why);
    if rule.path.is_some() {
        return refuse(out, "it is about paths of files, which a body does not have");
    }
    let Some(regex) = rule.regex else { return refuse(out, "it has no regex") };
    if !rule.required.is_empty() {
        return refuse(out, "it needs findings of other rules nearby");
    }
    let part = match rule.secret_group {
        0 => Part::FirstGroup,
        number => Part::Group(number),
    };
    let translated = match translate(&regex, Flavour::Go, part) {
        // Go has no look-around, so nothing is split.
        Ok(mut all) => all.remove(0),
        Err(why) => return refuse(out, why),
    };
    let whole = !translated.pattern.contains("(?P<value>");
    let mut changes: Vec<String> = translated.changes.iter().map(|&c| c.to_owned()).collect();
    let (mut keywords, lost) = words(&rule.keywords, 2);
    if lost {
        keywords.clear();
        changes.push("without its keywords, of which some are too short or too long".to_owned());
    }
    let new = NewRule {
        name: rule.id.clone(),
        entity: entity(if rule.id.is_empty() { name } else { &rule.id }),
        category: "secret",
        description: rule.description,
        translated,
        keywords,
        min_entropy: rule.entropy.clamp(0.0, 8.0),
        score: SCORE,
        ..NewRule::default()
    };
    let id = match out.rule(&new, &mut changes) {
        Ok(id) => id,
        Err(why) => return refuse(out, &why),
    };
    written.insert(rule.id, (id.clone(), whole));
    for list in rule.allowlist.into_iter().chain(rule.allowlists) {
        match list.try_into::<TheirAllow>() {
            Ok(list) => import_allow(out, &list, vec![id.clone()], whole, &mut changes),
            Err(_) => changes.push("without an allow list of unknown form".to_owned()),
        }
    }
    out.carried(name, &changes);
}

/// Carries over what of an allow list speaks about the finding itself.
fn import_allow(
    out: &mut Writer,
    list: &TheirAllow,
    rules: Vec<String>,
    whole: bool,
    changes: &mut Vec<String>,
) {
    let mut left_out = |what: &str| changes.push(format!("allow list: {what}"));
    let elsewhere = !list.paths.is_empty() || !list.commits.is_empty();
    let all = list.condition.eq_ignore_ascii_case("and");
    if all && elsewhere {
        return left_out("left out, since it needs paths or commits, which a body does not have");
    }
    if elsewhere {
        left_out("paths and commits left out, which a body does not have");
    }
    if all && !list.regexes.is_empty() && !list.stopwords.is_empty() {
        return left_out("left out, since it needs regexes and stop words at once");
    }
    let mut patterns = Vec::new();
    let readable = match list.regex_target.as_str() {
        "" | "secret" => true,
        "match" => whole,
        _ => false,
    };
    if !readable && !list.regexes.is_empty() {
        left_out("regexes left out that look at more than the secret");
    }
    let mut lost = 0;
    for regex in list.regexes.iter().filter(|_| readable) {
        match translate(regex, Flavour::Go, Part::Whole).as_deref() {
            // Theirs match anywhere in the secret, ours the whole of it.
            Ok([Translated { pattern, unicode: false, .. }]) => {
                patterns.push(format!("(?s:.*)(?:{pattern})(?s:.*)"));
            }
            _ => lost += 1,
        }
    }
    if lost > 0 {
        left_out(&format!("{lost} regexes left out that are not read"));
    }
    let table = |patterns: Vec<String>, contains: Vec<String>, case_insensitive| NewAllow {
        rules: rules.clone(),
        contains,
        patterns,
        case_insensitive,
    };
    if !patterns.is_empty() && out.allow(&table(patterns, Vec::new(), false)).is_err() {
        left_out("regexes left out that do not compile");
    }
    let (stopwords, lost) = super::pack::terms(&list.stopwords);
    if lost > 0 {
        left_out(&format!("{lost} stop words left out that are empty or too long"));
    }
    if !stopwords.is_empty() && out.allow(&table(Vec::new(), stopwords, true)).is_err() {
        left_out("stop words left out");
    }
}
