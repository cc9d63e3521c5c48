//! Accounts and settings.

use oubliette_keytree::LeafAddress;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    convert,
    fault::{Fault, Result},
    forgetting, hours, listing,
};
use crate::{
    account::{Account, AccountId, Consent, Settings, SettingsChange},
    capture::CaptureState,
    error::CatalogError,
    page::{Cursor, Page},
    shred::PendingShred,
};

/// What every other table needs to know of an account: its number, and up to where its captures are
/// dead whatever their rows say.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) id: AccountId,
    pub(super) number: i64,
    pub(super) shredded_through: i64,
    shredded_at: i64,
    pub(super) expired_before: i64,
    expired_at: i64,
}

impl Known {
    /// The state a capture is in, and since when it is dead.
    ///
    /// A row that is not swept yet shows the last time the account was marked, which may be later
    /// than the one that killed it; sweeping writes it down.
    pub(super) fn state(
        &self,
        row: i64,
        address: LeafAddress,
        stored: CaptureState,
        forgotten_at: Option<i64>,
    ) -> (CaptureState, Option<i64>) {
        if stored != CaptureState::Stored {
            (stored, forgotten_at)
        } else if row <= self.shredded_through {
            (CaptureState::Shredded, Some(self.shredded_at))
        } else if self.is_expired(address) {
            (CaptureState::Expired, Some(self.expired_at))
        } else {
            (CaptureState::Stored, None)
        }
    }

    pub(super) fn is_expired(&self, address: LeafAddress) -> bool {
        convert::address(address) < self.expired_before
    }
}

/// Finds an account that is not removed.
pub(super) fn known(connection: &Connection, id: &AccountId) -> Result<Known> {
    let found = connection
        .prepare_cached(
            "SELECT account, shredded_through, shredded_at, expired_before, expired_at, removed_at
             FROM accounts WHERE id = ?1",
        )?
        .query_row([id.as_str()], |row| {
            let known = Known {
                id: id.clone(),
                number: row.get(0)?,
                shredded_through: row.get(1)?,
                shredded_at: row.get(2)?,
                expired_before: row.get(3)?,
                expired_at: row.get(4)?,
            };
            Ok((known, row.get::<_, Option<i64>>(5)?))
        })
        .optional()?;
    match found {
        Some((known, None)) => Ok(known),
        Some((_, Some(_))) => {
            Err(CatalogError::not_found(format!("account {id} has been removed")).into())
        }
        None => Err(unknown(id)),
    }
}

/// The name behind an account's number.
pub(super) fn name(column: String) -> Result<AccountId> {
    AccountId::new(column).map_err(|_| Fault::Unreadable("account id"))
}

pub(super) fn create(connection: &Connection, id: &AccountId, now: i64) -> Result<Account> {
    let settings = Settings::new(now);
    connection
        .prepare_cached(
            "INSERT INTO accounts (id, created_at, capture, redact, retention_days, max_body_bytes,
                 attachments, version, updated_at, updated_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?2, '')",
        )?
        .execute(params![
            id.as_str(),
            now,
            settings.capture,
            settings.redact,
            settings.retention_days,
            convert::count(settings.max_body_bytes),
            convert::word(&settings.attachments),
            convert::count(settings.version),
        ])
        .map_err(|error| {
            taken(error.into(), || format!("there is or was an account {id}: choose another name"))
        })?;
    Ok(Account { id: id.clone(), created_at: now, removed_at: None, settings })
}

pub(super) fn list(
    connection: &Connection,
    cursor: Option<Cursor>,
    limit: u32,
) -> Result<Page<Account>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, account FROM accounts
         WHERE removed_at IS NULL AND account > ?1 ORDER BY account LIMIT ?2"
    ))?;
    let after = cursor.map_or(0, |cursor| cursor.row);
    let mut rows = statement.query(params![after, listing::one_more(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((Cursor { time: 0, row: row.get("account")? }, from_row(row)?));
    }
    Ok(listing::page(found, limit))
}

pub(super) fn find(connection: &Connection, id: &AccountId) -> Result<Account> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM accounts WHERE id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    match rows.next()? {
        Some(row) => from_row(row),
        None => Err(unknown(id)),
    }
}

