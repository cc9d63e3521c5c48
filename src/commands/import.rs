//! `oubliette rules import`.

use std::fs;
use std::path::Path;

use oubliette_detect::import::{self, Fate};

use super::body::read_input;
use super::rules::counted;
use crate::cli::ImportFrom;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, note};

pub(super) fn run(
    from: ImportFrom,
    file: &Path,
    output: Option<&Path>,
) -> Result<Outcome, Failure> {
    let name = match file.to_str() {
        Some("-") => "imported".to_owned(),
        _ => file.display().to_string(),
    };
    let text = String::from_utf8(read_input(Some(file))?)
        .map_err(|_| Failure::failed(format!("{name}: not UTF-8")))?;
    let is_json = text.trim_start().starts_with(['[', '{']);
    let imported = match from {
        ImportFrom::Gitleaks => import::gitleaks_toml(&name, &text),
        // Ad-hoc recognizers; flow-style YAML is JSON or reads as YAML.
        ImportFrom::Presidio if is_json => import::presidio_json(&name, &text)
            .or_else(|error| import::presidio_yaml(&name, &text).map_err(|_| error)),
        ImportFrom::Presidio => import::presidio_yaml(&name, &text),
    }
    .map_err(|error| Failure::failed(error.to_string()))?;

    imported.notes.iter().for_each(note);
    let refused = imported.notes.iter().filter(|n| n.fate == Fate::Refused && !n.rule.is_empty());
    let refused = refused.count();
    note(format_args!("{} carried over, {refused} refused", counted(imported.carried, "rule")));
    if imported.carried == 0 {
        return Ok(Outcome::Problems);
    }
    match output {
        Some(path) => fs::write(path, &imported.toml).map_err(|error| {
            Failure::failed(format!("{} cannot be written: {error}", path.display()))
        })?,
        None => {
            let mut out = Output::new();
            out.bytes(imported.toml.as_bytes())?;
            out.done()?;
        }
    }
    Ok(Outcome::Fine)
}
