//! What goes wrong inside, before it is known which file it went wrong with.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{CatalogError, CatalogErrorKind};

/// An error on its way out: ours as it is, SQLite's still to be explained.
#[derive(Debug)]
pub(super) enum Fault {
    Ours(CatalogError),
    Sql(rusqlite::Error),
    /// A row holds something this binary never wrote; which column.
    Unreadable(&'static str),
}

pub(super) type Result<T, E = Fault> = std::result::Result<T, E>;

impl From<CatalogError> for Fault {
    fn from(error: CatalogError) -> Self {
        Self::Ours(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    /// Whether a unique column already had the value.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Self::Sql(rusqlite::Error::SqliteFailure(cause, _)) if matches!(
            cause.extended_code,
            rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        ))
    }

    /// The error for the caller, which names the file and the mend.
    pub(super) fn explain(self, path: &Path) -> CatalogError {
        use CatalogErrorKind::{Damaged, Internal, Invalid, Retry, Unavailable};

        let cause = match self {
            Self::Ours(error) => return error,
            Self::Unreadable(column) => {
                return CatalogError::new(
                    Damaged,
                    format!(
                        "the catalog {} is damaged: unreadable {column}; restore it from a backup",
                        path.display()
                    ),
                );
            }
            Self::Sql(cause) => cause,
        };
        let (kind, what) = match &cause {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => {
                (Damaged, "is damaged: a row cannot be read; restore it from a backup")
            }
            other => match other.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    (Retry, "is locked by another process: try again, or stop that process")
                }
                Some(ErrorCode::DiskFull) => {
                    (Retry, "does not fit on its disk any more: free some space; nothing changed")
                }
                Some(ErrorCode::SystemIoFailure) => {
                    (Retry, "could not be read or written: check its disk; nothing changed")
                }
                Some(ErrorCode::OutOfMemory | ErrorCode::OperationInterrupted) => {
                    (Retry, "ran out of memory: try again; nothing changed")
                }
                Some(ErrorCode::DatabaseCorrupt) => {
                    (Damaged, "is damaged: restore it from a backup")
                }
                Some(ErrorCode::NotADatabase) => (
                    Damaged,
                    "is not a catalog, or is damaged: name another file, or restore it from a backup",
                ),
                Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                    (
                        Unavailable,
                        "cannot be opened for writing: check that its folder exists and belongs to this user",
                    )
                }
                Some(ErrorCode::TooBig) => (Invalid, "does not take a value as long as this"),
                _ => (Internal, "refused a statement: please report this as a bug of oubliette"),
            },
        };
        CatalogError::new(kind, format!("the catalog {} {what}", path.display())).with_source(cause)
    }
}
