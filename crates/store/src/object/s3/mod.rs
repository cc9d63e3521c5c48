//! S3 and what speaks like it: R2, Garage, MinIO.

mod errors;
mod probe;
mod rules;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use self::errors::{configuration, sdk_error};
use super::files::{FileStore, check_name};
use super::{Check, LifecycleRule, ObjectInfo, ObjectPage, ObjectStore, range_len, too_short};
use crate::error::{StoreError, StoreErrorKind};
use crate::key::ObjectKey;

/// Where the bucket is. Credentials are no setting: they come from the usual AWS chain
/// (environment, profile, container or instance role).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Settings {
    /// The bucket. It must exist.
    pub bucket: String,
    /// `http://` or `https://` address of a server that is not AWS.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The region; without it, what the AWS chain says. Garage wants `garage`, R2 wants `auto`.
    #[serde(default)]
    pub region: Option<String>,
    /// Whether the bucket is in the path and not in the host name. Without it: in the path if
    /// there is an endpoint, since most servers that are not AWS want that.
    #[serde(default)]
    pub path_style: Option<bool>,
}

/// Keeps objects in an S3 bucket.
///
/// Bodies are sent from memory under one payload signature, and the newer default checksums of
/// the SDK are off unless an operation demands them: several servers refuse them. Each operation
/// has its own deadline and at most three attempts; the spool does the longer waiting.
#[derive(Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
}

impl S3Store {
    /// Prepares the client. No request is made: a bucket that cannot be reached shows with the
    /// first operation, and does not keep a sidecar from starting.
    ///
    /// # Errors
    ///
    /// `Configuration` if the bucket or endpoint is no such thing or no region is known.
    pub async fn connect(settings: &S3Settings) -> Result<Self, StoreError> {
        check(settings)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let shared = loader.load().await;
        if shared.region().is_none() {
            return Err(configuration(
                "no S3 region is known: set the region in the configuration or AWS_REGION",
            ));
        }
        let path_style = settings.path_style.unwrap_or(settings.endpoint.is_some());
        let mut config = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(path_style)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts(0));
        if let Some(endpoint) = &settings.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(Self { client: Client::from_conf(config.build()), bucket: settings.bucket.clone() })
    }

    /// One ranged GET, body and all.
    async fn get_once(&self, key: &ObjectKey, range: &Range<u64>) -> Result<Bytes, StoreError> {
        let len = range_len(range)?;
        let reply = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key.to_string())
            .range(format!("bytes={}-{}", range.start, range.end - 1))
            .customize()
            .config_override(aws_sdk_s3::Config::builder().timeout_config(timeouts(len)))
            .send()
            .await
            .map_err(|error| sdk_error(&format!("reading {key}"), &error))?;
        if reply.content_length().is_some_and(|sent| u64::try_from(sent) != Ok(len)) {
            return Err(too_short(key));
        }
        let broken = || {
            StoreError::new(
                StoreErrorKind::Retry,
                format!("reading {key}: the object store broke off in the middle"),
            )
        };
        // The SDK's timeouts end with the headers; the body needs one of its own.
        let body = tokio::time::timeout(attempt_timeout(len), reply.body.collect())
            .await
            .map_err(|_| broken())?
            .map_err(|_| broken())?
            .into_bytes();
        if body.len() as u64 == len { Ok(body) } else { Err(broken()) }
    }
}

#[async_trait]
impl FileStore for S3Store {
    async fn put_file(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        check_name(name)?;
        let len = bytes.len() as u64;
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(name)
            .content_type("application/octet-stream")
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(aws_sdk_s3::Config::builder().timeout_config(timeouts(len)))
            .send()
            .await
            .map_err(|error| sdk_error("publishing the log", &error))?;
        Ok(())
    }

