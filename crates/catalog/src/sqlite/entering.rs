//! Entering captures, and putting new records in the place of old ones.

use std::collections::{HashMap, HashSet};

use oubliette_keytree::{Hour, LeafAddress};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    accounts::{self, Known},
    convert,
    fault::{Fault, Result},
    forgetting, hours, reading,
};
use crate::{
    account::AccountId,
    capture::{CaptureState, Entry, NewCapture, Part, ReplaceOutcome, Replacement},
    error::{CatalogError, CatalogErrorKind},
    exchange::{Exchange, NewExchange},
    shred::ShredReason,
};

/// What is the same for every caller of [`insert`], checked before anybody waits.
pub(super) fn check(exchanges: &[NewExchange]) -> Result<(), CatalogError> {
    for NewExchange { exchange, captures } in exchanges {
        let parts: Vec<Part> = captures.iter().map(|capture| capture.part).collect();
        if !matches!(
            parts[..],
            [_] | [Part::Request, Part::Response] | [Part::Response, Part::Request]
        ) {
            return Err(CatalogError::invalid(format!(
                "exchange {} must come with one capture of its request, its response or each",
                exchange.id
            )));
        }
    }
    Ok(())
}

/// What captures that are entered one after the other need to be looked up only once.
///
/// True for as long as nothing else is written in between.
#[derive(Default)]
pub(super) struct Round {
    accounts: HashMap<AccountId, Option<Known>>,
    noted: HashSet<(i64, Hour)>,
}

impl Round {
    fn account(&mut self, connection: &Connection, id: &AccountId) -> Result<Option<&Known>> {
        if !self.accounts.contains_key(id) {
            let known = match accounts::known(connection, id) {
                Ok(known) => Some(known),
                Err(Fault::Ours(e)) if e.kind() == CatalogErrorKind::NotFound => None,
                Err(other) => return Err(other),
            };
            self.accounts.insert(id.clone(), known);
        }
        Ok(self.accounts[id].as_ref())
    }
}

pub(super) fn insert(
    connection: &Connection,
    exchanges: &[NewExchange],
    now: i64,
    round: &mut Round,
) -> Result<Vec<Vec<Entry>>> {
    let mut entries = Vec::with_capacity(exchanges.len());
    for new in exchanges {
        let Some(account) = round.account(connection, &new.exchange.account)? else {
            entries.push(vec![Entry::NoAccount; new.captures.len()]);
            continue;
        };
        let number = account.number;
        let fates = insert_one(connection, account, new, now)?;
        for (capture, fate) in new.captures.iter().zip(&fates) {
            // Whoever took the leaf has noted its hour. Not for rows of a catalog that is made anew.
            let hour = capture.address.hour();
            if matches!(fate, Entry::Inserted) && !round.noted.contains(&(number, hour)) {
                hours::note(connection, number, hour)?;
                round.noted.insert((number, hour));
            }
        }
        entries.push(fates);
    }
    Ok(entries)
}

