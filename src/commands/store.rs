//! `oubliette store …` and `oubliette catalog rebuild`.

use indicatif::ProgressBar;
use oubliette_service::{Clock as _, SystemClock};
use oubliette_store::{LifecycleRule, ObjectStore, Verdict, check_store};
use serde_json::{Value, json};

use super::long_work::{LongWork, of_total};
use crate::cli::{CatalogCommand, Shown, StoreCommand};
use crate::config::Settings;
use crate::failure::{Failure, Outcome, chain};
use crate::output::{Column, Listing, describe, note};
use crate::wiring;

const COLUMNS: &[Column] = &[("CHECK", "/name"), ("VERDICT", "/verdict"), ("DETAIL", "/detail")];

pub(super) fn run(settings: &Settings, command: &StoreCommand) -> Result<Outcome, Failure> {
    match command {
        StoreCommand::Init(shown) => try_out(settings, *shown, true),
        StoreCommand::Check(shown) => try_out(settings, *shown, false),
        StoreCommand::Sweep(shown) => {
            of_segments(settings, "/v1/store/sweep", *shown, |bar, line| {
                bar.set_position(line["segments"].as_u64().unwrap_or(0));
            })?;
            Ok(Outcome::Fine)
        }
    }
}

pub(super) fn catalog(settings: &Settings, command: &CatalogCommand) -> Result<Outcome, Failure> {
    let CatalogCommand::Rebuild(shown) = command;
    let last = of_segments(settings, "/v1/catalog/rebuild", *shown, of_total)?;
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

/// Work over all segments. Shows its last line, and gives it.
fn of_segments(
    settings: &Settings,
    path: &str,
    shown: Shown,
    progress: impl Fn(&ProgressBar, &Value),
) -> Result<Value, Failure> {
    let work = LongWork { path, order: None, unit: "segments" };
    let mut last = work.follow(settings, shown, progress)?;
    if let Some(fields) = last.as_object_mut() {
        fields.remove("finished");
    }
    if !shown.json {
        describe(&last, false)?;
    }
    Ok(last)
}
