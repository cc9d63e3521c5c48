//! Lists `rules/*.toml` for embedding, so that adding a pack touches no Rust.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let rules = manifest.join("rules");
    // `rules` is a link in the repository: watch what it points at as well, and each file, because
    // a directory's own time stamp changes only when a file comes or goes.
    watch(&rules);
    if let Ok(real) = rules.canonicalize() {
        watch(&real);
    }

    let mut names: Vec<String> = fs::read_dir(&rules)
        .expect("crates/detect/rules holds the packs")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    // An earlier rule wins a tie, so the order must not depend on the file system; and what is the same
    // everywhere goes before what one country has: a card number that also passes for an insurance number.
    names.sort_by_key(|name| (!name.starts_with("global"), name.clone()));

    let mut list = String::from("&[\n");
    for name in &names {
        let path = rules.join(name);
        watch(&path);
        writeln!(list, "    ({name:?}, include_str!({:?})),", path.display().to_string())
            .expect("writing to a string does not fail");
    }
    list.push(']');

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("standard_packs.rs"), list).expect("OUT_DIR is writable");
}

fn watch(path: &Path) {
    println!("cargo:rerun-if-changed={}", path.display());
}
