//! Writes the committed vectors in `tests/vectors`, good records and records wrong in one named way.
//!
//! Run by hand, after a change of format that is meant:
//! `cargo test -p oubliette-seal -- --ignored write_vectors`. It lives here, compiled for tests only,
//! because damaging what is *inside* a record takes the private halves of sealing, with a nonce that
//! can be chosen. Keys and nonces are fixed, so that running it again changes only what has changed.
//! `tests/vectors.rs` checks the result through the public interface.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use oubliette_keytree::{AccountTag, LeafAddress, LeafKey};
use oubliette_redact::{Format, Report};
use sha2::{Digest, Sha256};

use crate::aead::{self, NONCE_LEN};
use crate::dictionary::Dictionary;
use crate::frame::{Packer, pad};
use crate::padme::padme;
use crate::{Limits, RecordHeader, keys, payload};

const LEAF: [u8; 32] = *b"test leaf key, never a real one!";
const OTHER_LEAF: [u8; 32] = *b"another test leaf, equally fake!";
const ACCOUNT: [u8; 16] = *b"test account tag";
const OTHER_ACCOUNT: [u8; 16] = *b"other acct's tag";
const ADDRESS: u64 = 0x07_9a_3c_00_05_00_00_2a;
const BODY: &[u8] = br#"{"model":"small","input":"Write to <EMAIL_ADDRESS_1>, please."}"#;
/// Stands in every payload; no error may repeat it.
const CANARY: &[u8] = br#"{"trace":"canary-4f1d","provider":"example"}"#;

/// What the one who opens holds, and what comes of it.
struct Vector {
    name: &'static str,
    about: &'static str,
    record: Vec<u8>,
    leaf: [u8; 32],
    account: [u8; 16],
    address: u64,
    expect: &'static str,
    opened: Option<Opened>,
}

struct Opened {
    body: Vec<u8>,
    exchange: Vec<u8>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    findings: u64,
}

impl Vector {
    /// A vector opened with the right key at the right place.
    fn new(name: &'static str, expect: &'static str, about: &'static str, record: Vec<u8>) -> Self {
        let (leaf, account, address) = (LEAF, ACCOUNT, ADDRESS);
        Self { name, about, record, leaf, account, address, expect, opened: None }
    }

    fn good(
        name: &'static str,
        about: &'static str,
        body: &[u8],
        exchange: &[u8],
        content_type: Option<&str>,
        report: &Report,
    ) -> Self {
        let payload = payload::encode(
            content_type,
            report,
            exchange,
            body,
            Limits::default().max_payload_len,
        )
        .unwrap();
        // Those of before there were dictionaries have none, however small.
        let record = if name.starts_with("good-dictionary") {
            let packed = Packer::new().pack(&payload).unwrap();
            Recipe { dictionary: packed.dictionary, ..Recipe::new(name) }.seal(&packed.padded)
        } else {
            Recipe::new(name).seal(&pad(&compress(&payload)).unwrap())
        };
        let opened = Opened {
            body: body.to_vec(),
            exchange: exchange.to_vec(),
            content_type: content_type.map(str::to_owned),
            content_encoding: report.unredacted_by.as_ref().and(report.decoded_from.clone()),
            findings: report.total(),
        };
        Self { opened: Some(opened), ..Self::new(name, "opens", about, record) }
    }

    fn toml(&self) -> String {
        let mut toml = format!(
            "\n[[vector]]\nfile = \"{}.rec\"\nabout = \"{}\"\nleaf = \"{}\"\naccount = \"{}\"\n\
             address = \"{:016x}\"\nexpect = \"{}\"\n",
            self.name,
            self.about,
            hex::encode(self.leaf),
            hex::encode(self.account),
            self.address,
            self.expect,
        );
        if let Some(opened) = &self.opened {
            write!(
                toml,
                "[vector.opened]\nbody_len = {}\nbody_sha256 = \"{}\"\nexchange = \"{}\"\n\
                 findings = {}\n",
                opened.body.len(),
                hex::encode(Sha256::digest(&opened.body)),
                hex::encode(&opened.exchange),
                opened.findings,
            )
            .unwrap();
            for (key, value) in [
                ("content_type", &opened.content_type),
                ("content_encoding", &opened.content_encoding),
            ] {
                if let Some(value) = value {
                    writeln!(toml, "{key} = \"{value}\"").unwrap();
                }
            }
        }
        toml
    }
}

/// Sealing by hand: every step of it can be done wrongly.
struct Recipe {
    leaf: [u8; 32],
    address: u64,
    nonce: [u8; NONCE_LEN],
    commitment: Option<[u8; 32]>,
    dictionary: Dictionary,
}