pub(super) fn change(
    connection: &Connection,
    id: &AccountId,
    change: SettingsChange,
    by: &str,
    now: i64,
) -> Result<Settings> {
    let number = known(connection, id)?.number;
    let before = find(connection, id)?.settings;
    let days = before.retention_days;
    let settings = before.changed(change, by, now)?;
    save(connection, number, &settings)?;
    if settings.retention_days != days {
        hours::retention_changed(connection, number, settings.retention_days)?;
    }
    Ok(settings)
}

pub(super) fn remove(connection: &Connection, id: &AccountId, now: i64) -> Result<PendingShred> {
    let shred = forgetting::mark_account(connection, id, now)?;
    let number = known(connection, id)?.number;
    for table in ["grants", "tickets", "api_keys", "jobs", "active_hours"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE account = ?1"))?
            .execute([number])?;
    }
    save(connection, number, &Settings::new(now))?;
    connection
        .prepare_cached("UPDATE accounts SET removed_at = ?2 WHERE account = ?1")?
        .execute([number, now])?;
    Ok(shred)
}

/// Turns the error of an insert into the conflict it means, if it does.
pub(super) fn taken(fault: Fault, message: impl FnOnce() -> String) -> Fault {
    if fault.is_taken() { CatalogError::conflict(message()).into() } else { fault }
}

const COLUMNS: &str = "id, created_at, removed_at, capture, redact, consent_by, consent_at, \
     retention_days, max_body_bytes, operator, attachments, custom_rules, body_policy, version, \
     updated_at, updated_by";

fn from_row(row: &Row<'_>) -> Result<Account> {
    let consent = match (row.get("consent_by")?, row.get("consent_at")?) {
        (Some(by), Some(at)) => Some(Consent { by, at }),
        _ => None,
    };
    Ok(Account {
        id: name(row.get("id")?)?,
        created_at: row.get("created_at")?,
        removed_at: row.get("removed_at")?,
        settings: Settings {
            capture: row.get("capture")?,
            redact: row.get("redact")?,
            redaction_consent: consent,
            retention_days: row.get("retention_days")?,
            max_body_bytes: convert::count_back(row.get("max_body_bytes")?, "max_body_bytes")?,
            operator: row.get("operator")?,
            attachments: convert::word_back(row.get("attachments")?, "attachments")?,
            custom_rules: row.get("custom_rules")?,
            body_policy: row
                .get::<_, Option<String>>("body_policy")?
                .map(|text| convert::json_back(&text, "body_policy"))
                .transpose()?,
            version: convert::count_back(row.get("version")?, "settings version")?,
            updated_at: row.get("updated_at")?,
            updated_by: row.get("updated_by")?,
        },
    })
}

fn save(connection: &Connection, number: i64, settings: &Settings) -> Result<()> {
    let consent = settings.redaction_consent.as_ref();
    connection
        .prepare_cached(
            "UPDATE accounts SET capture = ?2, redact = ?3, consent_by = ?4, consent_at = ?5,
                 retention_days = ?6, max_body_bytes = ?7, operator = ?8, attachments = ?9,
                 custom_rules = ?10, version = ?11, updated_at = ?12, updated_by = ?13,
                 body_policy = ?14
             WHERE account = ?1",
        )?
        .execute(params![
            number,
            settings.capture,
            settings.redact,
            consent.map(|consent| &consent.by),
            consent.map(|consent| consent.at),
            settings.retention_days,
            convert::count(settings.max_body_bytes),
            settings.operator,
            convert::word(&settings.attachments),
            settings.custom_rules,
            convert::count(settings.version),
            settings.updated_at,
            settings.updated_by,
            settings.body_policy.as_ref().map(serde_json::Value::to_string),
        ])?;
    Ok(())
}

fn unknown(id: &AccountId) -> Fault {
    CatalogError::not_found(format!("there is no account {id}: create it first")).into()
}
