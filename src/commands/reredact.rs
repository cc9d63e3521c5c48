//! `oubliette reredact`.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use super::captures::range;
use crate::cli::Reredact;
use crate::client::{Caller, path, with_client};
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
    let bar = bar();
    let mut out = Output::new();
    let mut last = Value::Null;
    with_client(settings, async |client| {
        let reply = client.send(Caller::Operator, Method::POST, &path, Some(&order)).await?;
        reply
            .lines(|line| {
                if let Some(message) = line.pointer("/error/message").and_then(Value::as_str) {
                    return Err(Failure::failed(message));
                }
                bar.set_length(line["total"].as_u64().unwrap_or(0));
                bar.set_position(line["done"].as_u64().unwrap_or(0));
                if arguments.shown.json {
                    out.json(&line)?;
                    out.flush()?;
                }
                last = line;
                Ok(())
            })
            .await
    })?;
    bar.finish_and_clear();
    if last["finished"] != true {
        return Err(Failure::failed(
            "the answer ended before the work did: run it again, it goes on where it stopped",
        ));
    }
    if !arguments.shown.json {
        summary(&mut out, &last, arguments.dry_run)?;
    }
    out.done()?;
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

/// A progress bar for whoever watches, and none for a log file.
fn bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} bodies, {per_sec}, {eta} left")
        .expect("the template is well formed: a test builds it");
    ProgressBar::with_draw_target(None, target).with_style(style)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_bar_can_be_built() {
        super::bar().finish_and_clear();
    }
}
