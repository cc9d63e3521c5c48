//! The cache for what the tests need from elsewhere: outside `target/`, so `cargo clean` keeps it.
//!
//! An entry is a folder `<name>-<version>`. It is built in a folder beside it and renamed when it
//! is whole and has been seen to run: an interrupted install leaves no half entry behind.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::process::Result;

/// Folders in which an entry is being made; only under the lock.
const SCRATCH_PREFIX: &str = ".installing-";

/// The folder of the cache.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache of this user: the folder need not exist yet.
    pub(crate) fn of_this_user() -> Result<Self> {
        let folder = folder_from(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
            .ok_or("no place for the cache: set OUBLIETTE_CACHE or HOME")?;
        let folder = std::path::absolute(&folder)
            .map_err(|error| format!("the cache folder {}: {error}", folder.display()))?;
        Ok(Self { folder })
    }

    /// Where the entry of this name lies, or would lie.
    pub(crate) fn entry(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes the entry with `fill`, unless `is_whole` says that what is there will do.
    ///
    /// Processes that want the same entry at once wait for each other; the second finds it made.
    pub(crate) fn ensure(
        &self,
        name: &str,
        is_whole: impl Fn(&Path) -> bool,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let entry = self.entry(name);
        if is_whole(&entry) {
            return Ok(entry);
        }
        let in_folder = |error: io::Error| format!("the cache {}: {error}", self.folder.display());
        fs::create_dir_all(&self.folder).map_err(in_folder)?;
        let lock = File::create(self.folder.join(".lock")).map_err(in_folder)?;
        lock.lock().map_err(in_folder)?;
        if is_whole(&entry) {
            return Ok(entry);
        }
        // Under the lock nobody is installing, so every scratch folder is a dead one.
        self.remove_scratch().map_err(in_folder)?;
        let scratch = self.folder.join(format!("{SCRATCH_PREFIX}{name}"));
        fs::create_dir(&scratch).map_err(in_folder)?;
        let filled = fill(&scratch).and_then(|()| {
            if is_whole(&scratch) {
                Ok(())
            } else {
                Err(format!("{name} was built but does not run"))
            }
        });
        if let Err(reason) = filled {
            self.remove_scratch().map_err(in_folder)?;
            return Err(reason);
        }
        remove_if_there(&entry).map_err(in_folder)?;
        fs::rename(&scratch, &entry).map_err(in_folder)?;
        Ok(entry)
    }

    fn remove_scratch(&self) -> io::Result<()> {
        for item in fs::read_dir(&self.folder)? {
            let item = item?;
            if item.file_name().to_string_lossy().starts_with(SCRATCH_PREFIX) {
                remove_if_there(&item.path())?;
            }
        }
        Ok(())
    }
}

fn remove_if_there(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn folder_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let own = variable("OUBLIETTE_CACHE").map(PathBuf::from);
    let xdg = || variable("XDG_CACHE_HOME").map(|base| PathBuf::from(base).join("oubliette"));
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".cache/oubliette"));
    own.or_else(xdg).or_else(home)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{Cache, folder_from};

    #[test]
    fn nearest_variable_names_the_folder() {
        let of = |set: &[(&str, &str)]| {
            folder_from(|name| set.iter().find(|it| it.0 == name).map(|it| it.1.into()))
        };
        let all = [("OUBLIETTE_CACHE", "/o"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(of(&all), Some(PathBuf::from("/o")));
        assert_eq!(of(&all[1..]), Some(PathBuf::from("/x/oubliette")));
        assert_eq!(of(&all[2..]), Some(PathBuf::from("/h/.cache/oubliette")));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn entry_is_made_once_and_only_kept_whole() {
        let folder = std::env::temp_dir().join(format!("xtask-cache-{}", std::process::id()));
        let cache = Cache { folder: folder.clone() };
        let is_whole = |entry: &Path| entry.join("done").exists();
        let tries = Cell::new(0);

        // Fails half way, as if interrupted: nothing of it stays.
        let failed = cache.ensure("thing-1", is_whole, |scratch| {
            fs::write(scratch.join("half"), "").unwrap();
            Err("the network is down".into())
        });
        assert_eq!(failed, Err("the network is down".into()));
        // Ends well but is not whole: not kept either.
        let torn = cache.ensure("thing-1", is_whole, |_| Ok(()));
        assert_eq!(torn, Err("thing-1 was built but does not run".into()));
        assert!(!cache.entry("thing-1").exists());

        // A dead scratch folder and a broken entry of an earlier life do not get in the way.
        fs::create_dir_all(folder.join(".installing-thing-1/old")).unwrap();
        fs::create_dir_all(folder.join("thing-1")).unwrap();
        for _ in 0..2 {
            let entry = cache.ensure("thing-1", is_whole, |scratch| {
                tries.set(tries.get() + 1);
                fs::write(scratch.join("done"), "").map_err(|error| error.to_string())
            });
            assert_eq!(entry, Ok(folder.join("thing-1")));
        }
        assert_eq!(tries.get(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
