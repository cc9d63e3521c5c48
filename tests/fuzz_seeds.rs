//! Every committed fuzz seed, through the property it belongs to, without a fuzzer.
//!
//! An input that once broke a property is committed as a seed, so that it is tried on every run.

// The very code that the fuzz targets call, compiled in: fuzz/ is a workspace of its own.
#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a crate of its own elsewhere")]
mod properties;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name), properties::$name);
        })*

        #[test]
        fn every_target_is_replayed() {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            for target in names(&root.join("fuzz/fuzz_targets")) {
                let name = target.trim_end_matches(".rs");
                assert!([$(stringify!($name)),*].contains(&name), "{name} is not replayed");
            }
        }
    };
}

targets!(
    detect_equivalence,
    kernels,
    key_page,
    receipt,
    record_open,
    redact_body,
    redact_formats,
    redact_json,
    redact_otlp,
    redact_stream,
    rule_load,
    segment_recover,
);

fn replay(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let seeds = names(&folder);
    assert!(seeds.len() >= 5, "{target} has hardly any seeds");
    let broken: Vec<_> = seeds
        .into_iter()
        .filter(|seed| {
            let data = fs::read(folder.join(seed)).expect("a seed can be read");
            catch_unwind(AssertUnwindSafe(|| property(&data))).is_err()
        })
        .collect();
    assert!(broken.is_empty(), "{target} does not hold for: {}", broken.join(", "));
}

fn names(folder: &Path) -> Vec<String> {
    let items = fs::read_dir(folder).expect("the folder is committed");
    let mut names: Vec<_> = items
        .map(|item| item.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
