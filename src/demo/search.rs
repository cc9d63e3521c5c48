//! Looks for values in files, also in the disguises that bytes take on their way to a disk.
//!
//! It does not see through compression and encryption. So the same search must find the values
//! where they are known to be: in the envelopes as they were sent.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::failure::Failure;

/// Values with all their disguises.
pub(super) struct Needles {
    automaton: AhoCorasick,
    /// The value of each pattern, by its place in the list.
    values: Vec<usize>,
}

impl Needles {
    pub(super) fn new(values: &[&str]) -> Self {
        let (mut patterns, mut owners) = (Vec::new(), Vec::new());
        for (index, value) in values.iter().enumerate() {
            for disguise in disguises(value) {
                patterns.push(disguise);
                owners.push(index);
            }
        }
        let automaton = AhoCorasick::new(patterns).expect("a few hundred short patterns");
        Self { automaton, values: owners }
    }

    /// Which values are in there.
    pub(super) fn in_bytes(&self, bytes: &[u8]) -> BTreeSet<usize> {
        let hits = self.automaton.find_overlapping_iter(bytes);
        hits.map(|hit| self.values[hit.pattern().as_usize()]).collect()
    }

    /// Searches all files below a folder, their names too.
    pub(super) fn in_folder(&self, folder: &Path) -> Result<Searched, Failure> {
        let mut searched = Searched::default();
        for file in files(folder)? {
            // A file may go while we look: a spool file that has been uploaded.
            let Ok(bytes) = fs::read(&file) else { continue };
            searched.files += 1;
            searched.bytes += bytes.len() as u64;
            let mut found = self.in_bytes(&bytes);
            found.extend(self.in_bytes(file.to_string_lossy().as_bytes()));
            if !found.is_empty() {
                searched.hits.push(file);
            }
        }
        Ok(searched)
    }
}

/// What a search came to.
#[derive(Default)]
pub(super) struct Searched {
    pub(super) files: usize,
    pub(super) bytes: u64,
    /// Files that hold a value.
    pub(super) hits: Vec<PathBuf>,
}

/// Raw, JSON-escaped (also ASCII only, and twice), hex, base64 and base64url at each of the three
/// places where it can begin.
fn disguises(value: &str) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    let mut add = |form: String| {
        // Anything shorter is found by chance among random bytes.
        if form.len() >= 8 {
            all.insert(form.into_bytes());
        }
    };
    let escaped: String = value.chars().map(escape).collect();
    let fully: String = value.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    for form in
        [value, &value.replace('@', "\\u0040"), &escaped, &escaped.replace('\\', "\\\\"), &fully]
    {
        add(form.to_owned());
        add(hex::encode(form));
        add(hex::encode_upper(form));
        for skip in 0..3 {
            let padded = [&[0; 2][..skip.min(2)], form.as_bytes()].concat();
            // Only the characters that depend on nothing but the value.
            let (first, whole) = ((skip * 8).div_ceil(6), padded.len() * 8 / 6);
            add(STANDARD_NO_PAD.encode(&padded)[first..whole].to_owned());
            add(URL_SAFE_NO_PAD.encode(&padded)[first..whole].to_owned());
        }
    }
    all
}

fn escape(character: char) -> String {
    match character {
        '@' | '+' => format!("\\u{:04x}", u32::from(character)),
        '/' | '"' | '\\' => format!("\\{character}"),
        other => other.to_string(),
    }
}

/// All regular files below a folder.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_value_in_each_disguise_and_nothing_in_noise() {
        let needles = Needles::new(&["jo.moss@example.com", "4242 4242"]);
        let text = "to jo.moss@example.com, at once";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        for disguised in [
            text.to_owned(),
            text.replace('@', "\\u0040"),
            text.replace('@', "\\\\u0040"),
            hex::encode(text),
            hex::encode_upper(text),
            STANDARD_NO_PAD.encode(text),
            STANDARD_NO_PAD.encode(format!("x{text}")),
            URL_SAFE_NO_PAD.encode(format!("xy{text}")),
        ] {
            assert_eq!(needles.in_bytes(disguised.as_bytes()), [0].into(), "{disguised}");
            fs::write(&file, disguised).unwrap();
            assert_eq!(needles.in_folder(folder.path()).unwrap().hits, std::slice::from_ref(&file));
        }
        fs::write(&file, "jo.moss at example.com, 4242 424").unwrap();
        let searched = needles.in_folder(folder.path()).unwrap();
        assert_eq!((searched.files, searched.bytes, searched.hits.len()), (1, 32, 0));
    }
}
