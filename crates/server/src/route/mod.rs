//! The routes: each reads its request, makes one call and shows what came of it.

pub(crate) mod accounts;
pub(crate) mod api_keys;
pub(crate) mod body;
pub(crate) mod captures;
pub(crate) mod operation;
pub(crate) mod probes;
mod progress;
pub(crate) mod reredact;
pub(crate) mod shreds;
pub(crate) mod tickets;

use axum::Json;
use serde::Deserialize;

use crate::{
    api_error::ApiError,
    input::{json::Input, query::Query},
};
use oubliette_service::catalog::Cursor;

/// What most routes answer.
type Answer<T> = Result<Json<T>, ApiError>;

/// A route's empty body: nothing, or `{}`. Anything else was meant for another route.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl Input for Nothing {
    const OPTIONAL: bool = true;
}

/// `?limit=&cursor=`, and nothing else.
fn paging(mut query: Query) -> Result<(Option<Cursor>, u32), ApiError> {
    let paging = take_paging(&mut query)?;
    query.done()?;
    Ok(paging)
}

fn take_paging(query: &mut Query) -> Result<(Option<Cursor>, u32), ApiError> {
    let limit = query.parse("limit", "a whole number")?.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 {
        return Err(ApiError::invalid("limit: expected at least 1"));
    }
    Ok((query.parse("cursor", "what next was in the page before")?, limit))
}

/// A cursor as the API shows it.
fn next(cursor: Option<Cursor>) -> Option<String> {
    cursor.map(|cursor| cursor.to_string())
}

/// As many as a person reads; programs ask for more, up to what the catalog gives at once.
const DEFAULT_LIMIT: u32 = 100;
