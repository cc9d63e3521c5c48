//! `oubliette keys`.

use reqwest::Method;

use crate::cli::KeysCommand;
use crate::client::{Caller, with_client};
use crate::config::Settings;
use crate::failure::Failure;
use crate::output::describe;

pub(super) fn run(settings: &Settings, command: &KeysCommand) -> Result<(), Failure> {
    let (method, path, shown) = match command {
        KeysCommand::Status(shown) => (Method::GET, "/v1/keys/status", shown),
        KeysCommand::Rotate(shown) => (Method::POST, "/v1/keys/rotate", shown),
    };
    let answer = with_client(settings, async |client| {
        client.json(Caller::Operator, method, path, None).await
    })?;
    describe(&answer, shown.json)
}
