//! Lease numbers.

use oubliette_keytree::Hour;
use rusqlite::{Connection, OptionalExtension};

use super::fault::{Fault, Result};
use crate::error::{CatalogError, CatalogErrorKind};

/// Takes the next number of the hour. The row is never removed, or numbers would come again.
pub(super) fn next(connection: &Connection, hour: Hour) -> Result<u16> {
    let next: Option<i64> = connection
        .prepare_cached(
            "INSERT INTO leases (hour, next) VALUES (?1, 1)
             ON CONFLICT (hour) DO UPDATE SET next = next + 1 WHERE next < 65536
             RETURNING next",
        )?
        .query_row([hour.number()], |row| row.get(0))
        .optional()?;
    let next = next.ok_or_else(|| {
        CatalogError::new(
            CatalogErrorKind::Exhausted,
            format!(
                "all 65536 leases of hour {} are used up: wait for the next hour",
                hour.number()
            ),
        )
    })?;
    u16::try_from(next - 1).map_err(|_| Fault::Unreadable("lease number"))
}

/// Never goes back.
pub(super) fn skip(connection: &Connection, hour: Hour, through: u16) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO leases (hour, next) VALUES (?1, ?2)
             ON CONFLICT (hour) DO UPDATE SET next = max(next, excluded.next)",
        )?
        .execute([i64::from(hour.number()), i64::from(through) + 1])?;
    Ok(())
}
