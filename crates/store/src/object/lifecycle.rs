//! Lifecycle rules: one per retention class, by prefix.

use serde::{Deserialize, Serialize};

use crate::error::{StoreError, StoreErrorKind};
use crate::key::{ObjectKey, RetentionClass};

/// When a store removes the segments of one retention class.
///
/// A rule selects by prefix and by nothing else: a server that does not know tag filters may drop
/// the filter and expire the whole bucket. A rule waits one day longer than the class, since a
/// segment may hold bodies that were captured after it was begun and stores count in whole days;
/// the keys are gone long before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Days", into = "Days")]
pub struct LifecycleRule {
    class: RetentionClass,
}

impl LifecycleRule {
    /// What the ids of our rules begin with, so that they can be told from others'.
    pub(crate) const ID_PREFIX: &'static str = "oubliette-";

    /// S3's limit on the rules of a bucket.
    pub(crate) const MOST_RULES: usize = 1000;

    /// Days after which a store forgets an upload that was begun and never finished.
    pub const ABORT_UPLOADS_AFTER_DAYS: u16 = 1;

    /// The rule of a class.
    #[must_use]
    pub fn new(class: RetentionClass) -> Self {
        Self { class }
    }

    /// The rules of all classes that segments are put into, see [`RetentionClass::LADDER`].
    #[must_use]
    pub fn all() -> Vec<Self> {
        let class = |days: u16| RetentionClass::days(days.into()).expect("classes are in range");
        RetentionClass::LADDER.into_iter().map(|days| Self::new(class(days))).collect()
    }

    /// The class.
    #[must_use]
    pub fn class(self) -> RetentionClass {
        self.class
    }

    /// The rule's name in the store: `oubliette-r7`.
    #[must_use]
    pub fn id(self) -> String {
        format!("{}{}", Self::ID_PREFIX, self.class)
    }

    /// What the keys it applies to begin with: `r7/`.
    #[must_use]
    pub fn prefix(self) -> String {
        self.class.prefix()
    }

    /// Days after which an object is removed.
    #[must_use]
    pub fn expire_after_days(self) -> u16 {
        self.class.get() + 1
    }

    /// Whether the rule removes this object at this time, counted from the time in its key.
    pub(crate) fn is_over(self, key: &ObjectKey, unix_seconds: i64) -> bool {
        let kept = i64::from(self.expire_after_days()) * 86_400;
        key.class() == self.class
            && key.segment().unix_seconds().saturating_add(kept) <= unix_seconds
    }

    /// These rules and those that were there before, one per class.
    pub(crate) fn merge(
        old: &[LifecycleRule],
        new: &[LifecycleRule],
    ) -> Result<Vec<LifecycleRule>, StoreError> {
        let mut classes: Vec<_> = old.iter().chain(new).map(|rule| rule.class).collect();
        classes.sort();
        classes.dedup();
        if classes.len() > Self::MOST_RULES {
            return Err(StoreError::new(
                StoreErrorKind::Configuration,
                format!(
                    "{} retention classes need more lifecycle rules than a bucket can have: \
                     let accounts share retention times",
                    classes.len()
                ),
            ));
        }
        Ok(classes.into_iter().map(Self::new).collect())
    }
}

/// How a rule is written down by stores that keep it in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Days {
    retention_days: u32,
}

impl From<LifecycleRule> for Days {
    fn from(rule: LifecycleRule) -> Self {
        Self { retention_days: u32::from(rule.class.get()) }
    }
}

impl TryFrom<Days> for LifecycleRule {
    type Error = StoreError;

    fn try_from(days: Days) -> Result<Self, StoreError> {
        RetentionClass::days(days.retention_days).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SegmentId;

    #[test]
    fn a_rule_waits_a_day_longer_than_its_class() {
        let class = RetentionClass::days(7).unwrap();
        let rule = LifecycleRule::new(class);
        assert_eq!((rule.id().as_str(), rule.prefix().as_str()), ("oubliette-r7", "r7/"));
        let begun = 1_793_448_000;
        let key = ObjectKey::new(class, SegmentId::generate(begun).unwrap());
        assert!(!rule.is_over(&key, begun + 8 * 86_400 - 1));
        assert!(rule.is_over(&key, begun + 8 * 86_400));
        let other = LifecycleRule::new(RetentionClass::days(1).unwrap());
        assert!(!other.is_over(&key, i64::MAX), "a rule leaves other classes alone");
    }

    #[test]
    fn every_retention_has_a_class_that_is_long_enough_and_not_much_longer() {
        for days in 1..=u32::from(RetentionClass::MAX_DAYS) {
            let class = u32::from(RetentionClass::for_retention(days).unwrap().get());
            assert!(class >= days && (days > 3653 || class < days * 2), "{days}: {class}");
        }
        assert!(RetentionClass::for_retention(0).is_err());
        assert!(RetentionClass::for_retention(36_501).is_err());
    }

    #[test]
    fn merging_keeps_other_classes_and_respects_the_limit() {
        let rules = |days: std::ops::RangeInclusive<u32>| -> Vec<_> {
            days.map(|d| LifecycleRule::new(RetentionClass::days(d).unwrap())).collect()
        };
        let merged = LifecycleRule::merge(&rules(1..=2), &rules(2..=3)).unwrap();
        assert_eq!(merged, rules(1..=3));
        let error = LifecycleRule::merge(&rules(1..=600), &rules(500..=1001)).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration);
    }
}
