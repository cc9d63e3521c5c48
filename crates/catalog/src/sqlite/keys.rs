//! API keys.

use rusqlite::{Connection, Row, params};

use super::{
    accounts, convert,
    fault::{Fault, Result},
};
use crate::{account::AccountId, error::CatalogError, key::ApiKey};

pub(super) fn insert(connection: &Connection, key: &ApiKey) -> Result<()> {
    let account = match &key.account {
        Some(id) => Some(accounts::known(connection, id)?.number),
        None => None,
    };
    connection
        .prepare_cached(
            "INSERT INTO api_keys (id, role, account, name, hash, created_at, revoked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            key.id,
            convert::word(&key.role),
            account,
            key.name,
            key.hash.as_slice(),
            key.created_at,
            key.revoked_at,
        ])
        .map_err(|error| {
            accounts::taken(error.into(), || format!("there is an API key {} already", key.id))
        })?;
    Ok(())
}

pub(super) fn find(connection: &Connection, id: &str) -> Result<Option<ApiKey>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE k.id = ?1"))?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(from_row).transpose()
}

pub(super) fn list(connection: &Connection, account: Option<&AccountId>) -> Result<Vec<ApiKey>> {
    let number = match account {
        Some(id) => Some(accounts::known(connection, id)?.number),
        None => None,
    };
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE ?1 IS NULL OR k.account = ?1 ORDER BY k.created_at, k.id"
    ))?;
    let mut rows = statement.query([number])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(from_row(row)?);
    }
    Ok(keys)
}

pub(super) fn revoke(connection: &Connection, id: &str, now: i64) -> Result<ApiKey> {
    connection
        .prepare_cached("UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1")?
        .execute(params![id, now])?;
    find(connection, id)?
        .ok_or_else(|| CatalogError::not_found("there is no API key with this id").into())
}

const SELECT: &str = "SELECT k.id, k.role, a.id, k.name, k.hash, k.created_at, k.revoked_at
     FROM api_keys k LEFT JOIN accounts a USING (account)";

fn from_row(row: &Row<'_>) -> Result<ApiKey> {
    let hash: Vec<u8> = row.get(4)?;
    Ok(ApiKey {
        id: row.get(0)?,
        role: convert::word_back(row.get(1)?, "role")?,
        account: row.get::<_, Option<String>>(2)?.map(accounts::name).transpose()?,
        name: row.get(3)?,
        hash: hash.try_into().map_err(|_| Fault::Unreadable("API key hash"))?,
        created_at: row.get(5)?,
        revoked_at: row.get(6)?,
    })
}
