//! `oubliette store …` and `oubliette catalog rebuild`.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oubliette_service::{Clock as _, SystemClock};
use oubliette_store::{LifecycleRule, ObjectStore, Verdict, check_store};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::{CatalogCommand, Shown, StoreCommand};
use crate::client::{Caller, with_client};
use crate::config::Settings;
use crate::failure::{Failure, Outcome, chain};
use crate::output::{Column, Listing, Output, describe, note};
use crate::wiring;

const COLUMNS: &[Column] = &[("CHECK", "/name"), ("VERDICT", "/verdict"), ("DETAIL", "/detail")];

pub(super) fn run(settings: &Settings, command: &StoreCommand) -> Result<Outcome, Failure> {
    match command {
        StoreCommand::Init(shown) => try_out(settings, *shown, true),
        StoreCommand::Check(shown) => try_out(settings, *shown, false),
        StoreCommand::Sweep(shown) => {
            streamed(settings, "/v1/store/sweep", *shown, |_, line| {
                line["segments"].as_u64().unwrap_or(0)
            })?;
            Ok(Outcome::Fine)
        }
    }
}

pub(super) fn catalog(settings: &Settings, command: &CatalogCommand) -> Result<Outcome, Failure> {
    let CatalogCommand::Rebuild(shown) = command;
    let last = streamed(settings, "/v1/catalog/rebuild", *shown, |bar, line| {
        bar.set_length(line["total"].as_u64().unwrap_or(0));
        line["done"].as_u64().unwrap_or(0)
    })?;
    let bad = ["damaged", "unreadable"].iter().any(|name| last[name] != 0);
    Ok(if bad { Outcome::Problems } else { Outcome::Fine })
}

/// Opens the object store alone.
pub(super) async fn open(settings: &Settings) -> Result<std::sync::Arc<dyn ObjectStore>, Failure> {
    let layout = wiring::layout(settings);
    layout.object_store().await.map_err(|error| Failure::usage(chain(&error)))
}

fn try_out(settings: &Settings, shown: Shown, init: bool) -> Result<Outcome, Failure> {
    let rules = LifecycleRule::all();
    let checks = wiring::runtime()?.block_on(async {
        let store = open(settings).await?;
        if init {
            let written = store.ensure_lifecycle(&rules).await;
            written.map_err(|error| Failure::failed(chain(&error)))?;
        }
        let now = SystemClock.now_ms().div_euclid(1000);
        Ok::<_, Failure>(check_store(&*store, &rules, now).await)
    })?;
    let bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    let mut listing = Listing::new(COLUMNS, shown.json);
    for check in &checks {
        listing.row(&json!(check))?;
    }
    listing.done()?;
    note(if bad {
        "verdict: bodies cannot be kept in this store as it is, see above"
    } else {
        "verdict: bodies can be kept in this store"
    });
    Ok(if bad { Outcome::Problems } else { Outcome::Fine })
}

/// Long work on the service, with a bar for whoever watches. Gives its last line.
fn streamed(
    settings: &Settings,
    path: &str,
    shown: Shown,
    position: impl Fn(&ProgressBar, &Value) -> u64,
) -> Result<Value, Failure> {
    let bar = bar();
    let mut out = Output::new();
    let mut last = Value::Null;
    with_client(settings, async |client| {
        let reply = client.send(Caller::Operator, Method::POST, path, None).await?;
        reply
            .lines(|line| {
                if let Some(message) = line.pointer("/error/message").and_then(Value::as_str) {
                    return Err(Failure::failed(message));
                }
                let at = position(&bar, &line);
                bar.set_position(at);
                if shown.json {
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
    if let Some(fields) = last.as_object_mut() {
        fields.remove("finished");
    }
    out.done()?;
    if !shown.json {
        describe(&last, false)?;
    }
    Ok(last)
}

/// A progress bar for whoever watches, and none for a log file.
fn bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} segments, {per_sec}, {eta} left")
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
