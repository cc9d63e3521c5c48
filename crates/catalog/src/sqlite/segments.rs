//! What segments hold, and moving records from one to another.

use std::collections::HashMap;

use oubliette_keytree::LeafAddress;
use rusqlite::{Connection, OptionalExtension, params};

use super::{accounts::Known, convert, fault::Result, reading};
use crate::{
    capture::{CaptureState, LiveSegment, Location, Relocation},
    error::CatalogErrorKind,
};

/// Rows that are looked at in one statement. A statement that runs for long keeps the write-ahead
/// log from being taken in.
const ROWS: i64 = 20_000;

/// No index leads from a segment to its captures: it would cost every capture, and this pass costs
/// a second for a million of them.
pub(super) fn live(connection: &Connection) -> Result<HashMap<String, LiveSegment>> {
    let mut segments: HashMap<String, LiveSegment> = HashMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT c.capture, c.segment, c.len,
             c.state = 0 AND c.capture > a.shredded_through AND c.address >= a.expired_before
                 AND a.removed_at IS NULL
         FROM captures c JOIN accounts a USING (account)
         WHERE c.capture > ?1 ORDER BY c.capture LIMIT ?2",
    )?;
    let mut after = 0_i64;
    loop {
        let mut seen = 0;
        let mut rows = statement.query([after, ROWS])?;
        while let Some(row) = rows.next()? {
            seen += 1;
            after = row.get(0)?;
            if !row.get::<_, bool>(3)? {
                continue;
            }
            let id = row.get_ref(1)?.as_str().unwrap_or_default();
            let bytes = convert::count_back(row.get(2)?, "capture length")?;
            if !segments.contains_key(id) {
                segments.insert(id.to_owned(), LiveSegment::default());
            }
            let segment = segments.get_mut(id).expect("just entered");
            segment.captures += 1;
            segment.bytes += bytes;
        }
        if seen < ROWS {
            return Ok(segments);
        }
    }
}

pub(super) fn locations(
    connection: &Connection,
    account: &Known,
    addresses: &[LeafAddress],
) -> Result<Vec<Option<Location>>> {
    addresses.iter().map(|address| location(connection, account, *address)).collect()
}

fn location(
    connection: &Connection,
    account: &Known,
    address: LeafAddress,
) -> Result<Option<Location>> {
    let found: Option<(i64, Location)> = connection
        .prepare_cached(
            "SELECT capture, segment, object, offset, len FROM captures
             WHERE account = ?1 AND address = ?2 AND state = 0",
        )?
        .query_row([account.number, convert::address(address)], |row| {
            let count = |column: i64| column.cast_unsigned();
            let location = Location {
                segment: row.get(1)?,
                object: row.get(2)?,
                offset: count(row.get(3)?),
                len: count(row.get(4)?),
            };
            Ok((row.get(0)?, location))
        })
        .optional()?;
    let is_live =
        |row| account.state(row, address, CaptureState::Stored, None).0 == CaptureState::Stored;
    Ok(found.filter(|(row, _)| is_live(*row)).map(|(_, location)| location))
}

pub(super) fn relocate(connection: &Connection, moves: &[Relocation]) -> Result<u64> {
    let mut moved = 0;
    for Relocation { account, address, from, to } in moves {
        let account = match super::accounts::known(connection, account) {
            Ok(account) => account,
            Err(super::fault::Fault::Ours(e)) if e.kind() == CatalogErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if !reading::has_address(connection, &account, *address)? {
            continue;
        }
        moved += connection
            .prepare_cached(
                "UPDATE captures SET segment = ?3, object = ?4, offset = ?5, len = ?6
                 WHERE account = ?1 AND address = ?2 AND state = 0 AND object = ?7 AND offset = ?8",
            )?
            .execute(params![
                account.number,
                convert::address(*address),
                to.segment,
                to.object,
                convert::count(to.offset),
                convert::count(to.len),
                from.object,
                convert::count(from.offset),
            ])? as u64;
    }
    Ok(moved)
}