impl Recipe {
    fn new(name: &str) -> Self {
        let nonce = *Sha256::digest(name).first_chunk().unwrap();
        Self { leaf: LEAF, address: ADDRESS, nonce, commitment: None, dictionary: Dictionary::None }
    }

    /// Encrypts `padded` as it is, right or wrong.
    fn seal(&self, padded: &[u8]) -> Vec<u8> {
        let (account, address) =
            (AccountTag::from_bytes(ACCOUNT), LeafAddress::from_bits(self.address));
        let (key, commitment) = keys::derive(&LeafKey::from_bytes(self.leaf), account, address);
        let header = RecordHeader {
            dictionary: self.dictionary,
            ciphertext_len: padded.len().try_into().unwrap(),
            account,
            address,
            commitment: self.commitment.unwrap_or(commitment),
        }
        .to_bytes();
        let mut buffer = padded.to_vec();
        let tag = aead::encrypt_in_place(&key, &self.nonce, &header, &mut buffer).unwrap();
        [&header[..], &self.nonce, &buffer, &tag].concat()
    }
}

fn report() -> Report {
    Report {
        format: Format::Json,
        rule_set: "00".repeat(32),
        findings: [("email".to_owned(), 1)].into(),
        entities: [("EMAIL_ADDRESS".to_owned(), 1)].into(),
        ..Report::default()
    }
}

fn small_payload() -> Vec<u8> {
    payload::encode(Some("application/json"), &report(), CANARY, BODY, usize::MAX).unwrap().to_vec()
}

fn compress(payload: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(payload, 3).unwrap()
}

fn good() -> Vec<Vector> {
    let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" again\"}}]}\n\n";
    let noise: Vec<u8> = (0..32_u8).flat_map(|i| Sha256::digest([i])).collect();
    let unread = Report {
        format: Format::Unread,
        decoded_from: Some("gzip".to_owned()),
        unredacted_by: Some("audit row 17".to_owned()),
        ..Report::default()
    };
    let json = Some("application/json");
    vec![
        Vector::good("good-small", "a small JSON body", BODY, b"", json, &report()),
        Vector::good("good-empty-body", "a body of no bytes", b"", b"", None, &Report::default()),
        Vector::good(
            "good-exchange",
            "with exchange bytes of the service",
            BODY,
            CANARY,
            json,
            &report(),
        ),
        Vector::good(
            "good-large",
            "a mebibyte and more that compresses well",
            event.repeat(20_000).as_bytes(),
            CANARY,
            Some("text/event-stream"),
            &Report { format: Format::Sse, ..Report::default() },
        ),
        Vector::good(
            "good-incompressible",
            "bytes that zstd can only store",
            &noise,
            b"",
            Some("application/octet-stream"),
            &Report { format: Format::Binary, ..Report::default() },
        ),
        Vector::good(
            "good-dictionary-1",
            "a small JSON body, compressed with dictionary 1",
            BODY,
            CANARY,
            json,
            &report(),
        ),
        Vector::good(
            "good-dictionary-1-empty",
            "a body of no bytes, compressed with dictionary 1",
            b"",
            b"",
            None,
            &Report::default(),
        ),
        Vector::good(
            "good-unredacted",
            "sealed unredacted, so still in its content encoding",
            b"as if it were gzip",
            b"",
            json,
            &unread,
        ),
    ]
}

