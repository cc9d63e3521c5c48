//! Audit rows.

use rusqlite::{Connection, params, params_from_iter, types::Value};

use super::{
    accounts, convert,
    fault::Result,
    listing::{self, Query},
};
use crate::{
    account::AccountId,
    audit::{AuditEvent, AuditRow},
    page::{Cursor, Order, Page},
};

pub(super) fn append(connection: &Connection, event: AuditEvent) -> Result<AuditRow> {
    connection
        .prepare_cached(
            "INSERT INTO audit (at, account, actor, action, subject, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            event.at,
            event.account.as_ref().map(AccountId::as_str),
            event.actor,
            event.action,
            event.subject,
            convert::json(&event.detail),
        ])?;
    let seq = convert::count_back(connection.last_insert_rowid(), "audit number")?;
    Ok(AuditRow { seq, event })
}

pub(super) fn list(
    connection: &Connection,
    account: Option<&AccountId>,
    order: Order,
    cursor: Option<Cursor>,
    limit: u32,
) -> Result<Page<AuditRow>> {
    let query = query(account, order, cursor, limit);
    let mut statement = connection.prepare_cached(&query.sql)?;
    let mut rows = statement.query(params_from_iter(query.values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get("seq")?;
        let detail: String = row.get("detail")?;
        let event = AuditEvent {
            at: row.get("at")?,
            account: row.get::<_, Option<String>>("account")?.map(accounts::name).transpose()?,
            actor: row.get("actor")?,
            action: row.get("action")?,
            subject: row.get("subject")?,
            detail: convert::json_back(&detail, "audit detail")?,
        };
        let row = AuditRow { seq: convert::count_back(seq, "audit number")?, event };
        found.push((Cursor { time: 0, row: seq }, row));
    }
    Ok(listing::page(found, limit))
}

pub(super) fn query(
    account: Option<&AccountId>,
    order: Order,
    cursor: Option<Cursor>,
    limit: u32,
) -> Query {
    let mut query = Query::new(
        "SELECT seq, at, account, actor, action, subject, detail FROM audit WHERE seq > ?".into(),
        0,
    );
    if let Some(account) = account {
        query.and("account = ?", [account.as_str().to_owned().into()]);
    }
    if let Some(Cursor { row, .. }) = cursor {
        let beyond = match order {
            Order::Newest => "seq < ?",
            Order::Oldest => "seq > ?",
        };
        query.and(beyond, [Value::from(row)]);
    }
    query.order(&["seq"], order, limit);
    query
}
