//! Lifecycle rules of a bucket: ours beside those of others.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus,
    ExpirationStatus, LifecycleExpiration, LifecycleRule as SdkRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration,
};

use super::errors::sdk_error;
use crate::error::{StoreError, StoreErrorKind};
use crate::object::LifecycleRule;

/// Days that old versions stay in a bucket that keeps versions: the shortest there is.
const NONCURRENT_DAYS: i32 = 1;

/// Our rules as the bucket has them: in one that keeps versions, those that take old versions out too.
pub(super) async fn in_force(
    client: &Client,
    bucket: &str,
) -> Result<Vec<LifecycleRule>, StoreError> {
    let existing = fetch(client, bucket).await?;
    let versioned = keeps_versions(client, bucket).await?;
    let mut rules: Vec<_> = existing.iter().filter_map(|rule| ours(rule, versioned)).collect();
    rules.sort_by_key(|rule| rule.class());
    Ok(rules)
}

/// Adds what is missing, with a single write, and none if nothing is.
pub(super) async fn ensure(
    client: &Client,
    bucket: &str,
    wanted: &[LifecycleRule],
) -> Result<(), StoreError> {
    let existing = fetch(client, bucket).await?;
    if let Some(rule) = existing.iter().find(|rule| wanted.iter().any(|w| endangers(rule, *w))) {
        return Err(StoreError::new(
            StoreErrorKind::Configuration,
            format!(
                "the bucket's lifecycle rule {:?} removes segments before their time: \
                 narrow or remove it, or use a bucket of its own",
                rule.id().unwrap_or("without id")
            ),
        ));
    }
    let versioned = keeps_versions(client, bucket).await?;
    let good: Vec<_> = existing.iter().filter_map(|rule| ours(rule, versioned)).collect();
    if wanted.iter().all(|rule| good.contains(rule)) {
        return Ok(());
    }
    // By name, so that a rule of ours that someone has altered is put right as well.
    let named: Vec<_> = existing.iter().filter_map(claimed_class).collect();
    let merged = LifecycleRule::merge(&named, wanted)?;
    let strangers = existing.into_iter().filter(|rule| claimed_class(rule).is_none());
    let rules: Vec<_> =
        strangers.chain(merged.into_iter().map(|rule| to_sdk(rule, versioned))).collect();
    if rules.len() > LifecycleRule::MOST_RULES {
        return Err(StoreError::new(
            StoreErrorKind::Configuration,
            "the bucket has too many lifecycle rules: remove some, or use a bucket of its own",
        ));
    }
    let configuration = BucketLifecycleConfiguration::builder()
        .set_rules(Some(rules))
        .build()
        .expect("the rules are set");
    client
        .put_bucket_lifecycle_configuration()
        .bucket(bucket)
        .lifecycle_configuration(configuration)
        .send()
        .await
        .map_err(|error| sdk_error("setting the bucket's lifecycle rules", &error))?;
    Ok(())
}

async fn fetch(client: &Client, bucket: &str) -> Result<Vec<SdkRule>, StoreError> {
    match client.get_bucket_lifecycle_configuration().bucket(bucket).send().await {
        Ok(reply) => Ok(reply.rules.unwrap_or_default()),
        Err(error) => match sdk_error("reading the bucket's lifecycle rules", &error) {
            none if none.kind() == StoreErrorKind::NotFound => Ok(Vec::new()),
            error => Err(error),
        },
    }
}

/// Whether the bucket keeps old versions, which then need a deadline of their own.
async fn keeps_versions(client: &Client, bucket: &str) -> Result<bool, StoreError> {
    match client.get_bucket_versioning().bucket(bucket).send().await {
        Ok(reply) => Ok(matches!(
            reply.status(),
            Some(BucketVersioningStatus::Enabled | BucketVersioningStatus::Suspended)
        )),
        Err(error) => match sdk_error("asking whether the bucket keeps versions", &error) {
            error if error.kind() == StoreErrorKind::Retry => Err(error),
            error => {
                // Servers without versioning say so in many ways. Where we merely may not ask, old
                // versions stay longer, but their keys are gone like the others.
                tracing::debug!(%error, "taking the bucket for one without versions");
                Ok(false)
            }
        },
    }
}

/// The class that a rule's id names, if the id is one of ours.
fn claimed_class(rule: &SdkRule) -> Option<LifecycleRule> {
    let class = rule.id()?.strip_prefix(LifecycleRule::ID_PREFIX)?;
    class.parse().ok().map(LifecycleRule::new)
}