    async fn get_file(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        check_name(name)?;
        let request = self.client.get_object().bucket(&self.bucket).key(name);
        let reply = match request.send().await {
            Ok(reply) => reply,
            Err(error) => {
                let error = sdk_error("reading the published log", &error);
                let missing = error.kind() == StoreErrorKind::NotFound;
                return if missing { Ok(None) } else { Err(error) };
            }
        };
        // A tile or a head: kilobytes, for which the shortest deadline is ample.
        let body = tokio::time::timeout(attempt_timeout(0), reply.body.collect()).await;
        let broken = || {
            let what = "reading the published log: the object store broke off in the middle";
            StoreError::new(StoreErrorKind::Retry, what)
        };
        Ok(Some(body.map_err(|_| broken())?.map_err(|_| broken())?.into_bytes()))
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put(&self, key: &ObjectKey, body: Bytes) -> Result<(), StoreError> {
        let len = body.len() as u64;
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key.to_string())
            .content_type("application/octet-stream")
            .body(ByteStream::from(body))
            .customize()
            .config_override(aws_sdk_s3::Config::builder().timeout_config(timeouts(len)))
            .send()
            .await
            .map_err(|error| sdk_error(&format!("writing {key}"), &error))?;
        Ok(())
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let mut attempt = 1;
        loop {
            match self.get_once(key, &range).await {
                // What fails before the headers the SDK has repeated already; what breaks off in
                // the body it has not, and once more is cheap compared with a failed read.
                Err(error) if error.kind() == StoreErrorKind::Retry && attempt < 2 => attempt += 1,
                result => return result,
            }
        }
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        let reply = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key.to_string())
            .send()
            .await
            .map_err(|error| sdk_error(&format!("looking for {key}"), &error))?;
        reply.content_length().and_then(|len| u64::try_from(len).ok()).ok_or_else(|| {
            StoreError::new(
                StoreErrorKind::Retry,
                format!("looking for {key}: the object store did not say its size"),
            )
        })
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
    ) -> Result<ObjectPage, StoreError> {
        let mut continuation = None;
        loop {
            let reply = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(prefix)
                .set_start_after(after.map(ToString::to_string))
                .set_continuation_token(continuation.take())
                .send()
                .await
                .map_err(|error| sdk_error("listing the bucket", &error))?;
            let objects: Vec<_> = reply
                .contents()
                .iter()
                .filter_map(|object| {
                    let key = object.key()?.parse().ok()?;
                    Some(ObjectInfo { key, size: u64::try_from(object.size()?).ok()? })
                })
                .collect();
            continuation = reply
                .next_continuation_token()
                .filter(|_| reply.is_truncated() == Some(true))
                .map(ToOwned::to_owned);
            // A page of strangers' objects has no key to go on from, so go on here.
            match (continuation.is_some(), objects.last()) {
                (true, None) => {}
                (true, Some(last)) => {
                    let next = Some(last.key);
                    return Ok(ObjectPage { objects, next });
                }
                (false, _) => return Ok(ObjectPage { objects, next: None }),
            }
        }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let deleted = self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(key.to_string())
            .send()
            .await
            .map_err(|error| sdk_error(&format!("deleting {key}"), &error));
        match deleted {
            Err(error) if error.kind() != StoreErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn ensure_lifecycle(&self, rules: &[LifecycleRule]) -> Result<(), StoreError> {
        rules::ensure(&self.client, &self.bucket, rules).await
    }

    async fn lifecycle(&self) -> Result<Vec<LifecycleRule>, StoreError> {
        rules::in_force(&self.client, &self.bucket).await
    }

    async fn capabilities(&self, key: &ObjectKey) -> Vec<Check> {
        probe::all(&self.client, &self.bucket, key).await
    }

    /// The server does it by itself.
    async fn sweep(&self, _unix_seconds: i64) -> Result<u64, StoreError> {
        Ok(0)
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client's own Debug would print its whole configuration.
        f.debug_struct("S3Store").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

/// Attempts of the SDK per operation, the first included.
const ATTEMPTS: u32 = 3;

/// A connection that takes longer than this is not worth waiting for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The time one attempt may take: 5 s, and a second for each MiB of body, which is a slow line.
fn attempt_timeout(body_len: u64) -> Duration {
    Duration::from_secs(5 + body_len / (1 << 20))
}

fn timeouts(body_len: u64) -> TimeoutConfig {
    let attempt = attempt_timeout(body_len);
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(attempt * ATTEMPTS)
        .build()
}

fn check(settings: &S3Settings) -> Result<(), StoreError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if settings.bucket.is_empty() || !settings.bucket.chars().all(allowed) {
        return Err(configuration(
            "the S3 bucket must be a bucket's name, without a path or scheme",
        ));
    }
    let Some(endpoint) = &settings.endpoint else { return Ok(()) };
    let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    match host {
        // The endpoint turns up in messages and logs, so nobody may keep a password in it.
        Some(host) if host.contains(['@', '?', '#']) => Err(configuration(
            "the S3 endpoint must not contain credentials or a query: \
             put credentials into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )),
        Some(host) if !host.is_empty() => Ok(()),
        _ => Err(configuration("the S3 endpoint must begin with http:// or https:// and a host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(bucket: &str, endpoint: &str) -> S3Settings {
        S3Settings {
            bucket: bucket.into(),
            endpoint: Some(endpoint.into()),
            region: Some("garage".into()),
            path_style: None,
        }
    }

    #[tokio::test]
    async fn settings_that_cannot_work_are_refused_without_repeating_a_password() {
        for (bucket, endpoint) in [
            ("", "http://127.0.0.1:3900"),
            ("s3://bucket", "http://127.0.0.1:3900"),
            ("bucket/path", "http://127.0.0.1:3900"),
            ("bucket", "127.0.0.1:3900"),
            ("bucket", "https://"),
            ("bucket", "https://key:hunter2@example.org"),
            ("bucket", "https://example.org/?hunter2"),
        ] {
            let error = S3Store::connect(&settings(bucket, endpoint)).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Configuration, "{bucket} {endpoint}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn larger_bodies_have_more_time() {
        assert_eq!(attempt_timeout(1000), Duration::from_secs(5));
        assert_eq!(attempt_timeout(64 << 20), Duration::from_secs(69));
        assert_eq!(timeouts(0).operation_timeout(), Some(Duration::from_secs(15)));
    }
}