fn insert_one(
    connection: &Connection,
    account: &Known,
    new: &NewExchange,
    now: i64,
) -> Result<Vec<Entry>> {
    let known = connection
        .prepare_cached("SELECT exchange, shredded FROM exchanges WHERE account = ?1 AND id = ?2")?
        .query_row(params![account.number, new.exchange.id.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    let shredded = known.map_or(0, |(_, shredded)| shredded);
    let mut row = known.map(|(row, _)| row);
    // What stands there already; what is added below is of other parts.
    let standing = match row {
        Some(row) => reading::captures_of(connection, account, row)?,
        None => Vec::new(),
    };
    let mut described = false;
    let mut entries = Vec::with_capacity(new.captures.len());
    for capture in &new.captures {
        let existing = standing.iter().find(|found| found.capture.part == capture.part);
        if let Some(existing) = existing {
            if existing.capture.address != capture.address {
                orphan(connection, account, capture.address, now)?;
            }
            entries.push(Entry::Duplicate(Box::new(existing.capture.clone().veiled())));
            continue;
        }
        if shredded & forgetting::bit(capture.part) != 0
            || account.is_expired(capture.address)
            || forgetting::is_pending(connection, account.number, capture.address)?
        {
            orphan(connection, account, capture.address, now)?;
            entries.push(Entry::Forgotten);
            continue;
        }
        let row = match row {
            Some(row) if described => row,
            Some(found) => {
                describe(connection, account, found, &new.exchange)?;
                found
            }
            None => *row.insert(insert_exchange(connection, account, &new.exchange)?),
        };
        described = true;
        insert_capture(connection, account, row, capture)?;
        entries.push(Entry::Inserted);
    }
    Ok(entries)
}

pub(super) fn replace(
    connection: &Connection,
    replacement: &Replacement,
    now: i64,
) -> Result<ReplaceOutcome> {
    let Replacement { account, exchange, old_address, new } = replacement;
    let account = accounts::known(connection, account)?;
    let found = reading::find_capture(connection, &account, exchange, new.part)?
        .filter(|found| found.capture.state == CaptureState::Stored);
    let Some(found) = found.filter(|found| {
        found.capture.address == *old_address || found.capture.address == new.address
    }) else {
        orphan(connection, &account, new.address, now)?;
        return Ok(ReplaceOutcome::Lost);
    };
    if found.capture.address == new.address {
        return Ok(ReplaceOutcome::AlreadyReplaced);
    }
    connection
        .prepare_cached(
            "UPDATE captures SET address = ?2, retention_days = ?3, segment = ?4, object = ?5,
                 offset = ?6, len = ?7, content_type = ?8, format = ?9, rule_set = ?10,
                 findings = ?11
             WHERE capture = ?1",
        )?
        .execute(params![
            found.row,
            convert::address(new.address),
            new.retention_days,
            new.location.segment,
            new.location.object,
            convert::count(new.location.offset),
            convert::count(new.location.len),
            new.content_type,
            new.format,
            new.rule_set,
            convert::json(&new.findings),
        ])
        .map_err(|error| address_taken(error.into(), new.address))?;
    forgetting::retire(connection, &account, *old_address, ShredReason::Replaced, now)?;
    Ok(ReplaceOutcome::Replaced)
}

fn orphan(connection: &Connection, account: &Known, address: LeafAddress, now: i64) -> Result<()> {
    forgetting::retire(connection, account, address, ShredReason::Orphaned, now).map(drop)
}

fn insert_exchange(connection: &Connection, account: &Known, exchange: &Exchange) -> Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO exchanges (account, id, time, api, model, provider, status, tokens_in,
                 tokens_out, latency_ms, trace_id, cache_key, key_hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            account.number,
            exchange.id.as_str(),
            exchange.time,
            exchange.api,
            exchange.model,
            exchange.provider,
            exchange.status,
            exchange.tokens_in.map(convert::count),
            exchange.tokens_out.map(convert::count),
            exchange.latency_ms.map(convert::count),
            exchange.trace_id,
            exchange.cache_key,
            exchange.key_hash,
        ])?;
    Ok(connection.last_insert_rowid())
}

/// Adds what a later part says about the exchange. What is known stays, unless the exchange is dead:
/// then it must not come back.
fn describe(connection: &Connection, account: &Known, row: i64, exchange: &Exchange) -> Result<()> {
    let captures = reading::captures_of(connection, account, row)?;
    if !captures.iter().any(|found| found.capture.state == CaptureState::Stored) {
        forgetting::clear_exchange(connection, row)?;
    }
    connection
        .prepare_cached(
            "UPDATE exchanges SET api = coalesce(api, ?2), model = coalesce(model, ?3),
                 provider = coalesce(provider, ?4), status = coalesce(status, ?5),
                 tokens_in = coalesce(tokens_in, ?6), tokens_out = coalesce(tokens_out, ?7),
                 latency_ms = coalesce(latency_ms, ?8), trace_id = coalesce(trace_id, ?9),
                 cache_key = coalesce(cache_key, ?10), key_hash = coalesce(key_hash, ?11)
             WHERE exchange = ?1",
        )?
        .execute(params![
            row,
            exchange.api,
            exchange.model,
            exchange.provider,
            exchange.status,
            exchange.tokens_in.map(convert::count),
            exchange.tokens_out.map(convert::count),
            exchange.latency_ms.map(convert::count),
            exchange.trace_id,
            exchange.cache_key,
            exchange.key_hash,
        ])?;
    Ok(())
}

fn insert_capture(
    connection: &Connection,
    account: &Known,
    exchange: i64,
    new: &NewCapture,
) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO captures (exchange, account, part, address, captured_at, retention_days,
                 segment, object, offset, len, content_type, format, rule_set, findings)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            exchange,
            account.number,
            reading::part_column(new.part),
            convert::address(new.address),
            new.captured_at,
            new.retention_days,
            new.location.segment,
            new.location.object,
            convert::count(new.location.offset),
            convert::count(new.location.len),
            new.content_type,
            new.format,
            new.rule_set,
            convert::json(&new.findings),
        ])
        .map_err(|error| address_taken(error.into(), new.address))?;
    Ok(())
}

fn address_taken(fault: Fault, address: LeafAddress) -> Fault {
    accounts::taken(fault, || {
        format!("address {address} seals another capture already: a leaf seals one payload")
    })
}
