//! What goes into a record beside the body, and how rows and records find each other.

use std::collections::BTreeMap;

use oubliette_catalog as catalog;
use oubliette_catalog::{Exchange, NewCapture, Part};
use oubliette_keytree::LeafAddress;
use oubliette_redact::Report;
use oubliette_store::Location;
use serde::{Deserialize, Serialize};

use crate::error::{Result, ServiceError};

/// Sealed with each body, so that the catalog can be made again from the records alone.
///
/// Unknown fields are let be: an older release reads what a newer one has sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inside {
    pub(crate) exchange: Exchange,
    pub(crate) part: Part,
    pub(crate) captured_at: i64,
    pub(crate) retention_days: u16,
    /// Names what the body was redacted under; `None` if redaction was off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) redacted_under: Option<String>,
}

impl Inside {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers are always JSON")
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        // The cause is left out: it may quote what it could not read.
        serde_json::from_slice(bytes).map_err(|_| {
            ServiceError::damaged("a record's metadata cannot be read by this release")
        })
    }

    /// The row of the record.
    pub(crate) fn row(
        &self,
        address: LeafAddress,
        location: &Location,
        content_type: Option<&str>,
        report: &Report,
    ) -> NewCapture {
        NewCapture {
            part: self.part,
            address,
            location: to_catalog(location),
            captured_at: self.captured_at,
            retention_days: self.retention_days,
            content_type: content_type.map(str::to_owned),
            format: format_name(report),
            rule_set: report.unredacted_by.is_none().then(|| report.rule_set.clone()),
            findings: report.findings.clone(),
        }
    }
}

/// Adds counts to counts.
pub(crate) fn add_counts(to: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (name, count) in more {
        *to.entry(name.clone()).or_default() += count;
    }
}

/// Where a record lies, as the catalog writes it down.
pub(crate) fn to_catalog(location: &Location) -> catalog::Location {
    catalog::Location {
        segment: location.segment().to_string(),
        object: location.object_key.to_string(),
        offset: location.offset,
        len: location.len.into(),
    }
}

/// Where a record lies, from the catalog.
pub(crate) fn to_store(location: &catalog::Location) -> Result<Location> {
    let unreadable = || ServiceError::damaged("a row of the catalog names no place in the store");
    Ok(Location {
        object_key: location.object.parse().map_err(|_| unreadable())?,
        offset: location.offset,
        len: u32::try_from(location.len).map_err(|_| unreadable())?,
    })
}

fn format_name(report: &Report) -> String {
    match serde_json::to_value(report.format) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use oubliette_catalog::{AccountId, ExchangeId};
    use oubliette_redact::Format;
    use oubliette_store::{ObjectKey, RetentionClass, SegmentId};

    use super::*;

    #[test]
    fn metadata_and_places_survive_the_trip() {
        let id = ExchangeId::new("ex-1").unwrap();
        let inside = Inside {
            exchange: Exchange::new(AccountId::new("acme").unwrap(), id, 5),
            part: Part::Response,
            captured_at: 7,
            retention_days: 3,
            redacted_under: Some("abc".into()),
        };
        assert_eq!(Inside::from_bytes(&inside.to_bytes()).unwrap(), inside);
        let error = Inside::from_bytes(b"{\"secret\":\"s3cr3t\"").unwrap_err();
        assert!(!format!("{error:?}").contains("s3cr3t"));

        let class = RetentionClass::days(3).unwrap();
        let object_key = ObjectKey::new(class, SegmentId::generate(1_793_000_000).unwrap());
        let location = Location { object_key, offset: 64, len: 100 };
        let report = Report { format: Format::Sse, rule_set: "d1".into(), ..Report::default() };
        let row = inside.row(LeafAddress::from_bits(9), &location, Some("text/plain"), &report);
        assert_eq!((row.format.as_str(), row.rule_set.as_deref()), ("sse", Some("d1")));
        assert_eq!(to_store(&row.location).unwrap(), location);
        let elsewhere = catalog::Location { object: "../../etc/passwd".into(), ..row.location };
        assert!(to_store(&elsewhere).is_err());
    }
}
