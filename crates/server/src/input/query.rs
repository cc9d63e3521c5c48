//! Query strings.

use std::{fmt::Display, str::FromStr};

use axum::{
    extract::{FromRequestParts, Query as Pairs},
    http::request::Parts,
};

use super::{
    repeatable,
    time::{EXAMPLE, Time},
};
use crate::api_error::ApiError;

/// The parameters of a query: each is taken by name, and what is left over is an error.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// One parameter's text. Empty counts as absent: `?part=` is what forms send.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let Some(at) = self.0.iter().position(|(n, _)| n == name) else { return Ok(None) };
        let (_, value) = self.0.swap_remove(at);
        if self.0.iter().any(|(n, _)| n == name) {
            return Err(ApiError::invalid(format!("{name} is there twice: give it once")));
        }
        Ok((!value.is_empty()).then_some(value))
    }

    /// A time.
    pub(crate) fn time(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        self.text(name)?
            .map(|text| match Time::parse(&text) {
                Some(time) => Ok(time.0),
                None => Err(ApiError::invalid(format!("{name}: expected {EXAMPLE}"))),
            })
            .transpose()
    }

    /// Anything that can be parsed.
    pub(crate) fn parse<T: FromStr>(
        &mut self,
        name: &str,
        expected: impl Display,
    ) -> Result<Option<T>, ApiError> {
        self.text(name)?
            .map(|text| {
                text.parse().map_err(|_| ApiError::invalid(format!("{name}: expected {expected}")))
            })
            .transpose()
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        name: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                Err(ApiError::invalid(format!("{name}: expected {}", known.join(" or "))))
            }
        }
    }

    /// To be called last: refuses parameters nobody took.
    pub(crate) fn done(self) -> Result<(), ApiError> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::invalid(match repeatable(name) {
                Some(name) => format!("unknown query parameter {name}"),
                None => "unknown query parameter".to_owned(),
            })),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Pairs::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map(|Pairs(pairs)| Self(pairs))
            .map_err(|_| ApiError::invalid("the query is not name=value&name=value"))
    }
}
