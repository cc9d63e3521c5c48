//! The committed vectors: every good record opens to what it says, every bad one fails as it says.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use oubliette_keytree::{AccountTag, LeafAddress, LeafKey};
use oubliette_seal::{Expected, Opener, RecordRef, SealError, SealErrorKind};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    vector: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    file: String,
    about: String,
    leaf: String,
    account: String,
    address: String,
    expect: String,
    opened: Option<Opened>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opened {
    body_len: usize,
    body_sha256: String,
    exchange: String,
    findings: u64,
    content_type: Option<String>,
    content_encoding: Option<String>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn vectors() -> Vec<Vector> {
    let text = fs::read_to_string(folder().join("vectors.toml")).unwrap();
    toml::from_str::<File>(&text).unwrap().vector
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

#[test]
fn every_vector_does_what_it_says() {
    let mut opener = Opener::default();
    for vector in vectors() {
        let name = format!("{} ({})", vector.file, vector.about);
        let record = fs::read(folder().join(&vector.file)).unwrap();
        let expected = Expected {
            account: AccountTag::from_bytes(array(&vector.account)),
            address: LeafAddress::from_bits(u64::from_be_bytes(array(&vector.address))),
        };
        let key = LeafKey::from_bytes(array(&vector.leaf));

        match (opener.open(&record, &expected, &key), vector.opened) {
            (Ok(body), Some(opened)) => {
                assert_eq!(vector.expect, "opens", "{name}");
                assert_eq!(body.bytes().len(), opened.body_len, "{name}");
                assert_eq!(hex::encode(Sha256::digest(body.bytes())), opened.body_sha256, "{name}");
                assert_eq!(hex::encode(body.exchange()), opened.exchange, "{name}");
                assert_eq!(body.report().total(), opened.findings, "{name}");
                assert_eq!(body.content_type(), opened.content_type.as_deref(), "{name}");
                assert_eq!(body.content_encoding(), opened.content_encoding.as_deref(), "{name}");
                let header = RecordRef::parse(&record).unwrap().header().clone();
                assert_eq!(header.account(), expected.account, "{name}");
                assert_eq!(header.address(), expected.address, "{name}");
                assert_eq!(header.record_len(), record.len(), "{name}");
            }
            (Err(error), None) => {
                assert_eq!(kind_name(error.kind()), vector.expect, "{name}: {error}");
                tells_nothing(&error, &name);
            }
            (Ok(_), None) => panic!("{name}: opened, and should not have"),
            (Err(error), Some(_)) => panic!("{name}: did not open: {error}"),
        }
    }
}

#[test]
fn every_file_is_a_vector_and_every_kind_of_failure_has_one() {
    let files: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".rec"))
        .collect();
    let vectors = vectors();
    let listed: BTreeSet<String> = vectors.iter().map(|vector| vector.file.clone()).collect();
    assert_eq!(files, listed);
    assert_eq!(listed.len(), vectors.len(), "a file is listed twice");
    let expectations: BTreeSet<&str> =
        vectors.iter().map(|vector| vector.expect.as_str()).collect();
    let every = ["authentication", "malformed", "opens", "too_large", "unsupported_version"];
    assert_eq!(expectations, every.into());
}

/// All reasons for an authentication failure must look alike.
#[test]
fn authentication_failures_cannot_be_told_apart() {
    let mut opener = Opener::default();
    let messages: BTreeSet<String> = vectors()
        .iter()
        .filter(|vector| vector.expect == "authentication")
        .map(|vector| {
            let record = fs::read(folder().join(&vector.file)).unwrap();
            let expected = Expected {
                account: AccountTag::from_bytes(array(&vector.account)),
                address: LeafAddress::from_bits(u64::from_be_bytes(array(&vector.address))),
            };
            let key = LeafKey::from_bytes(array(&vector.leaf));
            format!("{:?}", opener.open(&record, &expected, &key).unwrap_err())
        })
        .collect();
    assert_eq!(messages.len(), 1, "{messages:?}");
}

fn kind_name(kind: SealErrorKind) -> &'static str {
    match kind {
        SealErrorKind::Authentication => "authentication",
        SealErrorKind::Malformed => "malformed",
        SealErrorKind::TooLarge => "too_large",
        SealErrorKind::UnsupportedVersion => "unsupported_version",
        _ => "another kind",
    }
}

/// The payloads hold a canary; neither an error nor any of its causes may repeat it.
fn tells_nothing(error: &SealError, name: &str) {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary") && !shown.contains("EMAIL"), "{name}: {shown}");
        assert!(!error.to_string().contains('\n'), "{name}: more than one line");
        cause = error.source();
    }
}