/// A good record with something done to its bytes from outside, without the key.
fn damaged_outside() -> Vec<Vector> {
    let good = Recipe::new("outside").seal(&pad(&compress(&small_payload())).unwrap());
    let end = good.len();
    let mut vectors = Vec::new();

    for (name, at, expect, about) in [
        ("flipped-magic", 0, "malformed", "a bit of the magic number"),
        ("flipped-version", 4, "unsupported_version", "a bit of the version"),
        ("flipped-compression", 5, "unsupported_version", "a bit of the compression id"),
        ("flipped-flags", 7, "unsupported_version", "a bit of the flags"),
        ("flipped-dictionary", 11, "authentication", "a bit of the dictionary id"),
        ("flipped-length", 15, "malformed", "a bit of the ciphertext length"),
        ("flipped-account", 16, "authentication", "a bit of the account tag"),
        ("flipped-address", 39, "authentication", "a bit of the leaf address"),
        ("flipped-commitment", 71, "authentication", "a bit of the key commitment"),
        ("flipped-nonce", 72, "authentication", "a bit of the nonce"),
        ("flipped-ciphertext-first", 84, "authentication", "a bit of the first ciphertext byte"),
        (
            "flipped-ciphertext-last",
            end - 17,
            "authentication",
            "a bit of the last ciphertext byte",
        ),
        ("flipped-tag", end - 1, "authentication", "a bit of the tag"),
    ] {
        let mut record = good.clone();
        record[at] ^= 1;
        vectors.push(Vector::new(name, expect, about, record));
    }

    for (name, len, about) in [
        ("truncated-to-nothing", 0, "no bytes at all"),
        ("truncated-in-header", 71, "one byte less than a header"),
        ("truncated-after-header", 72, "a header and nothing else"),
        ("truncated-in-nonce", 80, "ends inside the nonce"),
        ("truncated-in-ciphertext", 120, "ends inside the ciphertext"),
        ("truncated-before-tag", end - 16, "lacks the whole tag"),
        ("truncated-in-tag", end - 1, "lacks the last byte of the tag"),
    ] {
        vectors.push(Vector::new(name, "malformed", about, good[..len].to_vec()));
    }

    let mut unknown = good.clone();
    unknown[8] = 1;
    let about = "a dictionary that there is none of";
    vectors.push(Vector::new("unknown-dictionary", "unsupported_version", about, unknown));

    let trailing = [&good[..], b"\0"].concat();
    vectors.push(Vector::new("trailing-byte", "malformed", "one byte after the tag", trailing));
    let twice = [&good[..], &good[..]].concat();
    vectors.push(Vector::new("trailing-record", "malformed", "two records in one", twice));

    let mut record = good.clone();
    record[4] = 2;
    vectors.push(Vector::new("version-2", "unsupported_version", "a version to come", record));
    for (name, len, about) in [
        ("length-off-padme", 9_u32, "a ciphertext length that Padmé never gives"),
        ("length-over-limit", (1 << 30) + (1 << 25), "a ciphertext length beyond the largest"),
        ("length-max", u32::MAX, "the largest length that can be written down"),
    ] {
        let mut record = good.clone();
        record[12..16].copy_from_slice(&len.to_be_bytes());
        vectors.push(Vector::new(name, "malformed", about, record));
    }

    // The neighbour in the same account has the same length, so the splice is well formed.
    let sibling = Recipe { leaf: OTHER_LEAF, address: ADDRESS + 1, ..Recipe::new("sibling") }
        .seal(&pad(&compress(&small_payload())).unwrap());
    assert_eq!(sibling.len(), end);
    vectors.push(Vector::new(
        "swapped-header",
        "authentication",
        "the header of this record before the contents of its neighbour",
        [&good[..RecordHeader::LEN], &sibling[RecordHeader::LEN..]].concat(),
    ));
    let other_nonce = Recipe::new("another nonce").seal(&pad(&compress(&small_payload())).unwrap());
    vectors.push(Vector::new(
        "swapped-contents",
        "authentication",
        "ciphertext and tag under this key but another nonce",
        [&good[..84], &other_nonce[84..]].concat(),
    ));
    let mut moved = good.clone();
    moved[16..32].copy_from_slice(&OTHER_ACCOUNT);
    vectors.push(Vector {
        account: OTHER_ACCOUNT,
        ..Vector::new(
            "moved-to-other-account",
            "authentication",
            "the header rewritten for another account, and looked for there",
            moved,
        )
    });

    vectors.push(Vector {
        leaf: OTHER_LEAF,
        ..Vector::new("wrong-key", "authentication", "the key of another leaf", good.clone())
    });
    vectors.push(Vector {
        account: OTHER_ACCOUNT,
        ..Vector::new(
            "wrong-account",
            "authentication",
            "looked for in another account",
            good.clone(),
        )
    });
    vectors.push(Vector {
        address: ADDRESS + 1,
        ..Vector::new("wrong-address", "authentication", "looked for at the next address", good)
    });
    vectors
}

