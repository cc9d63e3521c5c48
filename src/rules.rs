//! Rule packs: the standard ones, and those that configuration and command line add.

use std::fs;
use std::path::{Path, PathBuf};

use oubliette_detect::{Pack, RuleSet};

use crate::config::Settings;
use crate::failure::Failure;

/// The standard rules, those of `rules_dir` and those of `extra` files.
pub(crate) fn rule_set(settings: &Settings, extra: &[PathBuf]) -> Result<RuleSet, Failure> {
    let packs = packs(settings, extra)?;
    let builder = packs.into_iter().fold(RuleSet::builder().standard(), |set, pack| set.pack(pack));
    builder.build().map_err(|error| Failure::usage(error.to_string()))
}

/// The packs beside the standard ones.
pub(crate) fn packs(settings: &Settings, extra: &[PathBuf]) -> Result<Vec<Pack>, Failure> {
    let files = pack_files(settings, extra)?;
    let read = files.iter().map(|(name, text)| Pack::from_toml(name, text));
    read.collect::<Result<_, _>>().map_err(|error| Failure::usage(error.to_string()))
}

/// The files of the packs beside the standard ones, by name and text.
pub(crate) fn pack_files(
    settings: &Settings,
    extra: &[PathBuf],
) -> Result<Vec<(String, String)>, Failure> {
    let mut paths = match &settings.rules_dir {
        Some(folder) => packs_in(folder)?,
        None => Vec::new(),
    };
    paths.extend(extra.iter().cloned());
    let read = |path: PathBuf| {
        let name = path.display().to_string();
        match fs::read_to_string(&path) {
            Ok(text) => Ok((name, text)),
            Err(error) => Err(Failure::usage(format!("rule pack {name} cannot be read: {error}"))),
        }
    };
    paths.into_iter().map(read).collect()
}

/// The packs of a folder, by name, so that their order does not depend on the file system.
fn packs_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!("rules_dir {} cannot be read: {error}", folder.display()))
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
