//! Captures: handing them in, listing them.

use std::collections::BTreeMap;

use axum::{Json as Shown, extract::State};
use oubliette_service::{
    CaptureOutcome, Envelope,
    catalog::{
        AccountId, Capture, CaptureFilter, CaptureState, Exchange, ExchangeId, ExchangeRecord,
        Order, Part,
    },
    redact::CapturedBody,
};
use serde::{Deserialize, Serialize};

use super::{Answer, next, take_paging};
use crate::{
    api_error::ApiError,
    app::App,
    guard::Caller,
    input::{
        base64::Base64,
        fields::{Detail, Id},
        json::{Input, Json},
        path::Path,
        query::Query,
        time::{Time, shown},
    },
    options::ServerOptions,
};

/// `POST /v1/captures`
pub(crate) async fn capture(
    State(app): State<App>,
    Caller(by): Caller,
    Json(input): Json<CaptureInput>,
) -> Answer<CaptureOutcome> {
    if input.request.is_none() && input.response.is_none() {
        return Err(ApiError::invalid("request and response are missing: give at least one"));
    }
    let envelope = input.into_envelope(app.oubliette().now_ms());
    Ok(Shown(app.oubliette().capture(&by, envelope).await?))
}

/// `GET /v1/accounts/{account}/captures`
pub(crate) async fn list(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    mut query: Query,
) -> Answer<CaptureList> {
    let account = path.account()?;
    let (cursor, limit) = take_paging(&mut query)?;
    let filter = CaptureFilter {
        from: query.time("from")?,
        to: query.time("to")?,
        part: query.word("part", &[("request", Part::Request), ("response", Part::Response)])?,
        state: query.word(
            "state",
            &[
                ("stored", CaptureState::Stored),
                ("shredded", CaptureState::Shredded),
                ("expired", CaptureState::Expired),
            ],
        )?,
        order: query
            .word("order", &[("newest", Order::Newest), ("oldest", Order::Oldest)])?
            .unwrap_or_default(),
        cursor,
        limit,
    };
    query.done()?;
    let page = app.oubliette().captures(&by, &account, filter).await?;
    Ok(Shown(CaptureList {
        captures: page.items.into_iter().map(CaptureView::of).collect(),
        next: next(page.next),
    }))
}

/// `GET /v1/accounts/{account}/exchanges/{exchange}`
pub(crate) async fn exchange(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    query: Query,
) -> Answer<ExchangeView> {
    query.done()?;
    let (account, exchange) = (path.account()?, path.exchange()?);
    Ok(Shown(ExchangeView::of(app.oubliette().exchange(&by, &account, &exchange).await?)))
}

/// One exchange as a gateway sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaptureInput {
    id: Id<ExchangeId>,
    account: Id<AccountId>,
    time: Option<Time>,
    key_hash: Option<Detail>,
    trace_id: Option<Detail>,
    cache_key: Option<Detail>,
    api: Option<Detail>,
    provider: Option<Detail>,
    model: Option<Detail>,
    status: Option<u16>,
    tokens_in: Option<u64>,
    tokens_out: Option<u64>,
    latency_ms: Option<u64>,
    request: Option<BodyInput>,
    response: Option<BodyInput>,
}

impl Input for CaptureInput {
    fn limit(options: &ServerOptions) -> usize {
        options.max_capture_bytes
    }
}

impl CaptureInput {
    fn into_envelope(self, now: i64) -> Envelope {
        let text = |detail: Option<Detail>| detail.map(|Detail(text)| text);
        let time = self.time.map_or(now, |Time(time)| time);
        Envelope {
            exchange: Exchange {
                api: text(self.api),
                model: text(self.model),
                provider: text(self.provider),
                status: self.status,
                tokens_in: self.tokens_in,
                tokens_out: self.tokens_out,
                latency_ms: self.latency_ms,
                trace_id: text(self.trace_id),
                cache_key: text(self.cache_key),
                key_hash: text(self.key_hash),
                ..Exchange::new(self.account.0, self.id.0, time)
            },
            request: self.request.map(BodyInput::into_captured),
            response: self.response.map(BodyInput::into_captured),
        }
    }
}

/// One body as a gateway sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BodyInput {
    content_type: Option<Detail>,
    encoding: Option<Detail>,
    body_b64: Base64,
}

impl BodyInput {
    fn into_captured(self) -> CapturedBody {
        CapturedBody::new(
            self.body_b64.into_bytes(),
            self.content_type.map(|Detail(text)| text),
            self.encoding.map(|Detail(text)| text),
        )
    }
}

/// A page of captures.
#[derive(Debug, Serialize)]
pub(crate) struct CaptureList {
    captures: Vec<CaptureView>,
    next: Option<String>,
}

/// A capture without its body.
#[derive(Debug, Serialize)]
pub(crate) struct CaptureView {
    exchange: ExchangeId,
    part: Part,
    address: String,
    state: CaptureState,
    captured_at: Time,
    forgotten_at: Option<Time>,
    retention_days: u16,
    content_type: Option<String>,
    format: String,
    findings: BTreeMap<String, u64>,
    rule_set: Option<String>,
    sealed_bytes: Option<u64>,
}

impl CaptureView {
    fn of(capture: Capture) -> Self {
        Self {
            exchange: capture.exchange,
            part: capture.part,
            address: format!("{:016x}", capture.address.to_bits()),
            state: capture.state,
            captured_at: Time(capture.captured_at),
            forgotten_at: shown(capture.forgotten_at),
            retention_days: capture.retention_days,
            content_type: capture.content_type,
            format: capture.format,
            findings: capture.findings,
            rule_set: capture.rule_set,
            sealed_bytes: capture.location.map(|location| location.len),
        }
    }
}

/// An exchange with its captures.
#[derive(Debug, Serialize)]
pub(crate) struct ExchangeView {
    id: ExchangeId,
    account: AccountId,
    time: Time,
    key_hash: Option<String>,
    trace_id: Option<String>,
    cache_key: Option<String>,
    api: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    status: Option<u16>,
    tokens_in: Option<u64>,
    tokens_out: Option<u64>,
    latency_ms: Option<u64>,
    captures: Vec<CaptureView>,
}

impl ExchangeView {
    fn of(ExchangeRecord { exchange, captures }: ExchangeRecord) -> Self {
        Self {
            id: exchange.id,
            account: exchange.account,
            time: Time(exchange.time),
            key_hash: exchange.key_hash,
            trace_id: exchange.trace_id,
            cache_key: exchange.cache_key,
            api: exchange.api,
            provider: exchange.provider,
            model: exchange.model,
            status: exchange.status,
            tokens_in: exchange.tokens_in,
            tokens_out: exchange.tokens_out,
            latency_ms: exchange.latency_ms,
            captures: captures.into_iter().map(CaptureView::of).collect(),
        }
    }
}