/// The rule as one of ours, if it is enabled and says exactly what ours says.
fn ours(rule: &SdkRule, versioned: bool) -> Option<LifecycleRule> {
    let claimed = claimed_class(rule)?;
    let days = rule.expiration().and_then(LifecycleExpiration::days);
    let noncurrent = rule.noncurrent_version_expiration().and_then(|e| e.noncurrent_days());
    let exact = *rule.status() == ExpirationStatus::Enabled
        && plain_prefix(rule) == Some(&claimed.prefix())
        && days == Some(i32::from(claimed.expire_after_days()))
        && (!versioned || noncurrent == Some(NONCURRENT_DAYS));
    exact.then_some(claimed)
}

/// The prefix of a rule that selects by prefix only; `None` if it selects by tag or size too.
fn plain_prefix(rule: &SdkRule) -> Option<&str> {
    #[expect(deprecated, reason = "old rules have their prefix outside the filter")]
    let outside = rule.prefix();
    let Some(filter) = rule.filter() else { return Some(outside.unwrap_or("")) };
    let narrowed = filter.tag().is_some()
        || filter.and().is_some()
        || filter.object_size_greater_than().is_some()
        || filter.object_size_less_than().is_some();
    (!narrowed).then(|| filter.prefix().or(outside).unwrap_or(""))
}

/// Whether someone else's rule removes objects of this class before the class's own rule does.
fn endangers(rule: &SdkRule, class: LifecycleRule) -> bool {
    if claimed_class(rule).is_some() || *rule.status() != ExpirationStatus::Enabled {
        return false;
    }
    // A rule that selects by tag does not meet our objects, which have none; and one that selects
    // by size may, so only the tag lets a rule pass.
    let tagged = rule.filter().is_some_and(|filter| {
        filter.tag().is_some() || filter.and().is_some_and(|and| !and.tags().is_empty())
    });
    let prefix = plain_prefix(rule)
        .or_else(|| rule.filter().and_then(|filter| filter.and()).and_then(|and| and.prefix()))
        .unwrap_or("");
    let ours = class.prefix();
    let meets = ours.starts_with(prefix) || prefix.starts_with(&ours);
    let early = rule.expiration().is_some_and(|expiration| {
        expiration.date().is_some()
            || expiration.days().is_some_and(|days| days < i32::from(class.expire_after_days()))
    });
    !tagged && meets && early
}

