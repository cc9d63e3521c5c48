//! Presidio: recognizers in YAML, and ad-hoc recognizers in JSON.

use serde_json::Value;

use super::pack::{NewRule, Writer, entity, reach, terms, words};
use super::regex::{Flavour, Value as Part, translate};
use super::{Fate, Imported, syntax};
use crate::error::DetectError;
use crate::ruleset::RuleSet;
use crate::scan::DEFAULT_MIN_SCORE;

/// Python's `re.IGNORECASE`, `re.MULTILINE`, `re.DOTALL` and `re.VERBOSE`.
const IGNORECASE: u64 = 2;
const MULTILINE: u64 = 8;
const DOTALL: u64 = 16;
const VERBOSE: u64 = 64;
/// What Presidio does unless it is told otherwise.
const DEFAULT_FLAGS: u64 = IGNORECASE | MULTILINE | DOTALL;

pub(super) fn import(source_name: &str, value: &Value) -> Result<Imported, DetectError> {
    let mut out = Writer::new(source_name, "presidio");
    let registry = value.get("recognizer_registry").unwrap_or(value);
    let list = match (value, registry.get("recognizers").or(value.get("ad_hoc_recognizers"))) {
        (_, Some(Value::Array(list))) | (Value::Array(list), _) => list.clone(),
        (Value::Object(_), None)
            if ["patterns", "deny_list", "name"].iter().any(|f| value.get(f).is_some()) =>
        {
            vec![value.clone()]
        }
        _ => {
            return Err(syntax(
                source_name,
                ": neither recognizers of Presidio nor a list of them",
            ));
        }
    };
    let flags = registry.get("global_regex_flags").and_then(Value::as_u64);
    for (number, recognizer) in (1..).zip(&list) {
        let name = match recognizer {
            Value::String(name) => Some(name.as_str()),
            _ => recognizer.get("name").and_then(Value::as_str),
        };
        let name = name.map_or_else(|| format!("recognizer {number}"), str::to_owned);
        import_recognizer(&mut out, &name, recognizer, flags.unwrap_or(DEFAULT_FLAGS));
    }
    out.done(source_name)
}

fn import_recognizer(out: &mut Writer, name: &str, recognizer: &Value, flags: u64) {
    let field = |name: &str| recognizer.get(name).filter(|value| !value.is_null());
    if field("enabled") == Some(&Value::Bool(false)) {
        return out.note(name, Fate::Refused, "it is not enabled");
    }
    let patterns = field("patterns").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let deny_list = strings(field("deny_list"));
    let predefined = field("type").and_then(Value::as_str) == Some("predefined");
    if predefined || (patterns.is_empty() && deny_list.is_empty()) {
        let class = field("class_name").and_then(Value::as_str).unwrap_or(name);
        return out.note(name, Fate::Refused, predefined_note(class));
    }
    let named = field("supported_entity").and_then(Value::as_str).map(str::to_owned);
    let Some(theirs) = named.or_else(|| strings(field("supported_entities")).into_iter().next())
    else {
        return out.note(name, Fate::Refused, "it has no supported_entity");
    };
    let mut changes = Vec::new();
    if strings(field("supported_entities")).len() > 1 {
        changes.push("its first entity stands for all".to_owned());
    }
    let ours = entity(&theirs);
    if ours != theirs {
        changes.push(format!("the entity is called {ours}"));
    }
    let (context, languages) = languages(recognizer);
    if languages.iter().any(|language| language != "en") {
        changes.push("its language is not looked at: it finds in all texts".to_owned());
    }
    let (context, lost) = words(&context, 1);
    if lost {
        changes.push("without context words that are empty or longer than 64 bytes".to_owned());
    }
    let flags = field("global_regex_flags").and_then(Value::as_u64).unwrap_or(flags);
    let case_insensitive = flags & IGNORECASE != 0;

    let mut new_rules = Vec::new();
    let mut refused = Vec::new();
    for (number, pattern) in (1..).zip(patterns) {
        let pattern_name = pattern.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut refuse = |why: &str| refused.push(format!("pattern {number}: {why}"));
        if flags & VERBOSE != 0 {
            refuse("the verbose flag is not read");
            continue;
        }
        let Some(regex) = pattern.get("regex").and_then(Value::as_str) else {
            refuse("no regex");
            continue;
        };
        let score = pattern.get("score").and_then(Value::as_f64).unwrap_or(0.0);
        match translate(regex, Flavour::Python, Part::Whole) {
            Ok(all) => new_rules.extend(all.into_iter().map(|mut translated| {
                translated.pattern = flagged(&translated.pattern, flags);
                NewRule {
                    name: format!("{name} {pattern_name}"),
                    description: format!("{name}: {pattern_name}"),
                    translated,
                    score,
                    ..NewRule::default()
                }
            })),
            Err(why) => refuse(why),
        }
    }
    let (listed, lost) = terms(&deny_list);
    if lost > 0 {
        changes.push(format!("without {lost} empty or too long entries of its deny_list"));
    }
    if !listed.is_empty() {
        new_rules.push(NewRule {
            name: format!("{name} deny list"),
            description: format!("{name}: deny list"),
            terms: listed,
            score: field("deny_list_score").and_then(Value::as_f64).unwrap_or(1.0),
            ..NewRule::default()
        });
    }

    let mut written = 0;
    let mut quiet = false;
    for mut rule in new_rules {
        for &change in &rule.translated.changes {
            if !changes.iter().any(|other| other == change) {
                changes.push(change.to_owned());
            }
        }
        rule.entity = ours.clone();
        rule.category = "pii";
        rule.case_insensitive = case_insensitive;
        rule.context = context.clone();
        match out.rule(&rule, &mut changes) {
            Ok(_) => {
                written += 1;
                quiet |= reach(&rule) < f64::from(DEFAULT_MIN_SCORE);
            }
            Err(why) => refused.push(why),
        }
    }
    if quiet {
        changes
            .push("on request, as its score stays below 0.5: a scan must ask for less".to_owned());
    }
    if written == 0 {
        return out.note(name, Fate::Refused, refused.join("; "));
    }
    changes.extend(refused.iter().map(|why| format!("in part: {why}")));
    out.carried(name, &changes);
}

