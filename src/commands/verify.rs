//! `oubliette verify`: a receipt, offline.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use oubliette_service::translog::{self, Keys, MAX_RECEIPT_BYTES, Statement, Verified};
use serde_json::{Value, json};

use crate::cli::Verify;
use crate::failure::{Failure, chain};
use crate::output::{Output, describe};

pub(super) fn run(arguments: &Verify) -> Result<(), Failure> {
    let receipt = read(&arguments.receipt)?;
    let key = public_key(&arguments.key)?;
    let verified = translog::verify(&receipt, key.trim())
        .map_err(|error| Failure::failed(chain(&error)).during("the receipt does not hold"))?;
    if arguments.shown.json {
        return describe(&as_json(&verified), true);
    }
    let mut out = Output::new();
    for line in told(&verified) {
        out.line(line)?;
    }
    out.done()
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let most = MAX_RECEIPT_BYTES as u64 + 1;
    let read = if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::failed(format!("{} cannot be read: {error}", path.display()))),
    }
}

/// A key has two pluses and no path has; what is no key is a file.
fn public_key(given: &str) -> Result<String, Failure> {
    if given.matches('+').count() >= 2 && !Path::new(given).exists() {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    File::open(given)
        .and_then(|file| file.take(4096).read_to_string(&mut text))
        .map_err(|error| Failure::usage(format!("--key {given}: no key, and no file: {error}")))?;
    Ok(text)
}

fn as_json(verified: &Verified) -> Value {
    let Verified { statement, origin, index, size } = verified;
    json!({
        "holds": true,
        "log": { "origin": origin, "index": index, "size": size },
        "shred": statement,
        "proves": proves(statement),
        "does_not_prove": DOES_NOT_PROVE,
    })
}

fn told(verified: &Verified) -> Vec<String> {
    let Verified { statement, origin, index, size } = verified;
    let at = jiff::Timestamp::from_millisecond(statement.requested_at)
        .map_or_else(|_| "at no time".to_owned(), |at| at.to_string());
    let reason = json!(statement.reason);
    let (generation, directory) = (&statement.generation, &statement.directory);
    let mut lines = vec![
        format!("The receipt holds: leaf {index} of a log of {size}, signed by {origin}."),
        format!("  reason      {}, asked for {at}", reason.as_str().unwrap_or("-")),
        format!("  root key    generation {} replaced by {}", generation.from, generation.to),
        format!("  directory   {} before", directory.from),
        format!("              {} after", directory.to),
    ];
    for erased in &statement.erased {
        lines.push(match &erased.keys {
            Keys::Payloads(keys) => {
                let (count, s) = (keys.len(), if keys.len() == 1 { "" } else { "s" });
                format!("  account     {}: {count} key{s}, by commitment", erased.account)
            }
            Keys::HoursBefore(hour) => {
                format!("  account     {}: all keys of hours before {hour}", erased.account)
            }
            Keys::All => format!("  account     {}: all keys", erased.account),
        });
        if let Keys::Payloads(keys) = &erased.keys {
            lines.extend(keys.iter().map(|key| format!("              {key}")));
        }
    }
    lines.push(format!("Proves: {}", proves(statement)));
    lines.push(format!("Does not prove: {DOES_NOT_PROVE}"));
    lines
}

/// What a claim proves, and which sealed records it is about.
fn proves(statement: &Statement) -> String {
    let mut meant = Vec::new();
    let any = |is: fn(&Keys) -> bool| statement.erased.iter().any(|erased| is(&erased.keys));
    if any(|keys| matches!(keys, Keys::Payloads(_))) {
        meant.push("it carries one of these commitments");
    }
    if any(|keys| matches!(keys, Keys::HoursBefore(_))) {
        meant.push("it carries such an account and an hour before the one named with it");
    }
    if any(|keys| matches!(keys, Keys::All)) {
        meant.push("it carries an account all keys of which are named here, and was sealed before");
    }
    format!("{PROVES} A sealed record is meant if {}.", meant.join(", or "))
}

const PROVES: &str = "whoever holds the key of this log has claimed, at this place in its order and without \
    being able to take it back, that these keys were destroyed when this generation of the root key came \
    into force.";

const DOES_NOT_PROVE: &str = "that nobody had copied the root key, these keys or the bodies before; that the \
    medium of the root key has really forgotten it; that the claim is true. Compare the log with others \
    who hold receipts: one log that tells two stories needs two signed heads that contradict each other.";
