//! Hours in which something may have been sealed, and the clock that they expire by.

use oubliette_keytree::Hour;
use rusqlite::{Connection, OptionalExtension, params};

use super::{accounts, fault::Result};
use crate::account::AccountId;

/// Notes an hour of an account. A second time changes nothing.
pub(super) fn note(connection: &Connection, account: i64, hour: Hour) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO active_hours (account, hour, due)
             SELECT account, ?2, ?2 + 24 * retention_days FROM accounts WHERE account = ?1",
        )?
        .execute(params![account, hour.number()])?;
    Ok(())
}

/// Hours end earlier or later under another retention.
pub(super) fn retention_changed(connection: &Connection, account: i64, days: u16) -> Result<()> {
    connection
        .prepare_cached("UPDATE active_hours SET due = hour + 24 * ?2 WHERE account = ?1")?
        .execute(params![account, days])?;
    Ok(())
}

/// The accounts whose noted hours are over before this one, by their oldest, and their retention.
pub(super) fn due(
    connection: &Connection,
    before: Hour,
    limit: u32,
) -> Result<Vec<(AccountId, u16)>> {
    let mut statement = connection.prepare_cached(
        "SELECT a.id, a.retention_days FROM active_hours h JOIN accounts a USING (account)
         WHERE h.due < ?1 ORDER BY h.due, h.account LIMIT ?2",
    )?;
    let mut rows = statement.query(params![before.number(), limit])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.push((accounts::name(row.get(0)?)?, row.get(1)?));
    }
    Ok(due)
}

/// Strikes the hours before one off, account by account; how many that were.
pub(super) fn strike(connection: &Connection, done: &[(AccountId, Hour)]) -> Result<u64> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM active_hours WHERE hour < ?2
             AND account = (SELECT account FROM accounts WHERE id = ?1)",
    )?;
    let mut struck = 0;
    for (account, hour) in done {
        struck += statement.execute(params![account.as_str(), hour.number()])? as u64;
    }
    Ok(struck)
}

pub(super) fn clock(connection: &Connection) -> Result<Option<i64>> {
    let at = "SELECT at FROM expiry_clock";
    Ok(connection.prepare_cached(at)?.query_row([], |row| row.get(0)).optional()?)
}

/// Never goes back.
pub(super) fn set_clock(connection: &Connection, at: i64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO expiry_clock (one, at) VALUES (1, ?1)
             ON CONFLICT (one) DO UPDATE SET at = max(at, excluded.at)",
        )?
        .execute([at])?;
    Ok(())
}
