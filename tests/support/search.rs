//! Searching folders for bytes that must not be there, also in the disguises that bytes take on
//! their way to a disk: base64, hex, JSON escapes, percent-encoding.
//!
//! What it cannot see through is compression and encryption. So it is only as good as the control
//! beside it: the same search must find the value where it is known to lie.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A disguise shorter than this would be found by chance in any megabyte of random bytes.
const SHORTEST: usize = 5;

/// One place where a needle was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The file; the hit may also be in its name.
    pub file: PathBuf,
    /// The byte offset in the file; `None` if it is in the name.
    pub offset: Option<usize>,
    /// Which needle, by its place in the list.
    pub needle: usize,
    /// In which disguise.
    pub form: &'static str,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "needle {} as {} in {}", self.needle, self.form, self.file.display())?;
        self.offset.map_or(Ok(()), |offset| write!(f, " at {offset}"))
    }
}

/// Searches all files below `tree` (or the file that it is), and their names, for all needles.
///
/// Panics on a needle that is too short to mean anything, and on a file that cannot be read,
/// unless it has been removed meanwhile.
#[track_caller]
pub fn search_tree(tree: &Path, needles: &[impl AsRef<[u8]>]) -> Vec<Hit> {
    let mut patterns = Vec::new();
    let mut meanings = Vec::new();
    for (needle, bytes) in needles.iter().enumerate() {
        let bytes = bytes.as_ref();
        assert!(bytes.len() >= SHORTEST, "needle {needle} is too short to search for");
        for (form, pattern) in forms(bytes) {
            patterns.push(pattern);
            meanings.push((needle, form));
        }
    }
    let search = AhoCorasick::new(&patterns).expect("a few short patterns");
    let mut hits = Vec::new();
    for file in files(tree) {
        let mut add = |haystack: &[u8], in_name: bool| {
            hits.extend(search.find_overlapping_iter(haystack).map(|found| {
                let (needle, form) = meanings[found.pattern().as_usize()];
                let offset = (!in_name).then_some(found.start());
                Hit { file: file.clone(), offset, needle, form }
            }));
        };
        let name = file.strip_prefix(tree).unwrap_or(&file);
        add(name.as_os_str().as_encoded_bytes(), true);
        match fs::read(&file) {
            Ok(bytes) => add(&bytes, false),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => panic!("{} cannot be searched: {error}", file.display()),
        }
    }
    hits
}

/// Panics with all hits if any of the needles is anywhere below any of the trees.
#[track_caller]
pub fn assert_nowhere(trees: &[&Path], needles: &[impl AsRef<[u8]>]) {
    let hits: Vec<_> = trees.iter().flat_map(|tree| search_tree(tree, needles)).collect();
    let shown = hits.iter().map(|hit| format!("\n  {hit}")).collect::<String>();
    assert!(hits.is_empty(), "{} raw value(s) found:{shown}", hits.len());
}

/// All disguises of a needle, each once.
fn forms(needle: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![("raw bytes", needle.to_vec())];
    for skip in 0..3 {
        all.push(("base64", base64_at(needle, skip, |bytes| STANDARD_NO_PAD.encode(bytes))));
        all.push(("base64url", base64_at(needle, skip, |bytes| URL_SAFE_NO_PAD.encode(bytes))));
    }
    let hex: String = needle.iter().map(|byte| format!("{byte:02x}")).collect();
    all.push(("hex", hex.to_uppercase().into_bytes()));
    all.push(("hex", hex.into_bytes()));
    if let Ok(text) = std::str::from_utf8(needle) {
        let quoted = serde_json::to_string(text).expect("text is always JSON");
        let escaped = &quoted[1..quoted.len() - 1];
        all.push(("JSON", escaped.as_bytes().to_vec()));
        all.push(("JSON", escaped.replace('/', "\\/").into_bytes()));
        all.push(("JSON, ASCII only", ascii_only(escaped).into_bytes()));
        // JSON inside a JSON string.
        let twice = serde_json::to_string(escaped).expect("text is always JSON");
        all.push(("JSON in JSON", twice.as_bytes()[1..twice.len() - 1].to_vec()));
    }
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let percent = needle.iter().flat_map(|&byte| match keep(byte) {
        true => vec![byte],
        false => format!("%{byte:02X}").into_bytes(),
    });
    all.push(("percent-encoding", percent.collect()));
    let mut seen = BTreeSet::new();
    all.retain(|(_, form)| form.len() >= SHORTEST && seen.insert(form.clone()));
    all
}

/// The base64 characters that depend on the needle alone when `skip` bytes (modulo 3) are before
/// it and anything may come after.
fn base64_at(needle: &[u8], skip: usize, encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let mut bytes = vec![0; skip];
    bytes.extend_from_slice(needle);
    let first = (skip * 8).div_ceil(6);
    let whole = bytes.len() * 8 / 6;
    encode(&bytes).as_bytes()[first..whole].to_vec()
}

fn ascii_only(text: &str) -> String {
    let mut units = [0; 2];
    let escape = |character: char| match character.is_ascii() {
        true => character.to_string(),
        false => {
            character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }
    };
    text.chars().map(escape).collect()
}

/// All regular files below a folder, in order; links are not followed out of it.
fn files(tree: &Path) -> Vec<PathBuf> {
    let Ok(about) = fs::symlink_metadata(tree) else { return Vec::new() };
    if about.is_file() {
        return vec![tree.to_path_buf()];
    }
    if !about.is_dir() {
        return Vec::new();
    }
    let Ok(items) = fs::read_dir(tree) else { return Vec::new() };
    let mut paths: Vec<_> = items.filter_map(|item| Some(item.ok()?.path())).collect();
    paths.sort();
    paths.iter().flat_map(|path| files(path)).collect()
}
