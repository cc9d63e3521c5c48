//! Names of objects: retention classes, segment ids and the keys made of both.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

use crate::error::StoreError;

/// The last millisecond that has a four-digit year, which is what an object key can say.
const LAST_MILLISECOND: u64 = 253_402_207_199_999;

/// How many days the ciphertext of a segment is kept: all records of a segment share one class.
///
/// The class only takes out the bin. What ends a body's life is the pruning of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RetentionClass(u16);

impl RetentionClass {
    /// The longest class: a hundred years, well inside what lifecycle rules can say.
    pub const MAX_DAYS: u16 = 36_500;

    /// The class of this many days.
    ///
    /// # Errors
    ///
    /// `Invalid` unless `days` is between 1 and [`RetentionClass::MAX_DAYS`].
    pub fn days(days: u32) -> Result<Self, StoreError> {
        match u16::try_from(days) {
            Ok(days @ 1..=Self::MAX_DAYS) => Ok(Self(days)),
            _ => Err(StoreError::invalid(format!(
                "a retention of {days} days is out of range: choose 1 to {} days",
                Self::MAX_DAYS
            ))),
        }
    }

    /// The classes that segments are put into: few enough that their segments are not many small
    /// ones and that their rules fit into any bucket, close enough that ciphertext whose key is
    /// gone stays less than as long again. A sweep takes it out before.
    pub const LADDER: [u16; 24] = [
        1, 2, 3, 4, 5, 6, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 548, 730, 1096, 1826,
        3653, 36_500,
    ];

    /// The shortest class.
    pub const SHORTEST: Self = Self(Self::LADDER[0]);

    /// The class for bodies of this retention: the shortest of [`LADDER`](Self::LADDER) that is
    /// long enough.
    ///
    /// # Errors
    ///
    /// `Invalid` as [`days`](Self::days).
    pub fn for_retention(days: u32) -> Result<Self, StoreError> {
        let Self(exact) = Self::days(days)?;
        let class = Self::LADDER.into_iter().find(|class| *class >= exact);
        Ok(Self(class.expect("the longest is the longest there is")))
    }

    /// The number of days.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }

    /// What every object key of this class begins with: `r7/` for seven days.
    #[must_use]
    pub fn prefix(self) -> String {
        format!("r{}/", self.0)
    }
}

impl fmt::Display for RetentionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl FromStr for RetentionClass {
    type Err = StoreError;

    /// Reads `r7`. Only the one canonical spelling is accepted.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        text.strip_prefix('r')
            .and_then(|days| days.parse::<u32>().ok())
            .and_then(|days| Self::days(days).ok())
            .filter(|class| class.to_string() == text)
            .ok_or_else(|| StoreError::invalid("not a retention class such as r7"))
    }
}

/// The name of a segment: a ULID, so that ids sort by the time the segment was begun and an
/// upload may be repeated without harm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(Ulid);

impl SegmentId {
    /// A new id for a segment that is begun at this Unix time in seconds.
    ///
    /// The time is injected; the 80 random bits come from the operating system.
    ///
    /// # Errors
    ///
    /// `Disk` if the operating system has no randomness to give.
    pub fn generate(unix_seconds: i64) -> Result<Self, StoreError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| {
            StoreError::new(
                crate::StoreErrorKind::Disk,
                "the operating system gave no random bytes for a segment id",
            )
            .with_source(error)
        })?;
        let milliseconds = u64::try_from(unix_seconds).unwrap_or(0).saturating_mul(1000);
        Ok(Self(Ulid::from_parts(milliseconds.min(LAST_MILLISECOND), u128::from_be_bytes(random))))
    }

    /// The id with these 16 bytes; `None` if its time has no four-digit year.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        let id = Ulid::from_bytes(bytes);
        (id.timestamp_ms() <= LAST_MILLISECOND).then_some(Self(id))
    }

    /// The id's 16 bytes, in an order that sorts like the text.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }

    /// The Unix time in seconds at which the segment was begun.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        i64::try_from(self.0.timestamp_ms() / 1000).expect("a ULID's time has 48 bits")
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SegmentId({self})")
    }
}

impl FromStr for SegmentId {
    type Err = StoreError;

    /// Reads the 26 characters of a ULID. Only the canonical upper-case spelling is accepted.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        Ulid::from_string(text)
            .ok()
            .and_then(|id| Self::from_bytes(id.to_bytes()))
            .filter(|id| id.to_string() == text)
            .ok_or_else(|| StoreError::invalid("not a segment id: 26 characters of a ULID wanted"))
    }
}

