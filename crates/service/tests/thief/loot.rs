//! The thief.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oubliette_keytree::sabotage::Loot;
use oubliette_keytree::{Generation, PageId};
use oubliette_seal::{Expected, Limits, Opener, RecordHeader, RecordRef};
use sha2::{Digest, Sha256};

/// Every byte that was ever on the disk, each version once.
#[derive(Default)]
pub(crate) struct Trove {
    seen: HashSet<[u8; 32]>,
    files: Vec<Vec<u8>>,
}

impl Trove {
    /// Takes whatever lies below a folder now.
    pub(crate) fn take(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                self.take(&path);
            } else if let Ok(bytes) = fs::read(&path) {
                self.keep(bytes); // a file that goes meanwhile was taken the time before
            }
        }
    }

    pub(crate) fn keep(&mut self, bytes: Vec<u8>) {
        if self.seen.insert(Sha256::digest(&bytes).into()) {
            self.files.push(bytes);
        }
    }

    /// Every sealed record in it, wherever it begins: in a spool, a segment, or what is left of one.
    pub(crate) fn records(&self) -> BTreeSet<&[u8]> {
        let mut found = BTreeSet::new();
        for bytes in &self.files {
            for at in memchr::memmem::find_iter(bytes, b"OUBR") {
                let Ok(header) = RecordHeader::parse(&bytes[at..]) else { continue };
                if let Some(record) = bytes.get(at..at + header.record_len()) {
                    found.insert(record);
                }
            }
        }
        found
    }

    /// Whether one of these secrets lies there in the clear, in raw bytes, hexadecimal or base64.
    pub(crate) fn shows(&self, secrets: &[[u8; 32]]) -> bool {
        let words = secrets.iter().flat_map(|secret| {
            // Base64 of a secret inside other bytes is not that of the secret alone, but for these 24.
            let inner = |skip: usize| STANDARD.encode(&secret[skip..skip + 24]).into_bytes();
            [secret[..16].to_vec(), hex::encode(secret).into_bytes(), inner(0), inner(1), inner(2)]
        });
        let words = AhoCorasick::new(words).unwrap();
        self.files.iter().any(|bytes| words.is_match(bytes))
    }
}

/// The bodies that one root key opens: each record's plain text, once for each record.
pub(crate) fn bodies(
    trove: &Trove,
    root: &[u8; 32],
    pages: &[(PageId, Generation, Vec<u8>)],
) -> Vec<String> {
    let loot = Loot::with_key(root, pages);
    let mut opener = Opener::new(Limits::default());
    let mut opened = BTreeMap::new();
    for bytes in trove.records() {
        let record = RecordRef::parse(bytes).unwrap();
        let (account, address) = (record.header().account(), record.header().address());
        for key in loot.leaf_keys(account, address) {
            if let Ok(body) = opener.open(bytes, &Expected { account, address }, &key) {
                let text = String::from_utf8(body.bytes().to_vec()).unwrap();
                opened.insert(bytes, text);
            }
        }
    }
    opened.into_values().collect()
}
