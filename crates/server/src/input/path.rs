//! The ids in a path.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use oubliette_service::catalog::{AccountId, CatalogError, ExchangeId, Part};

use crate::api_error::ApiError;

/// What stands in the places of a route's template, percent-decoded.
#[derive(Debug)]
pub(crate) struct Path(RawPathParams);

impl Path {
    pub(crate) fn account(&self) -> Result<AccountId, ApiError> {
        AccountId::new(self.text("account")).map_err(refused)
    }

    pub(crate) fn exchange(&self) -> Result<ExchangeId, ApiError> {
        ExchangeId::new(self.text("exchange")).map_err(refused)
    }

    pub(crate) fn part(&self) -> Result<Part, ApiError> {
        [Part::Request, Part::Response]
            .into_iter()
            .find(|part| part.as_str() == self.text("part"))
            .ok_or_else(|| ApiError::invalid("a part is request or response"))
    }

    /// The id in a place of the template, whatever it is.
    pub(crate) fn text(&self, place: &str) -> &str {
        self.find(place).unwrap_or_default()
    }

    /// The same, if the template has such a place.
    pub(crate) fn find(&self, place: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == place).map(|(_, value)| value)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Path {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        RawPathParams::from_request_parts(parts, state)
            .await
            .map(Self)
            .map_err(|_| ApiError::invalid("the path is not percent-encoded UTF-8"))
    }
}

fn refused(error: CatalogError) -> ApiError {
    ApiError::invalid(error.to_string())
}
