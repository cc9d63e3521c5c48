//! The steps of the demo, one promise each.

use std::collections::BTreeMap;
use std::time::Instant;

use oubliette_detect::RuleSet;
use oubliette_redact::{CapturedBody, Policy, Redactor};
use oubliette_service::{Clock as _, SystemClock};
use reqwest::Method;
use serde_json::{Value, json};

use super::bodies::{BOOKING, EXAMPLES, Example, STRICTER, VALUES};
use super::cast::{ACCOUNT, Cast, envelope};
use super::search::{Needles, files};
use super::stage::{Notes, Stage, hold, shown, size};
use crate::client::{Caller, path};
use crate::failure::Failure;

/// The exchange one of whose bodies is shredded.
const SHREDDED: &str = "chat-1";

/// Runs them all.
pub(super) async fn run(stage: &mut Stage, cast: &Cast) -> Result<(), Failure> {
    let needles = Needles::new(&VALUES);
    stage
        .step("Without consent nothing is kept", async |n| consent(cast, &needles, n).await)
        .await?;
    stage
        .step("The account opts in: the same traffic is kept", async |n| opt_in(cast, n).await)
        .await?;
    stage.step("Before and after redaction", async |n| before_and_after(n)).await?;
    stage.step("What lies on disk", async |n| on_disk(cast, &needles, n).await).await?;
    stage.step("No reading without a ticket", async |n| without_ticket(cast, n).await).await?;
    stage
        .step("Reading under a ticket's grant, on record", async |n| with_ticket(cast, n).await)
        .await?;
    stage
        .step("One payload is shredded, its neighbour is not", async |n| shred_one(cast, n).await)
        .await?;
    stage
        .step("The rest is redacted again, under a stricter rule", async |n| {
            stricter(cast, n).await
        })
        .await?;
    stage.step("The account is shredded", async |n| shred_account(cast, n).await).await?;
    stage
        .step("To the end: nothing raw anywhere", async |n| at_the_end(cast, &needles, n).await)
        .await
}

async fn consent(cast: &Cast, needles: &Needles, notes: &mut Notes) -> Result<(), Failure> {
    for example in &EXAMPLES {
        let answer = cast.send(example).await?;
        for (part, outcome) in outcomes(&answer) {
            let dropped = outcome["outcome"] == "dropped" && outcome["reason"] == "not_opted_in";
            hold(dropped, format!("{part} of {} was {outcome}", example.id))?;
        }
    }
    notes.say(format_args!("{} exchanges sent, every body dropped: not_opted_in", EXAMPLES.len()));
    let kept = captures(cast).await?.len();
    hold(kept == 0, format!("{kept} captures are in the catalog"))?;
    search(cast, needles, notes)
}

async fn opt_in(cast: &Cast, notes: &mut Notes) -> Result<(), Failure> {
    cast.own(Method::PATCH, ["settings"], Some(&json!({"capture": true}))).await?;
    let (mut bodies, mut bytes, mut findings) = (0, 0, 0);
    let mut times = Vec::new();
    for example in &EXAMPLES {
        let started = Instant::now();
        let answer = cast.send(example).await?;
        times.push(started.elapsed());
        for (part, outcome) in outcomes(&answer) {
            hold(
                outcome["outcome"] == "stored",
                format!("{part} of {} was {outcome}", example.id),
            )?;
            bodies += 1;
            findings += outcome["findings"].as_u64().unwrap_or(0);
        }
        bytes += example.parts().iter().map(|(_, body, _)| body.len() as u64).sum::<u64>();
    }
    times.sort();
    let rows = captures(cast).await?;
    let sealed: u64 = rows.iter().filter_map(|row| row["sealed_bytes"].as_u64()).sum();
    hold(rows.len() == bodies, format!("{} captures in the catalog, not {bodies}", rows.len()))?;
    notes.say(format_args!("{bodies} bodies stored, {findings} findings taken out"));
    notes.say(format_args!("{} as they came, {} sealed", size(bytes), size(sealed)));
    notes.say(format_args!(
        "an exchange is acknowledged, and durable, after {} (median)",
        shown(times[times.len() / 2])
    ));
    let again = cast.send(&EXAMPLES[0]).await?;
    let harmless = outcomes(&again).values().all(|outcome| outcome["outcome"] == "duplicate");
    hold(harmless, "sending an exchange again was no harmless repeat")?;
    notes.say("sent once more, an exchange is a duplicate and nothing else");
    Ok(())
}

