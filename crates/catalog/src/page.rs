//! Listing: filters, cursors and pages.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    capture::{CaptureState, Part},
    error::CatalogError,
};

/// The most items on one page; a larger limit is lowered to it.
pub const MAX_PAGE: u32 = 1000;

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, in the order of the listing.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
}

/// A place in a listing. It stays good while rows come, go and change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor {
    /// The time of the last item shown, in Unix milliseconds; 0 where the row alone decides.
    pub(crate) time: i64,
    /// The row of the last item shown.
    pub(crate) row: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.time, self.row)
    }
}

impl FromStr for Cursor {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self, CatalogError> {
        text.split_once('.')
            .and_then(|(time, row)| Some(Self { time: time.parse().ok()?, row: row.parse().ok()? }))
            .ok_or_else(|| {
                CatalogError::invalid("this cursor came from no listing: begin without one")
            })
    }
}

impl TryFrom<String> for Cursor {
    type Error = CatalogError;

    fn try_from(text: String) -> Result<Self, CatalogError> {
        text.parse()
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.to_string()
    }
}

/// Which exchanges or captures to list, and in what order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureFilter {
    /// Only from this moment on, in Unix milliseconds.
    pub from: Option<i64>,
    /// Only before this moment.
    pub to: Option<i64>,
    /// Only this part, or exchanges that have it.
    pub part: Option<Part>,
    /// Only captures in this state, or exchanges that have one.
    pub state: Option<CaptureState>,
    /// In what order.
    pub order: Order,
    /// Where the last page ended.
    pub cursor: Option<Cursor>,
    /// How many at most, up to [`MAX_PAGE`].
    pub limit: u32,
}

impl Default for CaptureFilter {
    fn default() -> Self {
        Self {
            from: None,
            to: None,
            part: None,
            state: None,
            order: Order::default(),
            cursor: None,
            limit: 100,
        }
    }
}

/// The order of a listing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The newest first, as people want it.
    #[default]
    Newest,
    /// The oldest first, as jobs want it: what is added meanwhile is met at the end.
    Oldest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_the_trip_and_rubbish_is_refused() {
        let cursor = Cursor { time: -5, row: i64::MAX };
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        for rubbish in ["", "1", "1.", "x.1", "1.2.3"] {
            assert!(rubbish.parse::<Cursor>().is_err(), "{rubbish}");
        }
    }
}
