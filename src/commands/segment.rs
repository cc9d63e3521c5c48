//! `oubliette segment …`.

use std::fs;
use std::path::Path;

use oubliette_store::{IndexEntry, ObjectKey, ObjectStore, SegmentIndex, StoreError, list_all};
use serde_json::{Value, json};

use super::store::open;
use crate::cli::{SegmentCommand, SegmentInspect, SegmentList, SegmentVerify};
use crate::config::Settings;
use crate::failure::{Failure, Outcome, chain};
use crate::output::{Column, Listing, describe, note};
use crate::wiring;

pub(super) fn run(settings: &Settings, command: &SegmentCommand) -> Result<Outcome, Failure> {
    let runtime = wiring::runtime()?;
    match command {
        SegmentCommand::List(arguments) => runtime.block_on(list(settings, arguments)),
        SegmentCommand::Inspect(arguments) => runtime.block_on(inspect(settings, arguments)),
        SegmentCommand::Verify(arguments) => runtime.block_on(verify(settings, arguments)),
    }
}

const LISTED: &[Column] = &[("SEGMENT", "/segment"), ("BYTES", "/bytes"), ("BEGUN", "/begun")];
const RECORDS: &[Column] = &[
    ("OFFSET", "/offset"),
    ("BYTES", "/bytes"),
    ("ACCOUNT", "/account"),
    ("ADDRESS", "/address"),
    ("HOUR", "/hour"),
];
const VERIFIED: &[Column] =
    &[("SEGMENT", "/segment"), ("VERDICT", "/verdict"), ("RECORDS", "/records"), ("WHY", "/why")];

async fn list(settings: &Settings, arguments: &SegmentList) -> Result<Outcome, Failure> {
    let store = open(settings).await?;
    let mut listing = Listing::new(LISTED, arguments.shown.json);
    for object in list_all(&*store, &arguments.prefix).await.map_err(failed)? {
        listing.row(&json!({
            "segment": object.key,
            "bytes": object.size,
            "begun": begun(object.key),
        }))?;
    }
    listing.done()?;
    Ok(Outcome::Fine)
}

async fn inspect(settings: &Settings, arguments: &SegmentInspect) -> Result<Outcome, Failure> {
    let name = arguments.segment.display();
    let wrong = |error| failed(error).during(&name);
    let (index, size) = match named(&arguments.segment)? {
        Named::File(bytes) => (SegmentIndex::parse(&bytes).map_err(wrong)?, bytes.len() as u64),
        Named::Object(key) => {
            let store = open(settings).await?;
            let size = store.size(&key).await.map_err(wrong)?;
            (SegmentIndex::fetch_sized(&*store, &key, size).await.map_err(wrong)?, size)
        }
    };
    let records = index.entries();
    if arguments.records {
        let mut listing = Listing::new(RECORDS, arguments.shown.json);
        for entry in records {
            listing.row(&record(entry))?;
        }
        listing.done()?;
        return Ok(Outcome::Fine);
    }
    let mut accounts: Vec<_> = records.iter().map(|entry| entry.account.as_bytes()).collect();
    accounts.sort();
    accounts.dedup();
    let hours = || records.iter().map(|entry| entry.address.hour().number());
    let shown = json!({
        "segment": index.object_key(),
        "begun": begun(index.object_key()),
        "retention_days": index.object_key().class().get(),
        "bytes": size,
        "records": records.len(),
        "record_bytes": records.iter().map(|entry| u64::from(entry.len)).sum::<u64>(),
        "accounts": accounts.len(),
        "first_hour": hours().min().map(hour),
        "last_hour": hours().max().map(hour),
        "rebuilt_after_damage": index.is_rebuilt(),
    });
    describe(&shown, arguments.shown.json)?;
    Ok(Outcome::Fine)
}

async fn verify(settings: &Settings, arguments: &SegmentVerify) -> Result<Outcome, Failure> {
    let mut listing = Listing::new(VERIFIED, arguments.shown.json);
    let (mut good, mut bad) = (0_u64, 0_u64);
    let mut row = |name: Value, verified: Result<SegmentIndex, StoreError>| {
        let (verdict, records, why) = match &verified {
            Ok(index) => ("good", Some(index.entries().len()), None),
            Err(error) => ("bad", None, Some(chain(error))),
        };
        *(if verified.is_ok() { &mut good } else { &mut bad }) += 1;
        let row = json!({"segment": name, "verdict": verdict, "records": records, "why": why});
        // In a table of thousands the good ones only hide the others.
        if arguments.shown.json || verified.is_err() || !arguments.segments.is_empty() {
            listing.row(&row)?;
        }
        Ok::<_, Failure>(())
    };
    if arguments.segments.is_empty() {
        let store = open(settings).await?;
        for object in list_all(&*store, "").await.map_err(failed)? {
            row(json!(object.key), whole(&*store, object.key, object.size).await)?;
        }
    }
    for segment in &arguments.segments {
        let name = json!(segment.to_string_lossy());
        match named(segment)? {
            Named::File(bytes) => row(name, SegmentIndex::verify(&bytes))?,
            Named::Object(key) => {
                let store = open(settings).await?;
                let verified = match store.size(&key).await {
                    Ok(size) => whole(&*store, key, size).await,
                    Err(error) => Err(error),
                };
                row(name, verified)?;
            }
        }
    }
    listing.done()?;
    note(format_args!("{good} segments are as they were written, {bad} are not"));
    Ok(if bad == 0 { Outcome::Fine } else { Outcome::Problems })
}

/// Reads a segment whole and checks all of it.
async fn whole(
    store: &dyn ObjectStore,
    key: ObjectKey,
    size: u64,
) -> Result<SegmentIndex, StoreError> {
    let bytes = store.get_range(&key, 0..size.max(1)).await?;
    let index = SegmentIndex::verify(&bytes)?;
    if index.object_key() == key {
        return Ok(index);
    }
    Err(StoreError::new(
        oubliette_store::StoreErrorKind::Damaged,
        format!("it is {} by its header", index.object_key()),
    ))
}

/// What was named on the command line.
enum Named {
    File(Vec<u8>),
    Object(ObjectKey),
}

fn named(segment: &Path) -> Result<Named, Failure> {
    let key = segment.to_str().and_then(|text| text.parse().ok());
    match (key, fs::read(segment)) {
        // A file under an object's folder has the key as the end of its path, so the file wins.
        (_, Ok(bytes)) => Ok(Named::File(bytes)),
        (Some(key), Err(_)) => Ok(Named::Object(key)),
        (None, Err(error)) => Err(Failure::usage(format!(
            "{}: neither the key of a segment, such as r7/2026/10/31/12/….seg, nor a file that can \
             be read: {error}",
            segment.display()
        ))),
    }
}

fn record(entry: &IndexEntry) -> Value {
    json!({
        "offset": entry.offset,
        "bytes": entry.len,
        "account": hex::encode(entry.account.as_bytes()),
        "address": format!("{:016x}", entry.address.to_bits()),
        "hour": hour(entry.address.hour().number()),
    })
}

fn begun(key: ObjectKey) -> Option<String> {
    moment(key.segment().unix_seconds())
}

fn hour(number: u32) -> Option<String> {
    moment(i64::from(number) * 3600)
}

fn moment(unix_seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(unix_seconds).ok().map(|at| at.to_string())
}

fn failed(error: StoreError) -> Failure {
    Failure::failed(chain(&error))
}
