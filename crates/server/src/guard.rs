//! Who may use a route. Decided before anything of the request is read.

use std::sync::{Arc, OnceLock};

use axum::{
    Extension,
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::Response,
};
use oubliette_service::{Principal, catalog::Role};

use crate::{api_error::ApiError, app::App, input::path::Path};

/// The roles that may use a route.
pub(crate) type Roles = &'static [Role];

/// Admits a request or refuses it.
///
/// The service checks again what each use case allows. This gate makes sure that a stranger's or a
/// wrong role's request is refused before its body is read, and that a new route cannot be
/// forgotten: without it a handler has no [`Caller`].
pub(crate) async fn guard(
    State((app, roles)): State<(App, Roles)>,
    path: Result<Path, ApiError>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let caller = match (bearer(request.headers())?, app.local_caller()) {
        // A local caller may still show a key, as when it reads what was granted to that key.
        (Some(key), _) => app.oubliette().authenticate(key).await.map_err(ApiError::from)?,
        (None, Some(local)) => local.clone(),
        (None, None) => return Err(ApiError::unauthenticated()),
    };
    if let Some(key_id) = request.extensions().get::<KeyId>() {
        key_id.set(caller.key_id());
    }
    if !roles.contains(&caller.role()) {
        let may = roles.iter().map(|role| role_name(*role)).collect::<Vec<_>>().join(" or ");
        return Err(ApiError::forbidden(format!(
            "this takes an API key of role {may}; this key is of role {}",
            role_name(caller.role())
        )));
    }
    // Whether the other account exists makes no difference to the answer.
    if let (Some(asked), Some(bound)) = (path?.find("account"), caller.account())
        && asked != bound.as_str()
    {
        return Err(ApiError::forbidden("this API key belongs to another account"));
    }
    request.extensions_mut().insert(Caller(caller));
    Ok(next.run(request).await)
}

/// Who calls, after [`guard`].
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Principal);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Extension::<Self>::from_request_parts(parts, state).await {
            Ok(Extension(caller)) => Ok(caller),
            Err(_) => Err(ApiError::unauthenticated()),
        }
    }
}

/// Where the guard leaves the id of the key for the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyId(Arc<OnceLock<String>>);

impl KeyId {
    fn set(&self, id: &str) {
        // Set once per request: there is one guard on the way.
        let _ = self.0.set(id.to_owned());
    }

    pub(crate) fn get(&self) -> &str {
        self.0.get().map_or("-", String::as_str)
    }
}

/// The key of `authorization: Bearer KEY`; `None` if there is no such header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::unauthenticated());
    }
    let (scheme, key) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(ApiError::unauthenticated)?;
    let key = key.trim_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || key.is_empty() {
        return Err(ApiError::unauthenticated());
    }
    Ok(Some(key))
}

/// The word for a role, as in the API.
fn role_name(role: Role) -> &'static str {
    match role {
        Role::Gateway => "gateway",
        Role::Owner => "owner",
        Role::Agent => "agent",
        Role::Operator => "operator",
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|v| (header::AUTHORIZATION, HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn takes_the_key_of_one_bearer_header() {
        assert_eq!(bearer(&headers(&["Bearer k1.s"])).unwrap(), Some("k1.s"));
        assert_eq!(bearer(&headers(&["bearer  k1.s "])).unwrap(), Some("k1.s"));
        assert_eq!(bearer(&headers(&[])).unwrap(), None);
    }

    #[test]
    fn refuses_everything_else() {
        for wrong in
            [&["Bearer"][..], &["Bearer "], &["Basic k1.s"], &["k1.s"], &["Bearer a", "Bearer b"]]
        {
            assert!(bearer(&headers(wrong)).is_err(), "{wrong:?}");
        }
    }
}