/// Records whose tag is right: what one who has the key, and means ill, could make.
fn damaged_inside() -> Vec<Vector> {
    let mut vectors = Vec::new();

    let packed = Packer::new().pack(&small_payload()).unwrap();
    let about = "compressed with dictionary 1, and the header says with none";
    let record = Recipe::new("inside-other-dictionary").seal(&packed.padded);
    vectors.push(Vector::new("inside-other-dictionary", "malformed", about, record));
    let mut add = |name, expect, about, padded: &[u8]| {
        vectors.push(Vector::new(name, expect, about, Recipe::new(name).seal(padded)));
    };
    let payload = small_payload();
    let frame = compress(&payload);
    let padded = pad(&frame).unwrap();
    let framed = |payload: &[u8]| pad(&compress(payload)).unwrap();

    add("inner-empty", "malformed", "no plaintext at all", b"");

    // Padding.
    let mut wrong = padded.to_vec();
    assert!(wrong.len() > 4 + frame.len(), "there is padding to damage");
    *wrong.last_mut().unwrap() = 1;
    add("padding-not-zero", "malformed", "a padding byte that is not zero", &wrong);
    let mut wrong = padded.to_vec();
    wrong.resize(padme(padded.len() as u64 + 1).try_into().unwrap(), 0);
    add("padding-too-long", "malformed", "padded to the next length but one", &wrong);
    for (name, len, about) in [
        ("inner-length-short", frame.len() - 1, "the frame's length says one byte less"),
        ("inner-length-long", frame.len() + 1, "the frame's length reaches into the padding"),
        ("inner-length-beyond", 1 << 20, "the frame's length reaches beyond the end"),
        ("inner-length-max", u32::MAX as usize, "the frame's length is the largest there is"),
    ] {
        let mut wrong = padded.to_vec();
        wrong[..4].copy_from_slice(&u32::try_from(len).unwrap().to_be_bytes());
        add(name, "malformed", about, &wrong);
    }

    // The zstd frame.
    add("frame-missing", "malformed", "a frame of no bytes", &pad(b"").unwrap());
    add("frame-garbage", "malformed", "no zstd frame but text", &pad(b"not a zstd frame").unwrap());
    let mut wrong = frame.clone();
    wrong.extend_from_slice(&compress(b"more"));
    add("frame-twice", "malformed", "a second frame after the first", &pad(&wrong).unwrap());
    let skippable = [&0x184D_2A50_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), b"skip"].concat();
    add("frame-skippable", "malformed", "a skippable frame only", &pad(&skippable).unwrap());
    let mut unsized_frame = zstd::bulk::Compressor::new(3).unwrap();
    unsized_frame.include_contentsize(false).unwrap();
    let wrong = unsized_frame.compress(&payload).unwrap();
    add("frame-unsized", "malformed", "a frame that does not say its size", &pad(&wrong).unwrap());
    let bomb = compress(&vec![0; (64 << 20) + 1]);
    add("bomb", "too_large", "kilobytes that unpack to 64 MiB and a byte", &pad(&bomb).unwrap());
    // Frame header: magic (4), descriptor (1) with a size field of four bytes, no window, then size.
    let mut lying = bomb;
    let at = if lying[4] & 0x20 == 0 { 6 } else { 5 };
    assert_eq!(lying[4] >> 6, 2, "the content size takes four bytes");
    assert_eq!(lying[at..at + 4], ((64_u32 << 20) + 1).to_le_bytes());
    lying[at..at + 4].copy_from_slice(&1_000_u32.to_le_bytes());
    add("bomb-lying", "malformed", "the same, saying it is 1000 bytes", &pad(&lying).unwrap());
    lying[at..at + 4].copy_from_slice(&(60_u32 << 20).to_le_bytes());
    add("bomb-lying-large", "malformed", "the same, saying it is 60 MiB", &pad(&lying).unwrap());

    // The payload.
    add("payload-short", "malformed", "less than the payload's lengths", &framed(&payload[..8]));
    for (name, at, len, about) in [
        ("payload-metadata-beyond", 1, 1 << 20, "metadata that reach beyond the end"),
        ("payload-exchange-beyond", 5, u32::MAX, "exchange bytes that reach beyond the end"),
        ("payload-metadata-short", 1, 10, "metadata cut off in the middle"),
    ] {
        let mut wrong = payload.clone();
        wrong[at..at + 4].copy_from_slice(&len.to_be_bytes());
        add(name, "malformed", about, &framed(&wrong));
    }
    let metadata = br#"{"content_type":"canary-4f1d","report":{},"canary-4f1d":"canary-4f1d"}"#;
    let len = u32::try_from(metadata.len()).unwrap().to_be_bytes();
    let wrong = [&[1][..], &len, &[0; 4], metadata, BODY].concat();
    add("payload-metadata-unknown-field", "malformed", "a field nobody knows", &framed(&wrong));
    let mut wrong = payload;
    wrong[0] = 2;
    add("payload-version-2", "unsupported_version", "a layout to come", &framed(&wrong));

    // The commitment: key, nonce and tag are right, and the header that was authenticated lies.
    let recipe = Recipe { commitment: Some([0x5a; 32]), ..Recipe::new("wrong-commitment") };
    let about = "a tag that is right over a commitment that is not";
    vectors.push(Vector::new("wrong-commitment", "authentication", about, recipe.seal(&padded)));
    vectors
}

#[test]
#[ignore = "writes tests/vectors; run it after a change of format that is meant"]
fn write_vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut toml = String::from(
        "# Sealed records and what must come of opening each with this leaf, at this place and with\n\
         # the default limits. Written by `src/vectors.rs`; docs/format.md explains the bytes.\n",
    );
    for vector in [good(), damaged_outside(), damaged_inside()].into_iter().flatten() {
        fs::write(folder.join(vector.name).with_extension("rec"), &vector.record).unwrap();
        toml.push_str(&vector.toml());
    }
    fs::write(folder.join("vectors.toml"), toml).unwrap();
}