fn before_and_after(notes: &mut Notes) -> Result<(), Failure> {
    let streams = EXAMPLES.iter().filter(|example| example.is_stream()).count();
    for example in &EXAMPLES {
        let redacted = redacted(example)?;
        for (part, body) in [("request", &redacted[0]), ("response", &redacted[1])] {
            let again = redactor()
                .find(&captured(body, example, part))
                .map_err(|error| Failure::failed(error.to_string()))?;
            hold(again.is_empty(), format!("something is left in the {part} of {}", example.id))?;
        }
    }
    let excerpt = |body: &[u8], from: &str| -> String {
        let text = String::from_utf8_lossy(body).into_owned();
        let line = text.lines().find(|line| line.contains(from)).unwrap_or_default();
        line.trim().chars().take(170).collect()
    };
    let request = redacted(&EXAMPLES[0])?;
    notes.say(format_args!("{}", excerpt(EXAMPLES[0].request, "Nadia")));
    notes.say(format_args!("→ {}", excerpt(&request[0], "Nadia")));
    let (raw, stream) = (EXAMPLES[1].response, redacted(&EXAMPLES[1])?);
    notes.say("and in a stream, whose deltas cut the values into pieces:");
    notes.say(format_args!("{}", deltas(raw)));
    notes.say(format_args!("→ {}", deltas(&stream[1])));
    notes.say(format_args!("{streams} streams keep their events, and each body its shape"));
    let events = |body: &[u8]| String::from_utf8_lossy(body).matches("\n\n").count();
    hold(events(raw) == events(&stream[1]), "the stream has lost events")
}

/// The text deltas of an OpenAI chat stream, each between bars.
fn deltas(stream: &[u8]) -> String {
    let text = String::from_utf8_lossy(stream).into_owned();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let deltas = events.filter_map(|event| {
        let event: Value = serde_json::from_str(event).ok()?;
        event.pointer("/choices/0/delta/content")?.as_str().map(str::to_owned)
    });
    deltas.skip(1).take(18).collect::<Vec<_>>().join("|")
}

async fn on_disk(cast: &Cast, needles: &Needles, notes: &mut Notes) -> Result<(), Failure> {
    cast.uploaded().await?;
    // The control: the search does find the values in what was sent.
    let sent: Vec<String> = EXAMPLES.iter().map(|example| envelope(example).to_string()).collect();
    let found = needles.in_bytes(sent.concat().as_bytes()).len();
    hold(found == VALUES.len(), format!("the search finds only {found} values in what was sent"))?;
    notes.say(format_args!("in the envelopes as sent, the search finds all {found} values"));
    let mut rooms: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for file in files(cast.folder())? {
        let inside = file.strip_prefix(cast.folder()).unwrap_or(&file);
        let mut names = inside.iter().map(|name| name.to_string_lossy());
        let room = match (names.next(), names.next()) {
            (Some(top), Some(name)) if top == "data" => format!("data/{name}"),
            (Some(top), _) => top.into_owned(),
            _ => continue,
        };
        let entry = rooms.entry(room).or_default();
        entry.0 += 1;
        entry.1 += file.metadata().map_or(0, |about| about.len());
    }
    for (room, (files, bytes)) in rooms.iter().filter(|(_, (_, bytes))| *bytes > 0) {
        notes.say(format_args!("{room:22} {files:3} files  {:>12}", size(*bytes)));
    }
    search(cast, needles, notes)
}

async fn without_ticket(cast: &Cast, notes: &mut Notes) -> Result<(), Failure> {
    let (status, body) = cast.read(SHREDDED, "request").await?;
    hold(status == 403, format!("an agent without a grant was answered {status}"))?;
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = message.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
    notes.say(format_args!("the agent: 403, {message}"));
    for (who, person) in
        [("operator", &cast.operator), ("owner", &cast.owner), ("gateway", &cast.gateway)]
    {
        let path = path(["v1", "accounts", ACCOUNT, "exchanges", SHREDDED, "request", "body"]);
        let reply = person.client.ask(Caller::Agent, Method::GET, &path, None).await?;
        let status = reply.status.as_u16();
        hold(status == 403, format!("the {who} was answered {status}"))?;
    }
    notes.say("operator, owner and gateway: 403, whatever they hold");
    Ok(())
}

