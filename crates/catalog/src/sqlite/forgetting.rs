//! Marking as dead, the list of keys to erase, and clearing up.

use oubliette_keytree::{Hour, LeafAddress};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::{
    accounts::{self, Known},
    convert,
    fault::Result,
    reading,
};
use crate::{
    account::AccountId,
    capture::{CaptureState, Part, Parts},
    exchange::ExchangeId,
    shred::{PendingShred, ShredReason, ShredTarget},
};

pub(super) fn mark_parts(
    connection: &Connection,
    account: &Known,
    id: &ExchangeId,
    parts: Parts,
    now: i64,
) -> Result<Vec<PendingShred>> {
    let asked = [Part::Request, Part::Response].into_iter().filter(|part| parts.contains(*part));
    let bits = asked.map(bit).sum::<i64>();
    let exchange: i64 = connection
        .prepare_cached(
            "UPDATE exchanges SET shredded = shredded | ?3 WHERE account = ?1 AND id = ?2
             RETURNING exchange",
        )?
        .query_row(params![account.number, id.as_str(), bits], |row| row.get(0))
        .optional()?
        .ok_or_else(|| reading::no_exchange(account, id))?;
    let mut shreds = Vec::new();
    let mut alive = false;
    for found in reading::captures_of(connection, account, exchange)? {
        let live = found.capture.state == CaptureState::Stored;
        if live && parts.contains(found.capture.part) {
            clear_capture(connection, found.row, CaptureState::Shredded, now)?;
            let address = found.capture.address;
            shreds.extend(retire(connection, account, address, ShredReason::Shredded, now)?);
        } else {
            alive |= live;
        }
    }
    if !alive {
        clear_exchange(connection, exchange)?;
    }
    Ok(shreds)
}

pub(super) fn mark_account(
    connection: &Connection,
    id: &AccountId,
    now: i64,
) -> Result<PendingShred> {
    let number = accounts::known(connection, id)?.number;
    // The highest capture of all accounts: found at once, and no less true.
    connection
        .prepare_cached(
            "UPDATE accounts SET shredded_at = ?2, unswept = unswept | 2,
                 shredded_through = (SELECT coalesce(max(capture), 0) FROM captures)
             WHERE account = ?1",
        )?
        .execute([number, now])?;
    // The whole tree includes every leaf that was still to be erased.
    connection
        .prepare_cached("DELETE FROM pending_shreds WHERE account = ?1 AND address IS NOT NULL")?
        .execute([number])?;
    connection
        .prepare_cached("INSERT INTO pending_shreds (account, reason, since) VALUES (?1, ?2, ?3)")?
        .execute(params![number, convert::word(&ShredReason::Shredded), now])?;
    Ok(PendingShred {
        id: convert::count_back(connection.last_insert_rowid(), "pending shred")?,
        account: id.clone(),
        target: ShredTarget::Account,
        reason: ShredReason::Shredded,
        since: now,
    })
}

pub(super) fn mark_expired(
    connection: &Connection,
    expired: &[(AccountId, Hour)],
    now: i64,
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE accounts SET expired_before = ?2, expired_at = ?3, unswept = unswept | 1
         WHERE id = ?1 AND expired_before < ?2 AND removed_at IS NULL",
    )?;
    for (account, hour) in expired {
        statement.execute(params![account.as_str(), convert::hour(*hour), now])?;
    }
    Ok(())
}

/// Enters an address that is to be erased, unless a live capture has it; what stands in the list
/// then, be it new or not.
pub(super) fn retire(
    connection: &Connection,
    account: &Known,
    address: LeafAddress,
    reason: ShredReason,
    now: i64,
) -> Result<Option<PendingShred>> {
    if reading::has_address(connection, account, address)? {
        return Ok(None);
    }
    let column = convert::address(address);
    connection
        .prepare_cached(
            "INSERT INTO pending_shreds (account, address, reason, since) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![account.number, column, convert::word(&reason), now])?;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {PENDING} FROM pending_shreds p JOIN accounts a USING (account)
         WHERE p.account = ?1 AND p.address = ?2"
    ))?;
    let mut rows = statement.query([account.number, column])?;
    rows.next()?.map(pending_shred).transpose()
}

pub(super) fn retire_orphans(
    connection: &Connection,
    account: &AccountId,
    addresses: &[LeafAddress],
    now: i64,
) -> Result<Vec<PendingShred>> {
    let account = accounts::known(connection, account)?;
    let mut shreds = Vec::new();
    for &address in addresses {
        shreds.extend(retire(connection, &account, address, ShredReason::Orphaned, now)?);
    }
    Ok(shreds)
}

pub(super) fn is_pending(
    connection: &Connection,
    account: i64,
    address: LeafAddress,
) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM pending_shreds WHERE account = ?1 AND address = ?2")?
        .exists([account, convert::address(address)])?)
}

pub(super) fn pending(
    connection: &Connection,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<PendingShred>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {PENDING} FROM pending_shreds p JOIN accounts a USING (account)
         WHERE p.id > ?1 ORDER BY p.id LIMIT ?2"
    ))?;
    let after = after.map_or(0, convert::count);
    let mut rows = statement.query([after, i64::from(limit)])?;
    let mut shreds = Vec::new();
    while let Some(row) = rows.next()? {
        shreds.push(pending_shred(row)?);
    }
    Ok(shreds)
}

