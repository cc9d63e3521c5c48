//! Which address leads where, and who may go there.

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{MethodRouter, delete, get, patch, post},
};
use oubliette_service::{Oubliette, Principal, catalog::Role};

use crate::{
    api_error::ApiError,
    app::App,
    guard::{Roles, guard},
    options::ServerOptions,
    route::{accounts, api_keys, body, captures, operation, probes, reredact, shreds, tickets},
    run::run,
};

/// The API, for a server or for calls within the process.
///
/// It must run within a tokio runtime: each request gets a task of its own.
pub fn router(oubliette: Oubliette, options: ServerOptions) -> Router {
    with_app(&App::new(oubliette, options, None))
}

/// The API **without asking for an API key**: requests that show none are `caller`'s.
///
/// For commands that run beside the data folder and the root key, in-process. Whoever has those two
/// already has everything, so a key would prove nothing. Never put it behind a socket.
///
/// It opens no body: reading takes a live grant to an agent, here as everywhere, and is audited.
/// A request that does show an API key is that key's, and refused if the key is no good.
pub fn dangerously_local_router(
    oubliette: Oubliette,
    options: ServerOptions,
    caller: Principal,
) -> Router {
    with_app(&App::new(oubliette, options, Some(caller)))
}

pub(crate) fn with_app(app: &App) -> Router {
    let allow = |roles: Roles, methods: MethodRouter<App>| {
        methods.route_layer(from_fn_with_state((app.clone(), roles), guard))
    };
    Router::new()
        .route("/healthz", get(probes::alive))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .route("/v1/captures", allow(GATEWAY, post(captures::capture)))
        .route("/v1/accounts/{account}/captures", allow(OWNER_OPERATOR, get(captures::list)))
        .route(
            "/v1/accounts/{account}/exchanges/{exchange}",
            allow(OWNER_OPERATOR, get(captures::exchange))
                .merge(allow(OWNER, delete(shreds::exchange))),
        )
        .route(
            "/v1/accounts/{account}/exchanges/{exchange}/{part}",
            allow(OWNER, delete(shreds::part)),
        )
        .route(
            "/v1/accounts/{account}/exchanges/{exchange}/{part}/body",
            allow(AGENT, get(body::read)),
        )
        .route("/v1/accounts", allow(OPERATOR, get(accounts::list).post(accounts::create)))
        .route(
            "/v1/accounts/{account}",
            allow(OWNER_OPERATOR, get(accounts::show).delete(shreds::close_account)),
        )
        .route(
            "/v1/accounts/{account}/settings",
            allow(OWNER_OPERATOR, get(accounts::settings))
                .merge(allow(OWNER, patch(accounts::change_settings))),
        )
        .route("/v1/accounts/{account}/shred", allow(OWNER, post(shreds::account)))
        .route("/v1/accounts/{account}/reredact", allow(OWNER_OPERATOR, post(reredact::reredact)))
        .route("/v1/accounts/{account}/audit", allow(OWNER_OPERATOR, get(accounts::audit)))
        .route(
            "/v1/accounts/{account}/tickets",
            allow(OWNER, get(tickets::list).post(tickets::open)),
        )
        .route("/v1/accounts/{account}/tickets/{ticket}/close", allow(OWNER, post(tickets::close)))
        .route("/v1/accounts/{account}/tickets/{ticket}/grants", allow(OWNER, post(tickets::grant)))
        .route("/v1/accounts/{account}/grants", allow(OWNER, get(tickets::grants)))
        .route("/v1/accounts/{account}/grants/{grant}", allow(OWNER, delete(tickets::revoke)))
        .route("/v1/api-keys", allow(OPERATOR, get(api_keys::list).post(api_keys::create)))
        .route("/v1/api-keys/{id}", allow(OPERATOR, delete(api_keys::revoke)))
        .route("/v1/expire", allow(OPERATOR, post(operation::expire)))
        .route("/v1/store/sweep", allow(OPERATOR, post(operation::sweep)))
        .route("/v1/catalog/rebuild", allow(OPERATOR, post(operation::rebuild)))
        .route("/v1/keys/status", allow(OPERATOR, get(operation::key_status)))
        .route("/v1/keys/verify", allow(OPERATOR, get(operation::verify_keys)))
        .route("/v1/keys/public", allow(OWNER_OPERATOR, get(operation::public_key)))
        .route("/v1/keys/rotate", allow(OPERATOR, post(operation::rotate_keys)))
        .route("/v1/status", allow(OPERATOR, get(operation::status)))
        .fallback(async || ApiError::not_found("there is nothing at this address"))
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(from_fn_with_state(app.clone(), run))
        .with_state(app.clone())
}

const GATEWAY: Roles = &[Role::Gateway];
const OWNER: Roles = &[Role::Owner];
const AGENT: Roles = &[Role::Agent];
const OPERATOR: Roles = &[Role::Operator];
const OWNER_OPERATOR: Roles = &[Role::Owner, Role::Operator];