async fn with_ticket(cast: &Cast, notes: &mut Notes) -> Result<(), Failure> {
    let order = json!({"subject": "refund went to the wrong card"});
    let ticket = cast.own(Method::POST, ["tickets"], Some(&order)).await?;
    let ticket = ticket["id"].as_str().unwrap_or_default();
    let granted = [SHREDDED, "chat-2"];
    grant(cast, ticket, json!({"kind": "exchanges", "ids": granted})).await?;
    notes.say(format_args!("the owner opens a ticket and grants the agent {}", granted.join(", ")));
    for example in EXAMPLES.iter().filter(|example| granted.contains(&example.id)) {
        let redacted = redacted(example)?;
        for (part, expected) in [("request", &redacted[0]), ("response", &redacted[1])] {
            let (status, body) = cast.read(example.id, part).await?;
            hold(status == 200, format!("{part} of {} was answered {status}", example.id))?;
            hold(body == *expected, format!("{part} of {} is not as redacted", example.id))?;
        }
    }
    notes.say("the agent reads four bodies: each byte for byte as it was redacted");
    let (status, _) = cast.read("messages-1", "request").await?;
    hold(status == 403, format!("a body that was not granted was answered {status}"))?;
    notes.say("an exchange outside the grant: 403");
    let audit = cast.own(Method::GET, ["audit"], None).await?;
    let rows = audit["audit"].as_array().map(Vec::as_slice).unwrap_or_default();
    let by_agent = |row: &&Value| {
        let actor = row["actor"].as_str().unwrap_or_default();
        row["action"] == "capture.read" && actor.contains(&cast.agent.id)
    };
    let reads = rows.iter().filter(by_agent).collect::<Vec<_>>();
    hold(reads.len() >= 4, format!("{} of 4 reads are in the audit", reads.len()))?;
    if let Some(row) = reads.first() {
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let (at, actor, action) = (text("at"), text("actor"), text("action"));
        notes.say(format_args!("the owner sees it: {at} {actor} {action} {}", text("subject")));
    }
    // For the steps to come: everything of the account.
    grant(cast, ticket, json!({"kind": "account"})).await
}

async fn shred_one(cast: &Cast, notes: &mut Notes) -> Result<(), Failure> {
    let started = Instant::now();
    let done = cast.own(Method::DELETE, ["exchanges", SHREDDED, "response"], None).await?;
    let took = started.elapsed();
    hold(done["shredded"] == 1, format!("the shred answered {done}"))?;
    let generation = |end: &str| done["generation"][end].as_u64().unwrap_or(0);
    let (from, to) = (generation("from"), generation("to"));
    hold(to > from, "the root key was not replaced")?;
    notes.say(format_args!(
        "its key is gone after {}: root generation {from} is erased, {to} is in force",
        shown(took)
    ));
    let (status, _) = cast.read(SHREDDED, "response").await?;
    hold(status == 410, format!("the shredded body was answered {status}"))?;
    let (status, _) = cast.read(SHREDDED, "request").await?;
    hold(status == 200, format!("its neighbour was answered {status}"))?;
    notes.say("the response: 410, forgotten; the request of the same exchange: 200");
    let again = cast.send(&EXAMPLES[0]).await?;
    let outcome = &outcomes(&again)["response"]["outcome"];
    hold(outcome == "forgotten", format!("sent again, it was {outcome}"))?;
    notes.say("sent again, it is refused: what was forgotten stays so");
    Ok(())
}

async fn stricter(cast: &Cast, notes: &mut Notes) -> Result<(), Failure> {
    let (_, before) = cast.read("chat-2", "request").await?;
    hold(holds(&before, BOOKING), "the booking number was not there to begin with")?;
    cast.own(Method::PATCH, ["settings"], Some(&json!({"custom_rules": STRICTER}))).await?;
    notes.say("a rule of the account's own: booking numbers");
    let dry = reredact(cast, true).await?;
    let (_, unchanged) = cast.read("chat-2", "request").await?;
    hold(unchanged == before, "a dry run has changed a body")?;
    notes.say(format_args!("dry run: {} of {} bodies would change", dry["changed"], dry["total"]));
    let started = Instant::now();
    let done = reredact(cast, false).await?;
    hold(done["failed"] == 0, format!("{} bodies failed", done["failed"]))?;
    let found = done["findings"]["demo-shop.booking"].as_u64().unwrap_or(0);
    hold(found > 0, "the new rule found nothing")?;
    notes.say(format_args!(
        "{} bodies redacted again in {}, {found} booking numbers found",
        done["changed"],
        shown(started.elapsed())
    ));
    for example in &EXAMPLES {
        for part in ["request", "response"] {
            let (status, body) = cast.read(example.id, part).await?;
            if (example.id, part) == (SHREDDED, "response") {
                hold(status == 410, "redacting again has brought back a shredded body")?;
                continue;
            }
            hold(status == 200, format!("{part} of {} was answered {status}", example.id))?;
            hold(!holds(&body, BOOKING), format!("{part} of {} still has it", example.id))?;
        }
    }
    let (_, after) = cast.read("chat-2", "request").await?;
    hold(holds(&after, "<BOOKING_NUMBER_1>"), "there is no placeholder in its place")?;
    hold(holds(&after, "<EMAIL_ADDRESS_1>"), "earlier placeholders were lost")?;
    notes.say("no body holds one any more; the shredded one stays shredded");
    Ok(())
}