/// With the flags that our fields do not have, where they matter.
fn flagged(pattern: &str, flags: u64) -> String {
    let mut wanted = String::new();
    if flags & MULTILINE != 0 && pattern.contains(['^', '$']) {
        wanted.push('m');
    }
    if flags & DOTALL != 0 && pattern.contains('.') {
        wanted.push('s');
    }
    if wanted.is_empty() { pattern.to_owned() } else { format!("(?{wanted}){pattern}") }
}

/// Context words and languages. A language may have context words of its own.
fn languages(recognizer: &Value) -> (Vec<String>, Vec<String>) {
    let mut context = strings(recognizer.get("context"));
    let mut languages = strings(recognizer.get("supported_language"));
    let listed = recognizer.get("supported_languages").and_then(Value::as_array);
    for language in listed.into_iter().flatten() {
        match language {
            Value::String(language) => languages.push(language.clone()),
            other => {
                languages.extend(strings(other.get("language")));
                context.extend(strings(other.get("context")));
            }
        }
    }
    (context, languages)
}

/// A list of strings, or a single one. YAML takes a number without quotes for a number.
fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|item| match item {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Which of our entities stands for a recognizer that Presidio has in its code.
fn predefined_note(class: &str) -> String {
    let Some((_, entities)) = PREDEFINED.iter().find(|(name, _)| *name == class) else {
        return "it is in Presidio's code, and no entity of ours is known to stand for it"
            .to_owned();
    };
    let standard = RuleSet::standard();
    let has = |entity: &&&str| standard.rules().iter().any(|r| r.entity().as_str() == **entity);
    let covered: Vec<&str> = entities.iter().filter(has).copied().collect();
    match &covered[..] {
        [] => format!("it is in Presidio's code; no standard rule finds {}", entities.join(", ")),
        covered => format!("not needed: the standard rules find {}", covered.join(", ")),
    }
}

const PREDEFINED: &[(&str, &[&str])] = &[
    ("AbaRoutingRecognizer", &["ABA_ROUTING_NUMBER"]),
    ("AuAbnRecognizer", &["AU_ABN"]),
    ("AuAcnRecognizer", &["AU_ACN"]),
    ("AuMedicareRecognizer", &["AU_MEDICARE"]),
    ("AuTfnRecognizer", &["AU_TFN"]),
    ("CreditCardRecognizer", &["CREDIT_CARD"]),
    ("CryptoRecognizer", &["CRYPTO"]),
    ("DateRecognizer", &["DATE_OF_BIRTH", "DATE_TIME"]),
    ("EmailRecognizer", &["EMAIL_ADDRESS"]),
    ("EsNieRecognizer", &["ES_NIE"]),
    ("EsNifRecognizer", &["ES_NIF"]),
    ("FiPersonalIdentityCodeRecognizer", &["FI_PERSONAL_IDENTITY_CODE"]),
    ("GLiNERRecognizer", &["PERSON", "LOCATION"]),
    ("IbanRecognizer", &["IBAN_CODE"]),
    ("InAadhaarRecognizer", &["IN_AADHAAR"]),
    ("InPanRecognizer", &["IN_PAN"]),
    ("InPassportRecognizer", &["IN_PASSPORT"]),
    ("InVehicleRegistrationRecognizer", &["IN_VEHICLE_REGISTRATION"]),
    ("InVoterRecognizer", &["IN_VOTER"]),
    ("IpRecognizer", &["IP_ADDRESS"]),
    ("ItDriverLicenseRecognizer", &["IT_DRIVER_LICENSE"]),
    ("ItFiscalCodeRecognizer", &["IT_FISCAL_CODE"]),
    ("ItIdentityCardRecognizer", &["IT_IDENTITY_CARD"]),
    ("ItPassportRecognizer", &["IT_PASSPORT"]),
    ("ItVatCodeRecognizer", &["IT_VAT_CODE"]),
    ("KrRrnRecognizer", &["KR_RRN"]),
    ("MacAddressRecognizer", &["MAC_ADDRESS"]),
    ("MedicalLicenseRecognizer", &["MEDICAL_LICENSE"]),
    ("NhsRecognizer", &["UK_NHS"]),
    ("PhoneRecognizer", &["PHONE_NUMBER"]),
    ("PlPeselRecognizer", &["PL_PESEL"]),
    ("SgFinRecognizer", &["SG_NRIC_FIN"]),
    ("SgUenRecognizer", &["SG_UEN"]),
    ("SpacyRecognizer", &["PERSON", "LOCATION"]),
    ("StanzaRecognizer", &["PERSON", "LOCATION"]),
    ("ThTninRecognizer", &["TH_TNIN"]),
    ("TransformersRecognizer", &["PERSON", "LOCATION"]),
    ("UkNinoRecognizer", &["UK_NINO"]),
    ("UrlRecognizer", &["URL"]),
    ("UsBankRecognizer", &["US_BANK_NUMBER"]),
    ("UsItinRecognizer", &["US_ITIN"]),
    ("UsLicenseRecognizer", &["US_DRIVER_LICENSE"]),
    ("UsPassportRecognizer", &["US_PASSPORT"]),
    ("UsSsnRecognizer", &["US_SSN"]),
];
