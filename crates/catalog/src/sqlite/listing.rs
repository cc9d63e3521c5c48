//! Statements put together from fixed pieces, and pages cut from what they give.

use rusqlite::types::Value;

use crate::page::{Cursor, MAX_PAGE, Order, Page};

/// A statement that grows by fixed conditions; values only ever go in as parameters.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Query {
    pub(super) fn new(sql: String, first: impl Into<Value>) -> Self {
        Self { sql, values: vec![first.into()] }
    }

    /// Adds a condition with as many `?` as there are values, which must follow those before it.
    pub(super) fn and<const N: usize>(&mut self, condition: &'static str, values: [Value; N]) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    /// Adds the order and the limit, which come last.
    pub(super) fn order(&mut self, columns: &[&'static str], order: Order, limit: u32) {
        let way = match order {
            Order::Newest => "DESC",
            Order::Oldest => "ASC",
        };
        let columns: Vec<String> = columns.iter().map(|column| format!("{column} {way}")).collect();
        self.sql.push_str(&format!(" ORDER BY {} LIMIT ?", columns.join(", ")));
        self.values.push(one_more(limit).into());
    }
}

/// The limit for the statement: one more than asked for, to see whether there is a next page.
pub(super) fn one_more(limit: u32) -> i64 {
    i64::from(bounded(limit)) + 1
}

/// Cuts a page from one more item than fits.
pub(super) fn page<T>(mut found: Vec<(Cursor, T)>, limit: u32) -> Page<T> {
    let fits = usize::try_from(bounded(limit)).expect("at most MAX_PAGE");
    let more = found.len() > fits;
    found.truncate(fits);
    let next = if more { found.last().map(|(cursor, _)| *cursor) } else { None };
    Page { items: found.into_iter().map(|(_, item)| item).collect(), next }
}

fn bounded(limit: u32) -> u32 {
    limit.clamp(1, MAX_PAGE)
}
