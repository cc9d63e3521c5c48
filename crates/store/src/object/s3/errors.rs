//! From the SDK's errors to ours: a kind, a mend, and no text that a server chose.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::{StoreError, StoreErrorKind};

pub(super) fn configuration(message: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Configuration, message)
}

/// Sorts an error of the SDK. `doing` says what was tried, as in "reading r7/…".
pub(super) fn sdk_error<E>(doing: &str, error: &SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let error = match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or("");
            let (kind, mend) = reply_kind(status, code);
            return StoreError::new(kind, format!("{doing}: {mend}"))
                .with_source(Reply { status, code: code_word(code) });
        }
        SdkError::ResponseError(reply) => {
            let status = reply.raw().status().as_u16();
            return StoreError::new(
                StoreErrorKind::Retry,
                format!("{doing}: the object store's reply makes no sense: check the endpoint"),
            )
            .with_source(Reply { status, code: String::new() });
        }
        other => other,
    };
    let (kind, mend) = match credentials_error(error) {
        Some(
            CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_),
        ) => (
            StoreErrorKind::Configuration,
            "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role",
        ),
        Some(_) => (StoreErrorKind::Retry, "AWS credentials cannot be fetched now"),
        None => match error {
            SdkError::ConstructionFailure(_) => {
                (StoreErrorKind::Configuration, "the request cannot be built: check the settings")
            }
            SdkError::TimeoutError(_) => {
                (StoreErrorKind::Retry, "the object store did not answer in time")
            }
            _ => (
                StoreErrorKind::Retry,
                "the object store cannot be reached: check the endpoint and the network",
            ),
        },
    };
    StoreError::new(kind, format!("{doing}: {mend}")).with_source(Chain::of(error))
}

fn reply_kind(status: u16, code: &str) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Configuration, Damaged, Denied, NotFound, Retry};
    match (status, code) {
        (_, "NoSuchBucket") => (Configuration, "there is no such bucket: create it"),
        (_, "RequestTimeTooSkewed") => {
            (Configuration, "the clocks disagree: set this machine's clock")
        }
        (_, "InvalidAccessKeyId") => (Denied, "the access key is not known to the object store"),
        (_, "SignatureDoesNotMatch") => (Denied, "the secret key does not fit the access key"),
        (_, "ExpiredToken" | "InvalidToken") => (Denied, "the credentials have expired"),
        (_, "AuthorizationHeaderMalformed" | "PermanentRedirect") | (301 | 307 | 308, _) => {
            (Configuration, "the bucket is in another region: mend the region")
        }
        (404, _) => (NotFound, "there is no such object"),
        (401 | 403, _) => (
            Denied,
            "the object store refuses: allow GetObject, PutObject, DeleteObject, ListBucket and \
             the lifecycle configuration on this bucket",
        ),
        (416, _) => (Damaged, "the object ends before the range that was asked for"),
        (408 | 409 | 425 | 429, _) | (500 | 502..=599, _) => {
            (Retry, "the object store cannot do it now")
        }
        (501, _) => (Configuration, "the object store does not support this"),
        _ => (Configuration, "the object store takes the request for wrong: check the settings"),
    }
}

/// What a server answered, as far as it can be shown: its text may repeat the access key or the
/// string that was signed.
#[derive(Debug)]
struct Reply {
    status: u16,
    code: String,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if self.code.is_empty() { Ok(()) } else { write!(f, " {}", self.code) }
    }
}

impl Error for Reply {}

/// S3's error codes are one word; anything else is not repeated.
fn code_word(code: &str) -> String {
    let word = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if word { code.to_owned() } else { String::new() }
}

/// The `Display` of a chain of causes, without their `Debug`, which shows whole replies.
struct Chain(String);

impl Chain {
    fn of(error: &(dyn Error + 'static)) -> Self {
        let causes: Vec<_> = causes(error).skip(1).map(ToString::to_string).collect();
        Self(causes.join(": "))
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Chain {}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    // Through the reference: a reference to an error is an error too, and lives less long.
    std::iter::successors(Some(error), |error| <dyn Error>::source(*error))
}

fn credentials_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CredentialsError> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::put_object::PutObjectError;
    use aws_sdk_s3::primitives::SdkBody;

    use super::*;

    fn reply(status: u16, code: &str, text: &str) -> StoreError {
        let body = format!("<Error><Code>{code}</Code><Message>{text}</Message></Error>");
        let raw = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        let meta = ErrorMetadata::builder().code(code).message(text).build();
        let error = SdkError::service_error(PutObjectError::generic(meta), raw);
        sdk_error("writing r7", &error)
    }

    #[test]
    fn replies_are_sorted_by_what_to_do() {
        for (status, code, kind) in [
            (404, "NoSuchKey", StoreErrorKind::NotFound),
            (404, "NoSuchBucket", StoreErrorKind::Configuration),
            (403, "AccessDenied", StoreErrorKind::Denied),
            (403, "RequestTimeTooSkewed", StoreErrorKind::Configuration),
            (400, "AuthorizationHeaderMalformed", StoreErrorKind::Configuration),
            (409, "OperationAborted", StoreErrorKind::Retry),
            (503, "SlowDown", StoreErrorKind::Retry),
            (416, "InvalidRange", StoreErrorKind::Damaged),
            (501, "NotImplemented", StoreErrorKind::Configuration),
        ] {
            assert_eq!(reply(status, code, "").kind(), kind, "{status} {code}");
        }
    }

    #[test]
    fn what_a_server_writes_is_not_repeated() {
        let error = reply(403, "SignatureDoesNotMatch", "AKIAEXAMPLE signed this");
        let shown = format!("{error} {error:?} {:?}", error.source());
        assert!(!shown.contains("AKIA"), "{shown}");
        assert!(shown.contains("status: 403"), "{shown}");
        let error = reply(403, "Bad AKIAEXAMPLE", "");
        assert!(!format!("{error:?}").contains("AKIA"));
    }
}