fn to_sdk(rule: LifecycleRule, versioned: bool) -> SdkRule {
    let abort = AbortIncompleteMultipartUpload::builder()
        .days_after_initiation(i32::from(LifecycleRule::ABORT_UPLOADS_AFTER_DAYS))
        .build();
    let expiration =
        LifecycleExpiration::builder().days(i32::from(rule.expire_after_days())).build();
    let noncurrent =
        NoncurrentVersionExpiration::builder().noncurrent_days(NONCURRENT_DAYS).build();
    SdkRule::builder()
        .id(rule.id())
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix(rule.prefix()).build())
        .expiration(expiration)
        .abort_incomplete_multipart_upload(abort)
        .set_noncurrent_version_expiration(versioned.then_some(noncurrent))
        .build()
        .expect("the status is set")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_credential_types::Credentials;
    use aws_sdk_s3::config::{BehaviorVersion, Region};
    use aws_sdk_s3::types::{LifecycleRuleAndOperator, Tag};
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::RetentionClass;

    fn rule(days: u32) -> LifecycleRule {
        LifecycleRule::new(RetentionClass::days(days).unwrap())
    }

    fn foreign(prefix: &str, days: i32) -> SdkRule {
        SdkRule::builder()
            .id("cleanup")
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
            .expiration(LifecycleExpiration::builder().days(days).build())
            .build()
            .unwrap()
    }

    #[test]
    fn our_rule_is_known_again_and_an_altered_one_is_not_in_force() {
        for versioned in [false, true] {
            assert_eq!(ours(&to_sdk(rule(7), versioned), versioned), Some(rule(7)));
        }
        assert_eq!(ours(&to_sdk(rule(7), false), true), None, "old versions need a deadline");
        let mut altered = to_sdk(rule(7), false);
        altered.status = ExpirationStatus::Disabled;
        assert_eq!(ours(&altered, false), None);
        assert_eq!(claimed_class(&altered), Some(rule(7)));
        let mut altered = to_sdk(rule(7), false);
        altered.expiration = Some(LifecycleExpiration::builder().days(70).build());
        assert_eq!(ours(&altered, false), None);
    }

    #[test]
    fn rules_never_select_by_tag() {
        let rule = to_sdk(rule(7), true);
        let filter = rule.filter().unwrap();
        assert_eq!(filter.prefix(), Some("r7/"));
        assert!(filter.tag().is_none() && filter.and().is_none());
    }

    #[test]
    fn a_strangers_rule_that_comes_too_early_is_seen() {
        assert!(endangers(&foreign("", 7), rule(7)));
        assert!(endangers(&foreign("r", 1), rule(7)));
        assert!(endangers(&foreign("r7/2026/", 1), rule(7)));
        assert!(!endangers(&foreign("", 8), rule(7)));
        assert!(!endangers(&foreign("logs/", 1), rule(7)));
        assert!(!endangers(&foreign("r70/", 1), rule(7)));
        let mut disabled = foreign("", 1);
        disabled.status = ExpirationStatus::Disabled;
        assert!(!endangers(&disabled, rule(7)));
        let mut tagged = foreign("", 1);
        let tag = Tag::builder().key("temporary").value("yes").build().unwrap();
        tagged.filter = Some(LifecycleRuleFilter::builder().tag(tag).build());
        assert!(!endangers(&tagged, rule(7)));
        let mut sized = foreign("", 1);
        let and = LifecycleRuleAndOperator::builder().prefix("r7/").object_size_greater_than(1);
        sized.filter = Some(LifecycleRuleFilter::builder().and(and.build()).build());
        assert!(endangers(&sized, rule(7)));
    }

    /// A bucket that has a lifecycle configuration and a versioning state, and nothing else: the
    /// servers that tests can have do not keep versions.
    #[derive(Default)]
    struct Bucket {
        versioned: Mutex<bool>,
        rules: Mutex<Option<String>>,
    }

    impl Bucket {
        async fn serve(self: Arc<Self>) -> Client {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(async move {
                while let Ok((connection, _)) = listener.accept().await {
                    self.answer(connection).await;
                }
            });
            let config = aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("nowhere"))
                .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
                .force_path_style(true)
                .endpoint_url(endpoint);
            Client::from_conf(config.build())
        }

        async fn answer(&self, connection: TcpStream) {
            let mut connection = BufReader::new(connection);
            let (mut asked, mut len) = (String::new(), 0);
            connection.read_line(&mut asked).await.unwrap();
            loop {
                let mut line = String::new();
                connection.read_line(&mut line).await.unwrap();
                let line = line.trim().to_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(sent) = line.strip_prefix("content-length:") {
                    len = sent.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; len];
            connection.read_exact(&mut body).await.unwrap();
            let (status, reply) = self.reply(&asked, String::from_utf8(body).unwrap());
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", reply.len());
            let reply = format!("{head}connection: close\r\n\r\n{reply}");
            connection.write_all(reply.as_bytes()).await.unwrap();
        }

        fn reply(&self, asked: &str, body: String) -> (&'static str, String) {
            let mut rules = self.rules.lock().unwrap();
            if asked.contains("?versioning") {
                let status =
                    if *self.versioned.lock().unwrap() { "<Status>Enabled</Status>" } else { "" };
                let tag = "VersioningConfiguration";
                return ("200 OK", format!("<{tag}>{status}</{tag}>"));
            }
            assert!(asked.contains("?lifecycle"), "{asked}");
            if asked.starts_with("PUT") {
                *rules = Some(body);
                return ("200 OK", String::new());
            }
            match &*rules {
                Some(rules) => ("200 OK", rules.clone()),
                None => {
                    let code = "<Code>NoSuchLifecycleConfiguration</Code>";
                    ("404 Not Found", format!("<Error>{code}</Error>"))
                }
            }
        }
    }

    #[tokio::test]
    async fn where_versions_are_kept_a_rule_without_a_deadline_for_them_is_not_in_force() {
        let bucket = Arc::new(Bucket::default());
        let client = Arc::clone(&bucket).serve().await;
        let wanted = [rule(7), rule(30)];
        let written = || bucket.rules.lock().unwrap().clone().unwrap();
        assert_eq!(in_force(&client, "bodies").await.unwrap(), []);
        ensure(&client, "bodies", &wanted).await.unwrap();
        assert_eq!(in_force(&client, "bodies").await.unwrap(), wanted);
        assert!(!written().contains("Noncurrent"), "{}", written());

        *bucket.versioned.lock().unwrap() = true;
        assert_eq!(in_force(&client, "bodies").await.unwrap(), [], "old versions would stay");
        ensure(&client, "bodies", &wanted).await.unwrap();
        assert_eq!(in_force(&client, "bodies").await.unwrap(), wanted);
        let rules = written();
        for part in ["<NoncurrentDays>1<", "<DaysAfterInitiation>1<", "<Prefix>r7/<", "<Days>8<"] {
            assert!(rules.contains(part), "{part}: {rules}");
        }
        assert!(!rules.contains("Tag"), "{rules}");
    }
}
