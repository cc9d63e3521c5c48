//! Finding and listing exchanges and captures.

use oubliette_keytree::LeafAddress;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};

use super::{
    accounts::Known,
    convert,
    fault::{Fault, Result},
    listing::{self, Query},
};
use crate::{
    capture::{Capture, CaptureState, Location, Part},
    error::CatalogError,
    exchange::{Exchange, ExchangeId, ExchangeRecord},
    page::{CaptureFilter, Cursor, Order, Page},
};

/// A capture and its row. Its state is the true one; what the dead must not show is not hidden yet.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) row: i64,
    pub(super) capture: Capture,
}

pub(super) fn exchange(
    connection: &Connection,
    account: &Known,
    id: &ExchangeId,
) -> Result<ExchangeRecord> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {EXCHANGE} FROM exchanges e WHERE e.account = ?1 AND e.id = ?2"
    ))?;
    let mut rows = statement.query(params![account.number, id.as_str()])?;
    let row = rows.next()?.ok_or_else(|| no_exchange(account, id))?;
    record(connection, account, row)
}

pub(super) fn capture(
    connection: &Connection,
    account: &Known,
    exchange: &ExchangeId,
    part: Part,
) -> Result<Capture> {
    match find_capture(connection, account, exchange, part)? {
        Some(found) => Ok(found.capture.veiled()),
        None => Err(CatalogError::not_found(format!(
            "account {} has no capture of the {} of exchange {exchange}",
            account.id,
            part.as_str()
        ))
        .into()),
    }
}

pub(super) fn find_capture(
    connection: &Connection,
    account: &Known,
    exchange: &ExchangeId,
    part: Part,
) -> Result<Option<Found>> {
    let row = connection
        .prepare_cached("SELECT exchange FROM exchanges WHERE account = ?1 AND id = ?2")?
        .query_row(params![account.number, exchange.as_str()], |row| row.get(0))
        .optional()?;
    match row {
        Some(row) => capture_of(connection, account, row, part),
        None => Ok(None),
    }
}

pub(super) fn capture_of(
    connection: &Connection,
    account: &Known,
    exchange: i64,
    part: Part,
) -> Result<Option<Found>> {
    let found = captures_of(connection, account, exchange)?;
    Ok(found.into_iter().find(|found| found.capture.part == part))
}

/// The captures of one exchange: request first.
pub(super) fn captures_of(
    connection: &Connection,
    account: &Known,
    exchange: i64,
) -> Result<Vec<Found>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {CAPTURE} FROM captures c JOIN exchanges e USING (exchange)
         WHERE c.exchange = ?1 ORDER BY c.part"
    ))?;
    let mut rows = statement.query([exchange])?;
    let mut captures = Vec::with_capacity(2);
    while let Some(row) = rows.next()? {
        captures.push(found(account, row)?);
    }
    Ok(captures)
}

pub(super) fn list_captures(
    connection: &Connection,
    account: &Known,
    filter: &CaptureFilter,
) -> Result<Page<Capture>> {
    let query = captures_query(account, filter);
    let mut statement = connection.prepare_cached(&query.sql)?;
    let mut rows = statement.query(params_from_iter(query.values))?;
    let mut captures = Vec::new();
    while let Some(row) = rows.next()? {
        let Found { row, capture } = found(account, row)?;
        captures.push((Cursor { time: capture.captured_at, row }, capture.veiled()));
    }
    Ok(listing::page(captures, filter.limit))
}

pub(super) fn captures_query(account: &Known, filter: &CaptureFilter) -> Query {
    let mut query = Query::new(
        format!(
            "SELECT {CAPTURE} FROM captures c JOIN exchanges e USING (exchange)
             WHERE c.account = ?"
        ),
        account.number,
    );
    if let Some(from) = filter.from {
        query.and("c.captured_at >= ?", [from.into()]);
    }
    if let Some(to) = filter.to {
        query.and("c.captured_at < ?", [to.into()]);
    }
    if let Some(Cursor { time, row }) = filter.cursor {
        let beyond = match filter.order {
            Order::Newest => "(c.captured_at, c.capture) < (?, ?)",
            Order::Oldest => "(c.captured_at, c.capture) > (?, ?)",
        };
        query.and(beyond, [time.into(), row.into()]);
    }
    if let Some(part) = filter.part {
        query.and("c.part = ?", [part_column(part).into()]);
    }
    if let Some(state) = filter.state {
        query.and(IS_IN_STATE, is_in_state(account, state));
    }
    query.order(&["c.captured_at", "c.capture"], filter.order, filter.limit);
    query
}

pub(super) fn list_exchanges(
    connection: &Connection,
    account: &Known,
    filter: &CaptureFilter,
) -> Result<Page<ExchangeRecord>> {
    let query = exchanges_query(account, filter);
    let mut statement = connection.prepare_cached(&query.sql)?;
    let mut rows = statement.query(params_from_iter(query.values))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let cursor = Cursor { time: row.get("time")?, row: row.get("exchange")? };
        records.push((cursor, record(connection, account, row)?));
    }
    Ok(listing::page(records, filter.limit))
}

