//! `oubliette keys`.

use oubliette_service::{Principal, catalog::Role};
use reqwest::Method;
use serde_json::Value;

use crate::cli::KeysCommand;
use crate::client::{Caller, with_client};
use crate::config::Settings;
use crate::failure::Failure;
use crate::output::{Output, cell, describe};
use crate::wiring;

/// On the data folder itself: no service starts on what this is for.
fn begin_anew(settings: &Settings, json: bool) -> Result<(), Failure> {
    if settings.url.is_some() {
        return Err(Failure::usage(
            "this works on the data folder and not through a server: take --url away and stop the server",
        ));
    }
    let operator = Principal::local(Role::Operator, None);
    let begun = wiring::layout(settings).begin_anew(&operator);
    let begun = wiring::runtime()?.block_on(begun).map_err(|error| wiring::cannot_open(&error))?;
    if json {
        let begun =
            serde_json::to_value(begun).map_err(|error| Failure::failed(error.to_string()))?;
        return describe(&begun, true);
    }
    let mut out = Output::new();
    out.line(format_args!(
        "every body of {} accounts is forgotten; the root key is of generation {}",
        begun.accounts, begun.generation
    ))?;
    out.done()
}

pub(super) fn run(settings: &Settings, command: &KeysCommand) -> Result<(), Failure> {
    let (method, path, shown) = match command {
        KeysCommand::Status(shown) => (Method::GET, "/v1/keys/status", shown),
        KeysCommand::Verify(shown) => (Method::GET, "/v1/keys/verify", shown),
        KeysCommand::ExportPublic(shown) => (Method::GET, "/v1/keys/public", shown),
        KeysCommand::Rotate(shown) => (Method::POST, "/v1/keys/rotate", shown),
        KeysCommand::BeginAnew { shown, .. } => return begin_anew(settings, shown.json),
    };
    let answer = with_client(settings, async |client| {
        client.json(Caller::Operator, method, path, None).await
    })?;
    match (&answer["log_key"], shown.json) {
        // By itself, to be redirected into a file.
        (Value::String(key), false) => {
            let mut out = Output::new();
            out.line(key)?;
            out.done()
        }
        (_, true) => describe(&answer, true),
        (_, false) => {
            // A signed note has lines of its own, which are what is signed.
            let mut fields = answer.clone();
            let note = fields.as_object_mut().and_then(|fields| fields.remove("checkpoint"));
            describe(&fields, false)?;
            let Some(Value::String(note)) = note else { return Ok(()) };
            let mut out = Output::new();
            out.line("checkpoint, the signed head of the log:")?;
            for line in note.lines() {
                out.line(format_args!("  {}", cell(Some(&line.into()))))?;
            }
            out.done()
        }
    }
}
