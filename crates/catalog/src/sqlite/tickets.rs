//! Tickets and grants.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    accounts::{self, Known},
    convert,
    fault::{Fault, Result},
    listing,
};
use crate::{
    error::CatalogError,
    page::{Cursor, Page},
    ticket::{Grant, Ticket},
};

pub(super) fn open(connection: &Connection, ticket: &Ticket) -> Result<()> {
    let account = accounts::known(connection, &ticket.account)?;
    connection
        .prepare_cached(
            "INSERT INTO tickets (id, account, subject, opened_by, opened_at, closed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            ticket.id,
            account.number,
            ticket.subject,
            ticket.opened_by,
            ticket.opened_at,
            ticket.closed_at,
        ])
        .map_err(|error| {
            accounts::taken(error.into(), || format!("there is a ticket {} already", ticket.id))
        })?;
    Ok(())
}

pub(super) fn find(connection: &Connection, account: &Known, id: &str) -> Result<Ticket> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {TICKET} FROM tickets WHERE id = ?1 AND account = ?2"))?;
    let mut rows = statement.query(params![id, account.number])?;
    match rows.next()? {
        Some(row) => ticket(account, row),
        None => Err(missing(account, "ticket", id)),
    }
}

pub(super) fn list(
    connection: &Connection,
    account: &Known,
    cursor: Option<Cursor>,
    limit: u32,
) -> Result<Page<Ticket>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {TICKET} FROM tickets WHERE account = ?1 AND ticket < ?2
         ORDER BY ticket DESC LIMIT ?3"
    ))?;
    let before = cursor.map_or(i64::MAX, |cursor| cursor.row);
    let mut rows = statement.query([account.number, before, listing::one_more(limit)])?;
    let mut tickets = Vec::new();
    while let Some(row) = rows.next()? {
        tickets.push((Cursor { time: 0, row: row.get("ticket")? }, ticket(account, row)?));
    }
    Ok(listing::page(tickets, limit))
}

pub(super) fn close(
    connection: &Connection,
    account: &Known,
    id: &str,
    now: i64,
) -> Result<Ticket> {
    connection
        .prepare_cached(
            "UPDATE tickets SET closed_at = coalesce(closed_at, ?3) WHERE id = ?1 AND account = ?2",
        )?
        .execute(params![id, account.number, now])?;
    connection
        .prepare_cached(
            "UPDATE grants SET revoked_at = coalesce(revoked_at, ?3)
             WHERE ticket = (SELECT ticket FROM tickets WHERE id = ?1 AND account = ?2)",
        )?
        .execute(params![id, account.number, now])?;
    find(connection, account, id)
}

pub(super) fn grant(connection: &Connection, grant: &Grant) -> Result<()> {
    let account = accounts::known(connection, &grant.account)?;
    let ticket: Option<(i64, Option<i64>)> = connection
        .prepare_cached("SELECT ticket, closed_at FROM tickets WHERE id = ?1 AND account = ?2")?
        .query_row(params![grant.ticket, account.number], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let ticket = match ticket {
        None => return Err(missing(&account, "ticket", &grant.ticket)),
        Some((_, Some(_))) => {
            return Err(CatalogError::conflict(format!(
                "ticket {} is closed: open another to grant something",
                grant.ticket
            ))
            .into());
        }
        Some((ticket, None)) => ticket,
    };
    connection
        .prepare_cached(
            "INSERT INTO grants (id, ticket, account, agent, scope, parts, granted_by, not_before,
                 until, revoked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            grant.id,
            ticket,
            account.number,
            grant.agent,
            convert::json(&grant.scope),
            convert::word(&grant.parts),
            grant.granted_by,
            grant.not_before,
            grant.until,
            grant.revoked_at,
        ])
        .map_err(|error| {
            accounts::taken(error.into(), || format!("there is a grant {} already", grant.id))
        })?;
    Ok(())
}

pub(super) fn find_grant(connection: &Connection, account: &Known, id: &str) -> Result<Grant> {
    let mut statement =
        connection.prepare_cached(&format!("{GRANT} WHERE g.id = ?1 AND g.account = ?2"))?;
    let mut rows = statement.query(params![id, account.number])?;
    match rows.next()? {
        Some(row) => grant_from(account, row),
        None => Err(missing(account, "grant", id)),
    }
}

pub(super) fn grants(
    connection: &Connection,
    account: &Known,
    ticket: Option<&str>,
) -> Result<Vec<Grant>> {
    let mut statement = connection.prepare_cached(&format!(
        "{GRANT} WHERE g.account = ?1 AND (?2 IS NULL OR t.id = ?2) ORDER BY g.\"grant\""
    ))?;
    let mut rows = statement.query(params![account.number, ticket])?;
    let mut grants = Vec::new();
    while let Some(row) = rows.next()? {
        grants.push(grant_from(account, row)?);
    }
    Ok(grants)
}

pub(super) fn revoke(
    connection: &Connection,
    account: &Known,
    id: &str,
    now: i64,
) -> Result<Grant> {
    connection
        .prepare_cached(
            "UPDATE grants SET revoked_at = coalesce(revoked_at, ?3)
             WHERE id = ?1 AND account = ?2",
        )?
        .execute(params![id, account.number, now])?;
    find_grant(connection, account, id)
}

pub(super) fn live(
    connection: &Connection,
    agent: &str,
    account: &Known,
    now: i64,
) -> Result<Vec<Grant>> {
    let mut statement = connection.prepare_cached(&format!(
        "{GRANT} WHERE g.account = ?1 AND g.agent = ?2 AND g.until > ?3 AND g.not_before <= ?3
             AND g.revoked_at IS NULL AND t.closed_at IS NULL
         ORDER BY g.\"grant\""
    ))?;
    let mut rows = statement.query(params![account.number, agent, now])?;
    let mut grants = Vec::new();
    while let Some(row) = rows.next()? {
        grants.push(grant_from(account, row)?);
    }
    Ok(grants)
}

const TICKET: &str = "ticket, id, subject, opened_by, opened_at, closed_at";

fn ticket(account: &Known, row: &Row<'_>) -> Result<Ticket> {
    Ok(Ticket {
        id: row.get("id")?,
        account: account.id.clone(),
        subject: row.get("subject")?,
        opened_by: row.get("opened_by")?,
        opened_at: row.get("opened_at")?,
        closed_at: row.get("closed_at")?,
    })
}

const GRANT: &str = "SELECT g.id, t.id, g.agent, g.scope, g.parts, g.granted_by, g.not_before, \
     g.until, g.revoked_at FROM grants g JOIN tickets t USING (ticket)";

fn grant_from(account: &Known, row: &Row<'_>) -> Result<Grant> {
    let scope: String = row.get(3)?;
    Ok(Grant {
        id: row.get(0)?,
        ticket: row.get(1)?,
        account: account.id.clone(),
        agent: row.get(2)?,
        scope: convert::json_back(&scope, "grant scope")?,
        parts: convert::word_back(row.get(4)?, "grant parts")?,
        granted_by: row.get(5)?,
        not_before: row.get(6)?,
        until: row.get(7)?,
        revoked_at: row.get(8)?,
    })
}

fn missing(account: &Known, what: &str, id: &str) -> Fault {
    CatalogError::not_found(format!("account {} has no {what} {id}", account.id)).into()
}
