//! `oubliette config check`.

use serde_json::json;

use crate::cli::{ConfigCommand, Global};
use crate::config::{KNOWN, Sources};
use crate::failure::{Failure, Outcome};
use crate::output::{Column, Listing, note};

const COLUMNS: &[Column] =
    &[("SETTING", "/setting"), ("VALUE", "/value"), ("FROM", "/from"), ("MEANING", "/meaning")];

pub(super) fn run(global: &Global, command: &ConfigCommand) -> Result<Outcome, Failure> {
    let ConfigCommand::Check(shown) = command;
    let sources = Sources::read(global)?;
    let mut listing = Listing::new(COLUMNS, shown.json);
    for known in KNOWN {
        let written = sources.layers.value(known.name);
        let value = match written {
            Some(_) if known.secret => Some("(set, not shown)".to_owned()),
            Some(written) => Some(written.text.clone()),
            None => None,
        };
        listing.row(&json!({
            "setting": known.name,
            "value": value,
            "from": written.map(|written| written.origin.to_string()),
            "variable": known.variable(),
            "meaning": known.help,
        }))?;
    }
    listing.done()?;
    for stranger in &sources.strangers {
        note(format_args!("note: {stranger}"));
    }
    if sources.file.is_none() {
        note("note: no configuration file");
    }
    // After the table, so that it shows where a wrong value stands.
    sources.settings()?;
    Ok(Outcome::Fine)
}
