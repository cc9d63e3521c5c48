//! Reading one body under a grant.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use oubliette_service::ReadBody;

use crate::{
    api_error::ApiError,
    app::App,
    content::{content_coding, content_type, report_header},
    guard::Caller,
    input::{path::Path, query::Query},
};

/// `GET /v1/accounts/{account}/exchanges/{exchange}/{part}/body?reveal=`
pub(crate) async fn read(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    mut query: Query,
) -> Result<Response, ApiError> {
    let reveal = query.word("reveal", &[("true", true), ("false", false)])?.unwrap_or_default();
    query.done()?;
    let (account, exchange, part) = (path.account()?, path.exchange()?, path.part()?);
    let read = if reveal {
        app.oubliette().reveal(&by, &account, &exchange, part).await?
    } else {
        app.oubliette().read(&by, &account, &exchange, part).await?
    };
    let headers = headers(&read)?;
    Ok((headers, Body::from(Bytes::from_owner(Sent(read)))).into_response())
}

/// The body on its way out, without a copy: it is wiped when its last byte has been sent.
struct Sent(ReadBody);

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// Whatever a body says it is, no browser shall show it in this server's name.
fn headers(read: &ReadBody) -> Result<HeaderMap, ApiError> {
    let report = serde_json::to_value(read.body.report()).map_err(|_| ApiError::internal())?;
    let id = |id: &str| HeaderValue::from_str(id).map_err(|_| ApiError::internal());
    let mut headers: HeaderMap = [
        (header::CONTENT_TYPE, content_type(read.body.content_type())),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        (GRANT, id(&read.grant)?),
        (TICKET, id(&read.ticket)?),
        (REPORT, report_header(report)),
    ]
    .into_iter()
    .collect();
    // Only bodies that were stored unredacted are still in their encoding.
    if let Some(coding) = read.body.content_encoding() {
        match content_coding(coding) {
            Some(coding) => headers.insert(header::CONTENT_ENCODING, coding),
            None => headers
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        };
    }
    Ok(headers)
}

const GRANT: HeaderName = HeaderName::from_static("oubliette-grant");
const TICKET: HeaderName = HeaderName::from_static("oubliette-ticket");
const REPORT: HeaderName = HeaderName::from_static("oubliette-report");
