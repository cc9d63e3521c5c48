//! Commands on tickets, grants and API keys.

use reqwest::Method;
use serde_json::{Value, json};

use super::captures::at;
use crate::cli::{ApiKeyCommand, ApiKeyCreate, GrantArguments, TicketCommand};
use crate::client::{Caller, path, with_client, with_client_at_first};
use crate::config::Settings;
use crate::failure::Failure;
use crate::output::{Column, Listing, Output, describe, note};

/// `oubliette ticket …`
pub(super) fn ticket(settings: &Settings, command: &TicketCommand) -> Result<(), Failure> {
    match command {
        TicketCommand::Open { account, subject, shown } => {
            let (order, path) =
                (json!({"subject": subject}), path(["v1", "accounts", account, "tickets"]));
            describe(&own(settings, account, Method::POST, &path, Some(&order))?, shown.json)
        }
        TicketCommand::List { account, shown } => {
            let path = path(["v1", "accounts", account, "tickets"]);
            list(settings, Caller::Owner(account), &path, "tickets", TICKETS, shown.json)
        }
        TicketCommand::Close { account, ticket } => {
            let path = path(["v1", "accounts", account, "tickets", ticket, "close"]);
            own(settings, account, Method::POST, &path, None).map(|_| ())
        }
        TicketCommand::Grant(arguments) => grant(settings, arguments),
        TicketCommand::Grants { account, shown } => {
            let path = path(["v1", "accounts", account, "grants"]);
            let grants = own(settings, account, Method::GET, &path, None)?;
            let mut listing = Listing::new(GRANTS, shown.json);
            let rows = grants["grants"].as_array().into_iter().flatten();
            rows.into_iter().try_for_each(|row| listing.row(row))?;
            listing.done()
        }
        TicketCommand::Revoke { account, grant } => {
            let path = path(["v1", "accounts", account, "grants", grant]);
            own(settings, account, Method::DELETE, &path, None).map(|_| ())
        }
    }
}

const TICKETS: &[Column] = &[
    ("TICKET", "/id"),
    ("OPENED", "/opened_at"),
    ("BY", "/opened_by"),
    ("CLOSED", "/closed_at"),
    ("SUBJECT", "/subject"),
];

const GRANTS: &[Column] = &[
    ("GRANT", "/id"),
    ("TICKET", "/ticket"),
    ("AGENT", "/agent"),
    ("PARTS", "/parts"),
    ("UNTIL", "/until"),
    ("REVOKED", "/revoked_at"),
    ("SCOPE", "/scope"),
];

fn grant(settings: &Settings, arguments: &GrantArguments) -> Result<(), Failure> {
    let GrantArguments { account, ticket, .. } = arguments;
    let scope = match (&arguments.from, &arguments.to) {
        _ if arguments.everything => json!({"kind": "account"}),
        (Some(from), Some(to)) => {
            json!({"kind": "time", "from": at("--from", from)?, "to": at("--to", to)?})
        }
        _ => json!({"kind": "exchanges", "ids": arguments.exchanges}),
    };
    let order = json!({
        "agent": arguments.agent,
        "until": at("--until", &arguments.until)?,
        "scope": scope,
        "parts": arguments.part.as_str(),
    });
    let path = path(["v1", "accounts", account, "tickets", ticket, "grants"]);
    describe(&own(settings, account, Method::POST, &path, Some(&order))?, arguments.shown.json)
}

/// `oubliette api-key …`
pub(super) fn api_key(settings: &Settings, command: &ApiKeyCommand) -> Result<(), Failure> {
    match command {
        ApiKeyCommand::Create(arguments) => create(settings, arguments),
        ApiKeyCommand::List(shown) => {
            let keys = operate(settings, Method::GET, "/v1/api-keys", None)?;
            let mut listing = Listing::new(API_KEYS, shown.json);
            let rows = keys["api_keys"].as_array().into_iter().flatten();
            rows.into_iter().try_for_each(|row| listing.row(row))?;
            listing.done()
        }
        ApiKeyCommand::Revoke { id } => {
            operate(settings, Method::DELETE, &path(["v1", "api-keys", id]), None).map(|_| ())
        }
    }
}

const API_KEYS: &[Column] = &[
    ("ID", "/id"),
    ("ROLE", "/role"),
    ("ACCOUNT", "/account"),
    ("NAME", "/name"),
    ("CREATED", "/created_at"),
    ("REVOKED", "/revoked_at"),
];

/// The key alone goes to standard output, so that a script can take it as it is.
fn create(settings: &Settings, arguments: &ApiKeyCreate) -> Result<(), Failure> {
    let mut order = json!({"role": arguments.role.as_str(), "name": arguments.name});
    if let Some(account) = &arguments.account {
        order["account"] = json!(account);
    }
    let made = with_client_at_first(settings, async |client| {
        client.json(Caller::Operator, Method::POST, "/v1/api-keys", Some(&order)).await
    })?;
    let mut out = Output::new();
    if arguments.shown.json {
        out.json(&made)?;
    } else {
        out.line(made["key"].as_str().unwrap_or_default())?;
        let id = made["id"].as_str().unwrap_or_default();
        note(format_args!("{} key {id}: it is shown this once", arguments.role.as_str()));
    }
    out.done()
}

fn own(
    settings: &Settings,
    account: &str,
    method: Method,
    path: &str,
    order: Option<&Value>,
) -> Result<Value, Failure> {
    with_client(settings, async |client| {
        client.json(Caller::Owner(account), method, path, order).await
    })
}

fn operate(
    settings: &Settings,
    method: Method,
    path: &str,
    order: Option<&Value>,
) -> Result<Value, Failure> {
    with_client(settings, async |client| client.json(Caller::Operator, method, path, order).await)
}

fn list(
    settings: &Settings,
    caller: Caller<'_>,
    path: &str,
    rows: &str,
    columns: &'static [Column],
    json: bool,
) -> Result<(), Failure> {
    let mut listing = Listing::new(columns, json);
    with_client(settings, async |client| {
        client.pages(caller, path, rows, usize::MAX, |row| listing.row(row)).await
    })?;
    listing.done()
}