pub(super) fn exchanges_query(account: &Known, filter: &CaptureFilter) -> Query {
    let mut query = Query::new(
        format!("SELECT {EXCHANGE} FROM exchanges e WHERE e.account = ?"),
        account.number,
    );
    if let Some(from) = filter.from {
        query.and("e.time >= ?", [from.into()]);
    }
    if let Some(to) = filter.to {
        query.and("e.time < ?", [to.into()]);
    }
    if let Some(Cursor { time, row }) = filter.cursor {
        let beyond = match filter.order {
            Order::Newest => "(e.time, e.exchange) < (?, ?)",
            Order::Oldest => "(e.time, e.exchange) > (?, ?)",
        };
        query.and(beyond, [time.into(), row.into()]);
    }
    if filter.part.is_some() || filter.state.is_some() {
        query.and("EXISTS (SELECT 1 FROM captures c WHERE c.exchange = e.exchange", []);
        if let Some(part) = filter.part {
            query.and("c.part = ?", [part_column(part).into()]);
        }
        if let Some(state) = filter.state {
            query.and(IS_IN_STATE, is_in_state(account, state));
        }
        query.sql.push(')');
    }
    query.order(&["e.time", "e.exchange"], filter.order, filter.limit);
    query
}

pub(super) fn has_address(
    connection: &Connection,
    account: &Known,
    address: LeafAddress,
) -> Result<bool> {
    let row: Option<i64> = connection
        .prepare_cached(
            "SELECT capture FROM captures WHERE account = ?1 AND address = ?2 AND state = 0",
        )?
        .query_row([account.number, convert::address(address)], |row| row.get(0))
        .optional()?;
    Ok(row.is_some_and(|row| {
        account.state(row, address, CaptureState::Stored, None).0 == CaptureState::Stored
    }))
}

pub(super) fn part_column(part: Part) -> i64 {
    match part {
        Part::Request => 0,
        Part::Response => 1,
    }
}

pub(super) fn state_column(state: CaptureState) -> i64 {
    match state {
        CaptureState::Stored => 0,
        CaptureState::Shredded => 1,
        CaptureState::Expired => 2,
    }
}

pub(super) fn no_exchange(account: &Known, id: &ExchangeId) -> Fault {
    CatalogError::not_found(format!("account {} has no exchange {id}", account.id)).into()
}

/// [`Known::state`] once more, for the database to filter by.
const IS_IN_STATE: &str = "CASE WHEN c.state <> 0 THEN c.state WHEN c.capture <= ? THEN 1 \
     WHEN c.address < ? THEN 2 ELSE 0 END = ?";

fn is_in_state(account: &Known, state: CaptureState) -> [Value; 3] {
    [account.shredded_through.into(), account.expired_before.into(), state_column(state).into()]
}

const EXCHANGE: &str = "e.exchange, e.id, e.time, e.api, e.model, e.provider, e.status, \
     e.tokens_in, e.tokens_out, e.latency_ms, e.trace_id, e.cache_key, e.key_hash";

fn record(connection: &Connection, account: &Known, row: &Row<'_>) -> Result<ExchangeRecord> {
    let count = |column: &'static str| {
        row.get::<_, Option<i64>>(column)?.map(|n| convert::count_back(n, column)).transpose()
    };
    let exchange = Exchange {
        account: account.id.clone(),
        id: exchange_id(row.get("id")?)?,
        time: row.get("time")?,
        api: row.get("api")?,
        model: row.get("model")?,
        provider: row.get("provider")?,
        status: row.get("status")?,
        tokens_in: count("tokens_in")?,
        tokens_out: count("tokens_out")?,
        latency_ms: count("latency_ms")?,
        trace_id: row.get("trace_id")?,
        cache_key: row.get("cache_key")?,
        key_hash: row.get("key_hash")?,
    };
    let captures = captures_of(connection, account, row.get("exchange")?)?;
    let captures = captures.into_iter().map(|found| found.capture).collect();
    Ok(ExchangeRecord { exchange, captures }.veiled())
}

const CAPTURE: &str = "c.capture, e.id, c.part, c.address, c.captured_at, c.retention_days, \
     c.state, c.forgotten_at, c.segment, c.object, c.offset, c.len, c.content_type, c.format, \
     c.rule_set, c.findings";

fn found(account: &Known, columns: &Row<'_>) -> Result<Found> {
    let row = columns.get("capture")?;
    let address = convert::address_back(columns.get("address")?);
    let stored = match columns.get("state")? {
        0 => CaptureState::Stored,
        1 => CaptureState::Shredded,
        2 => CaptureState::Expired,
        _ => return Err(Fault::Unreadable("capture state")),
    };
    let part = match columns.get("part")? {
        0 => Part::Request,
        1 => Part::Response,
        _ => return Err(Fault::Unreadable("capture part")),
    };
    let (state, forgotten_at) = account.state(row, address, stored, columns.get("forgotten_at")?);
    let location = match (columns.get("segment")?, columns.get("object")?) {
        (Some(segment), Some(object)) => Some(Location {
            segment,
            object,
            offset: convert::count_back(columns.get("offset")?, "capture offset")?,
            len: convert::count_back(columns.get("len")?, "capture length")?,
        }),
        _ => None,
    };
    let findings: String = columns.get("findings")?;
    let capture = Capture {
        account: account.id.clone(),
        exchange: exchange_id(columns.get("id")?)?,
        part,
        address,
        captured_at: columns.get("captured_at")?,
        retention_days: columns.get("retention_days")?,
        state,
        forgotten_at,
        location,
        content_type: columns.get("content_type")?,
        format: columns.get("format")?,
        rule_set: columns.get("rule_set")?,
        findings: convert::json_back(&findings, "capture findings")?,
    };
    Ok(Found { row, capture })
}

fn exchange_id(column: String) -> Result<ExchangeId> {
    ExchangeId::new(column).map_err(|_| Fault::Unreadable("exchange id"))
}