/// The name of a segment in an object store:
/// `r{retention days}/{yyyy}/{mm}/{dd}/{hh}/{segment id}.seg`.
///
/// The date is that of the segment id, so a key is a function of class and id, takes 18 bytes, and
/// cannot name anything outside the layout: a key that escapes its folder does not exist.
///
/// ```
/// use oubliette_store::ObjectKey;
///
/// let key: ObjectKey = "r7/2026/10/31/12/01M68X9EG00000000000000001.seg".parse()?;
/// assert_eq!(key.class().get(), 7);
/// assert!("r7/../../etc/passwd".parse::<ObjectKey>().is_err());
/// # Ok::<(), oubliette_store::StoreError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    class: RetentionClass,
    segment: SegmentId,
}

impl ObjectKey {
    /// The key of a segment of this class.
    #[must_use]
    pub fn new(class: RetentionClass, segment: SegmentId) -> Self {
        Self { class, segment }
    }

    /// The retention class.
    #[must_use]
    pub fn class(self) -> RetentionClass {
        self.class
    }

    /// The segment.
    #[must_use]
    pub fn segment(self) -> SegmentId {
        self.segment
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begun = jiff::Timestamp::from_second(self.segment.unix_seconds())
            .expect("segment ids end with the year 9999")
            .to_zoned(jiff::tz::TimeZone::UTC);
        write!(f, "{}/{}/{}.seg", self.class, begun.strftime("%Y/%m/%d/%H"), self.segment)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectKey({self})")
    }
}

impl PartialOrd for ObjectKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ObjectKey {
    /// In the order of the text, which is the order in which every object store lists.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_class = || self.class.prefix().cmp(&other.class.prefix());
        // Within a class the text sorts like the id, whose first 48 bits are the time.
        if self.class == other.class { self.segment.cmp(&other.segment) } else { by_class() }
    }
}

impl FromStr for ObjectKey {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let parsed = || {
            let (class, rest) = text.split_once('/')?;
            let (_, name) = rest.rsplit_once('/')?;
            let key = Self::new(class.parse().ok()?, name.strip_suffix(".seg")?.parse().ok()?);
            (key.to_string() == text).then_some(key)
        };
        parsed().ok_or_else(|| {
            StoreError::invalid(
                "not an object key of the form r{days}/{yyyy}/{mm}/{dd}/{hh}/{segment id}.seg",
            )
        })
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::StoreErrorKind;

    fn key(days: u32, unix_seconds: i64) -> ObjectKey {
        ObjectKey::new(
            RetentionClass::days(days).unwrap(),
            SegmentId::generate(unix_seconds).unwrap(),
        )
    }

    #[test]
    fn a_key_says_class_hour_and_id() {
        let key = key(7, 1_793_448_000); // 2026-10-31T12:00:00Z
        assert!(key.to_string().starts_with("r7/2026/10/31/12/"), "{key}");
        assert_eq!(key.segment().unix_seconds(), 1_793_448_000);
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<ObjectKey>(&json).unwrap(), key);
    }

    #[test]
    fn keys_that_escape_or_disagree_are_refused() {
        let good = key(7, 1_793_448_000).to_string();
        assert!(good.parse::<ObjectKey>().is_ok());
        for bad in [
            "",
            "/",
            "r7",
            "../../etc/passwd",
            &format!("../{good}"),
            &format!("/{good}"),
            &format!("{good}/"),
            &good.replace("r7/", "r7/../r7/"),
            &good.replace("r7/", "r07/"),
            &good.replace("r7/", "r+7/"),
            &good.replace("r7/", "r0/"),
            &good.replace("r7/", "r36501/"),
            &good.replace("/12/", "/13/"),
            &good.replace('/', "\\"),
            &good.to_lowercase(),
            &good.replace(".seg", ".seg\0"),
            "r7/1970/01/01/00/7ZZZZZZZZZZZZZZZZZZZZZZZZZ.seg",
        ] {
            let error = bad.parse::<ObjectKey>().expect_err(bad);
            assert_eq!(error.kind(), StoreErrorKind::Invalid);
        }
    }

    #[test]
    fn times_out_of_range_are_clamped() {
        assert!(key(1, i64::MIN).to_string().starts_with("r1/1970/01/01/00/"));
        assert!(key(1, i64::MAX).to_string().starts_with("r1/9999/"));
    }

    proptest! {
        #[test]
        fn every_key_survives_its_text_and_sorts_like_it(
            days in (1_u32..=36_500, 1_u32..=36_500),
            at in (0_i64..253_402_207_200, 0_i64..253_402_207_200),
        ) {
            let (a, b) = (key(days.0, at.0), key(days.1, at.1));
            prop_assert_eq!(a.to_string().parse::<ObjectKey>().unwrap(), a);
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(SegmentId::from_bytes(a.segment().to_bytes()), Some(a.segment()));
        }
    }
}
