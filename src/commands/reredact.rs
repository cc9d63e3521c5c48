//! `oubliette reredact`.

use serde_json::{Value, json};

use super::captures::range;
use super::long_work::{LongWork, of_total};
use crate::cli::Reredact;
use crate::client::path;
use crate::config::Settings;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, table};

/// Redacts again what is stored.
pub(super) fn run(settings: &Settings, arguments: &Reredact) -> Result<Outcome, Failure> {
    let (from, to) = range(&arguments.time)?;
    let mut order = json!({"dry_run": arguments.dry_run});
    for (name, value) in [("from", from), ("to", to)] {
        if let Some(value) = value {
            order[name] = json!(value);
        }
    }
    let account = arguments.account.as_str();
    let path = path(["v1", "accounts", account, "reredact"]);
    let work = LongWork { path: &path, order: Some(&order), unit: "bodies" };
    let last = work.follow(settings, arguments.shown, of_total)?;
    if !arguments.shown.json {
        let mut out = Output::new();
        summary(&mut out, &last, arguments.dry_run)?;
        out.done()?;
    }
    let failed = last["failed"].as_u64().unwrap_or(0);
    Ok(if failed == 0 { Outcome::Fine } else { Outcome::Problems })
}

fn summary(out: &mut Output, last: &Value, dry_run: bool) -> Result<(), Failure> {
    let count = |name: &str| last[name].as_u64().unwrap_or(0);
    let changed = if dry_run { "would change" } else { "changed" };
    out.line(format_args!(
        "{} of {} bodies looked at, {} {changed}, {} failed",
        count("done"),
        count("total"),
        count("changed"),
        count("failed")
    ))?;
    let mut rows = vec![vec!["RULE".to_owned(), "FOUND".to_owned()]];
    for (rule, found) in last["findings"].as_object().into_iter().flatten() {
        rows.push(vec![rule.clone(), found.to_string()]);
    }
    if rows.len() > 1 {
        table(&rows).iter().try_for_each(|line| out.line(line))?;
    }
    Ok(())
}
