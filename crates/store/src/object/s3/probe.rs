//! What an S3 server can do beside what we need, tried out.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::BucketVersioningStatus;

use super::errors::sdk_error;
use crate::error::{StoreError, StoreErrorKind};
use crate::key::ObjectKey;
use crate::object::Check;

/// Tries each on the object `key`, which is there and is left as it is.
pub(super) async fn all(client: &Client, bucket: &str, key: &ObjectKey) -> Vec<Check> {
    vec![
        checksum(client, bucket, key).await,
        conditional_put(client, bucket, key).await,
        versioning(client, bucket).await,
    ]
}

/// Whether the server refuses a body that does not fit the checksum sent along. Segments carry
/// their own SHA-256, so nothing rests on it.
async fn checksum(client: &Client, bucket: &str, key: &ObjectKey) -> Check {
    let name = "checksum";
    let wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="; // 32 zero bytes
    let put = client.put_object().bucket(bucket).key(beside(key)).checksum_sha256(wrong);
    match put.body(ByteStream::from_static(b"not zeros")).send().await {
        Ok(_) => {
            remove(client, bucket, &beside(key)).await;
            Check::unneeded(
                name,
                "the server takes a body with a wrong checksum; segments have their own",
            )
        }
        Err(error) => match unreachable("sending a checksum", &error) {
            Some(error) => Check::bad(name, error.to_string()),
            None => Check::good(name, "the server refuses a body with a wrong checksum"),
        },
    }
}

/// Whether a PUT may be made to fail where there is an object already. Never used: several servers
/// ignore it and overwrite.
async fn conditional_put(client: &Client, bucket: &str, key: &ObjectKey) -> Check {
    let name = "conditional put";
    let once = beside(key);
    let body = || ByteStream::from_static(b"once");
    let put = || client.put_object().bucket(bucket).key(&once).if_none_match("*").body(body());
    let first = put().send().await;
    let second = put().send().await;
    remove(client, bucket, &once).await;
    for (reply, number) in [(&first, "first"), (&second, "second")] {
        if let Err(error) = reply
            && let Some(error) = unreachable("writing on a condition", error)
        {
            return Check::bad(name, format!("{number}: {error}"));
        }
    }
    match (first.is_ok(), second.is_ok()) {
        (true, false) => Check::good(name, "honoured; not used"),
        (true, true) => Check::unneeded(name, "ignored: the server overwrites; not used"),
        (false, _) => Check::unneeded(name, "refused; not used"),
    }
}

async fn versioning(client: &Client, bucket: &str) -> Check {
    let name = "versioning";
    match client.get_bucket_versioning().bucket(bucket).send().await {
        Ok(reply) => match reply.status() {
            Some(BucketVersioningStatus::Enabled) => {
                Check::good(name, "on: old versions go a day after, by our lifecycle rules")
            }
            Some(BucketVersioningStatus::Suspended) => {
                Check::good(name, "suspended: old versions go a day after, by our lifecycle rules")
            }
            _ => Check::good(name, "off: what is deleted is deleted"),
        },
        Err(error) => match unreachable("asking for versioning", &error) {
            Some(error) => Check::bad(name, error.to_string()),
            None => Check::unneeded(name, "the server does not say: taken for off"),
        },
    }
}

/// A key that is no segment's, beside the segment's.
fn beside(key: &ObjectKey) -> String {
    format!("{key}.check")
}

async fn remove(client: &Client, bucket: &str, key: &str) {
    if let Err(error) = client.delete_object().bucket(bucket).key(key).send().await {
        let error = sdk_error("deleting what was written as a check", &error);
        tracing::warn!(%key, %error, "an object that was written as a check stays");
    }
}

/// The error, if it says nothing about what was tried.
fn unreachable<E>(
    doing: &str,
    error: &aws_sdk_s3::error::SdkError<E, aws_sdk_s3::config::http::HttpResponse>,
) -> Option<StoreError>
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let error = sdk_error(doing, error);
    matches!(error.kind(), StoreErrorKind::Retry | StoreErrorKind::Denied).then_some(error)
}
