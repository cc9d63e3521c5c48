//! Commands on accounts.

use std::fs;

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::cli::{AccountCommand, AccountSet, Switch};
use crate::client::{Caller, path, with_client, with_client_at_first};
use crate::config::Settings;
use crate::failure::Failure;
use crate::output::{Column, Listing, confirm, describe};

pub(super) fn run(settings: &Settings, command: &AccountCommand) -> Result<(), Failure> {
    match command {
        AccountCommand::Create { account, shown } => {
            let order = json!({"id": account});
            let created = with_client_at_first(settings, async |client| {
                client.json(Caller::Operator, Method::POST, "/v1/accounts", Some(&order)).await
            })?;
            describe(&created, shown.json)
        }
        AccountCommand::List(shown) => {
            let mut listing = Listing::new(ACCOUNTS, shown.json);
            with_client(settings, async |client| {
                let each = |row: &Value| listing.row(row);
                client.pages(Caller::Operator, "/v1/accounts", "accounts", usize::MAX, each).await
            })?;
            listing.done()
        }
        AccountCommand::Show { account, shown } => {
            let path = path(["v1", "accounts", account, "settings"]);
            let settings = with_client(settings, async |client| {
                client.json(Caller::Owner(account), Method::GET, &path, None).await
            })?;
            describe(&settings, shown.json)
        }
        AccountCommand::Set(arguments) => set(settings, arguments),
        AccountCommand::Close { account, yes, shown } => {
            confirm(&format!("closing account {account} and shredding all of it"), *yes)?;
            let path = path(["v1", "accounts", account]);
            let closed = with_client(settings, async |client| {
                client.json(Caller::Operator, Method::DELETE, &path, None).await
            })?;
            describe(&closed, shown.json)
        }
        AccountCommand::Audit { account, limit, shown } => {
            let path = path(["v1", "accounts", account, "audit"]);
            let mut listing = Listing::new(AUDIT, shown.json);
            with_client(settings, async |client| {
                let each = |row: &Value| listing.row(row);
                client.pages(Caller::Operator, &path, "audit", *limit, each).await
            })?;
            listing.done()
        }
    }
}

const ACCOUNTS: &[Column] = &[
    ("ACCOUNT", "/id"),
    ("CAPTURE", "/settings/capture"),
    ("REDACT", "/settings/redact"),
    ("DAYS", "/settings/retention_days"),
    ("CREATED", "/created_at"),
    ("CLOSED", "/removed_at"),
];

const AUDIT: &[Column] = &[
    ("AT", "/at"),
    ("ACTOR", "/actor"),
    ("ACTION", "/action"),
    ("SUBJECT", "/subject"),
    ("DETAIL", "/detail"),
];

fn set(settings: &Settings, arguments: &AccountSet) -> Result<(), Failure> {
    let change = change(arguments)?;
    let account = arguments.account.as_str();
    let path = path(["v1", "accounts", account, "settings"]);
    let changed = with_client(settings, async |client| {
        client.json(Caller::Owner(account), Method::PATCH, &path, Some(&change)).await
    })?;
    describe(&changed, arguments.shown.json)
}

fn change(arguments: &AccountSet) -> Result<Value, Failure> {
    let mut change = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            change.insert(name.to_owned(), value);
        }
    };
    let on = |switch: Option<Switch>| switch.map(|switch| json!(switch == Switch::On));
    put("capture", on(arguments.capture));
    put("redact", on(arguments.redact));
    put("retention_days", arguments.retention_days.map(|days| json!(days)));
    put("max_body_bytes", arguments.max_body_bytes.map(|bytes| json!(bytes)));
    put("attachments", arguments.attachments.map(|name| json!(name.as_str())));
    put(
        "operator",
        arguments.operator.as_deref().map(|name| match name {
            "none" => Value::Null,
            name => json!(name),
        }),
    );
    put("custom_rules", arguments.no_rules.then_some(Value::Null));
    if let Some(file) = &arguments.rules {
        let text = fs::read_to_string(file).map_err(|error| {
            Failure::usage(format!("rule pack {} cannot be read: {error}", file.display()))
        })?;
        put("custom_rules", Some(json!(text)));
    }
    match &arguments.body_policy {
        Some(file) if file.as_os_str() == "none" => put("body_policy", Some(Value::Null)),
        Some(file) => {
            let wrong = |why: &dyn std::fmt::Display| {
                Failure::usage(format!("body policy {}: {why}", file.display()))
            };
            let text = fs::read(file).map_err(|error| wrong(&error))?;
            let policy: Value = serde_json::from_slice(&text).map_err(|error| wrong(&error))?;
            put("body_policy", Some(policy));
        }
        None => {}
    }
    if change.is_empty() {
        return Err(Failure::usage("nothing to change: see `oubliette account set --help`"));
    }
    Ok(Value::Object(change))
}