pub(super) fn complete(connection: &Connection, ids: &[u64]) -> Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM pending_shreds WHERE id = ?1")?;
    for id in ids {
        statement.execute([convert::count(*id)])?;
    }
    Ok(())
}

/// Clears up to `limit` rows of the accounts that have any to clear.
pub(super) fn sweep(connection: &Connection, limit: u32) -> Result<u32> {
    let mut cleared = 0;
    while cleared < limit {
        let next: Option<(String, bool, i64)> = connection
            .prepare_cached(
                "SELECT id, removed_at IS NOT NULL, unswept FROM accounts WHERE unswept <> 0
                 ORDER BY account LIMIT 1",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((id, removed, unswept)) = next else { break };
        let left = limit - cleared;
        let done = if removed {
            delete_removed(connection, &id, left)?
        } else {
            let account = accounts::known(connection, &accounts::name(id.clone())?)?;
            clear_dead(connection, &account, unswept & 2 != 0, left)?
        };
        cleared += done;
        if done < left {
            connection
                .prepare_cached("UPDATE accounts SET unswept = 0 WHERE id = ?1")?
                .execute([id])?;
        }
    }
    Ok(cleared)
}

/// The bit that stands for a part in `exchanges.shredded`.
pub(super) fn bit(part: Part) -> i64 {
    match part {
        Part::Request => 1,
        Part::Response => 2,
    }
}

/// Leaves of an exchange only what its owner may still see.
pub(super) fn clear_exchange(connection: &Connection, exchange: i64) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE exchanges SET api = NULL, model = NULL, provider = NULL, status = NULL,
                 tokens_in = NULL, tokens_out = NULL, latency_ms = NULL, trace_id = NULL,
                 cache_key = NULL, key_hash = NULL
             WHERE exchange = ?1",
        )?
        .execute([exchange])?;
    Ok(())
}

fn clear_capture(connection: &Connection, row: i64, state: CaptureState, at: i64) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE captures SET state = ?2, forgotten_at = ?3, segment = NULL, object = NULL,
                 offset = NULL, len = NULL, content_type = NULL, format = '', rule_set = NULL,
                 findings = '{}'
             WHERE capture = ?1",
        )?
        .execute(params![row, reading::state_column(state), at])?;
    Ok(())
}

fn delete_removed(connection: &Connection, id: &str, limit: u32) -> Result<u32> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM exchanges WHERE exchange IN (
                 SELECT e.exchange FROM exchanges e JOIN accounts a USING (account)
                 WHERE a.id = ?1 LIMIT ?2)",
        )?
        .execute(params![id, limit])?;
    Ok(u32::try_from(deleted).unwrap_or(limit))
}

fn clear_dead(connection: &Connection, account: &Known, shredded: bool, limit: u32) -> Result<u32> {
    // By the index of the living, which what is cleared leaves. It is in the order of hours, so the
    // expired come first, and mostly the shredded too. Two statements, because a UNION would collect
    // them all before it looked at the limit.
    let mut dead = dead_rows(
        connection,
        "SELECT capture, exchange, address FROM captures INDEXED BY captures_live
         WHERE account = ?1 AND state = 0 AND address < ?2 ORDER BY address LIMIT ?3",
        [account.number, account.expired_before, limit.into()],
    )?;
    let left = i64::from(limit) - i64::try_from(dead.len()).expect("at most limit");
    if shredded && left > 0 {
        dead.extend(dead_rows(
            connection,
            "SELECT capture, exchange, address FROM captures INDEXED BY captures_live
             WHERE account = ?1 AND state = 0 AND address >= ?2 AND capture <= ?4
             ORDER BY address LIMIT ?3",
            [account.number, account.expired_before, left, account.shredded_through],
        )?);
    }
    for &(capture, exchange, address) in &dead {
        let address = convert::address_back(address);
        let (state, at) = account.state(capture, address, CaptureState::Stored, None);
        clear_capture(connection, capture, state, at.unwrap_or_default())?;
        let alive = connection
            .prepare_cached("SELECT 1 FROM captures WHERE exchange = ?1 AND state = 0")?
            .exists([exchange])?;
        if !alive {
            clear_exchange(connection, exchange)?;
        }
    }
    Ok(u32::try_from(dead.len()).unwrap_or(limit))
}

/// Capture, exchange and address of rows that are to be cleared.
fn dead_rows<const N: usize>(
    connection: &Connection,
    sql: &'static str,
    values: [i64; N],
) -> Result<Vec<(i64, i64, i64)>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement
        .query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const PENDING: &str = "p.id, a.id, p.address, p.reason, p.since";

fn pending_shred(row: &Row<'_>) -> Result<PendingShred> {
    let address: Option<i64> = row.get(2)?;
    Ok(PendingShred {
        id: convert::count_back(row.get(0)?, "pending shred")?,
        account: accounts::name(row.get(1)?)?,
        target: address.map_or(ShredTarget::Account, |column| {
            ShredTarget::Leaf(convert::address_back(column))
        }),
        reason: convert::word_back(row.get(3)?, "shred reason")?,
        since: row.get(4)?,
    })
}