async fn shred_account(cast: &Cast, notes: &mut Notes) -> Result<(), Failure> {
    let started = Instant::now();
    let done = cast.own(Method::POST, ["shred"], None).await?;
    hold(done["shredded"].as_u64().unwrap_or(0) > 0, format!("the shred answered {done}"))?;
    notes.say(format_args!("all of it is gone after {}", shown(started.elapsed())));
    for example in &EXAMPLES {
        for part in ["request", "response"] {
            let (status, _) = cast.read(example.id, part).await?;
            hold(matches!(status, 403 | 404 | 410), format!("a body was answered {status}"))?;
        }
    }
    let live = captures(cast).await?.iter().filter(|row| row["state"] == "stored").count();
    hold(live == 0, format!("{live} captures are still listed as stored"))?;
    notes.say(format_args!("{} bodies, none of which can be opened", EXAMPLES.len() * 2));
    let later = cast.send(&Example { id: "later", ..EXAMPLES[0] }).await?;
    let dropped = outcomes(&later).values().all(|outcome| outcome["reason"] == "not_opted_in");
    hold(dropped, "capture was not switched off")?;
    notes.say("capture is off again until the owner says otherwise");
    Ok(())
}

async fn at_the_end(cast: &Cast, needles: &Needles, notes: &mut Notes) -> Result<(), Failure> {
    cast.uploaded().await?;
    search(cast, needles, notes)
}

/// Gives the agent an hour.
pub(super) async fn grant(cast: &Cast, ticket: &str, scope: Value) -> Result<(), Failure> {
    let until = jiff::Timestamp::from_millisecond(SystemClock.now_ms() + 3_600_000)
        .map_err(|_| Failure::failed("the machine's clock is out of range"))?;
    let order = json!({"agent": cast.agent.id, "until": until.to_string(), "scope": scope});
    cast.own(Method::POST, ["tickets", ticket, "grants"], Some(&order)).await.map(|_| ())
}

async fn reredact(cast: &Cast, dry_run: bool) -> Result<Value, Failure> {
    let path = path(["v1", "accounts", ACCOUNT, "reredact"]);
    let order = json!({"dry_run": dry_run});
    let client = &cast.owner.client;
    let reply = client.send(Caller::Owner(ACCOUNT), Method::POST, &path, Some(&order)).await?;
    let mut last = Value::Null;
    reply
        .lines(|line| {
            last = line;
            Ok(())
        })
        .await?;
    hold(last["finished"] == true, format!("redacting again ended with {last}"))?;
    Ok(last)
}

async fn captures(cast: &Cast) -> Result<Vec<Value>, Failure> {
    let list = cast.own(Method::GET, ["captures"], None).await?;
    Ok(list["captures"].as_array().cloned().unwrap_or_default())
}

/// What became of each part, by its name.
fn outcomes(answer: &Value) -> BTreeMap<String, Value> {
    let parts = answer["parts"].as_object().into_iter().flatten();
    parts.map(|(part, outcome)| (part.clone(), outcome.clone())).collect()
}

fn search(cast: &Cast, needles: &Needles, notes: &mut Notes) -> Result<(), Failure> {
    let searched = needles.in_folder(cast.folder())?;
    hold(searched.hits.is_empty(), format!("raw values in {:?}", searched.hits))?;
    notes.say(format_args!(
        "{} files, {}, searched for {} raw values (also in base64, hex, escapes): none",
        searched.files,
        size(searched.bytes),
        VALUES.len()
    ));
    hold(searched.files > 0, "there were no files to search")
}

/// What the standard rules leave of an exchange, as `oubliette redact` would.
fn redacted(example: &Example) -> Result<[Vec<u8>; 2], Failure> {
    let mut exchange = redactor().exchange();
    let mut redact = |part: &str, bytes: &[u8]| {
        let redacted = exchange.redact(captured(bytes, example, part));
        redacted
            .map(|body| body.bytes().to_vec())
            .map_err(|error| Failure::failed(error.to_string()))
    };
    let [(_, request, _), (_, response, _)] = example.parts();
    Ok([redact("request", request)?, redact("response", response)?])
}

fn captured(bytes: &[u8], example: &Example, part: &str) -> CapturedBody {
    let content_type =
        example.parts().iter().find(|(name, ..)| *name == part).map(|p| p.2.to_owned());
    CapturedBody::new(bytes.to_vec(), content_type, None)
}

fn redactor() -> Redactor {
    Redactor::new(RuleSet::standard(), Policy::default())
}

fn holds(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}
