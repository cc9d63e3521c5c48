//! `oubliette demo`: the whole way of a body, over the real HTTP tap, in a fresh folder.

mod bodies;
mod cast;
mod search;
mod stage;
mod steps;

use std::time::Instant;

use reqwest::Method;
use serde_json::json;

use crate::cli::Demo;
use crate::failure::{Failure, Outcome};
use crate::wiring;
use bodies::EXAMPLES;
use cast::{ACCOUNT, Cast};
use stage::{Stage, shown};

/// Runs the demo. Whether each step held is the outcome.
pub(crate) fn run(arguments: &Demo) -> Result<Outcome, Failure> {
    wiring::runtime()?.block_on(play(arguments.keep))
}

async fn play(keep: bool) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let mut stage = Stage::new();
    stage.say("Oubliette: bodies captured by consent, redacted before the first write,")?;
    stage.say("sealed one key each, read only under a ticket, forgotten on demand.")?;
    let mut cast = None;
    stage
        .step("The sidecar starts in a fresh folder, on loopback", async |notes| {
            let started = Cast::start().await?;
            notes.say(format_args!(
                "{} keeps its data in {}",
                started.url,
                started.data_dir().display()
            ));
            notes.say("keys for an operator, a gateway, an owner and an agent; one account");
            cast = Some(started);
            Ok(())
        })
        .await?;
    let Some(cast) = cast else { return Ok(Outcome::Problems) };
    steps::run(&mut stage, &cast).await?;

    let (steps, failed) = stage.tally();
    let took = shown(started.elapsed());
    stage.say(format_args!("\n{} of {steps} steps held, in {took}.", steps - failed))?;
    if keep {
        play_on(&mut stage, &cast).await?;
    }
    cast.stop().await?;
    Ok(if failed == 0 { Outcome::Fine } else { Outcome::Problems })
}

/// Fills the account again and leaves the server to whoever wants to look around.
async fn play_on(stage: &mut Stage, cast: &Cast) -> Result<(), Failure> {
    cast.own(Method::PATCH, ["settings"], Some(&json!({"capture": true}))).await?;
    for example in &EXAMPLES {
        // Under other ids: what was shredded is not taken again.
        let id = format!("again-{}", example.id);
        let mut envelope = cast::envelope(example);
        envelope["id"] = json!(id);
        cast.gateway.json(Method::POST, "/v1/captures", Some(&envelope)).await?;
    }
    let ticket = json!({"subject": "looking around"});
    let ticket = cast.own(Method::POST, ["tickets"], Some(&ticket)).await?;
    let ticket = ticket["id"].as_str().unwrap_or_default();
    steps::grant(cast, ticket, json!({"kind": "account"})).await?;

    stage.say("\nThe server goes on, with the examples captured once more and an hour's grant.")?;
    stage.say(format_args!("\nexport OUBLIETTE_URL={}", cast.url))?;
    for (role, person) in [
        ("operator", &cast.operator),
        ("gateway", &cast.gateway),
        ("owner", &cast.owner),
        ("agent", &cast.agent),
    ] {
        stage.say(format_args!("{role:9} {}", person.key))?;
    }
    stage.say("\nTry, with the key of the role in OUBLIETTE_API_KEY:")?;
    stage.say(format_args!("  owner     oubliette captures {ACCOUNT}"))?;
    stage.say(format_args!("  agent     oubliette open {ACCOUNT} again-chat-2 response"))?;
    stage.say(format_args!("  owner     oubliette account audit {ACCOUNT}"))?;
    stage.say(format_args!("  owner     oubliette shred {ACCOUNT} again-chat-2"))?;
    stage.say("\nCtrl-C ends it and removes its folder.")?;
    wiring::Stop::listen()?.asked().await;
    Ok(())
}
