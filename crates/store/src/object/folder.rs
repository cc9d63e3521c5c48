//! A folder as object store.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::files::{FileStore, check_name};
use super::{
    Check, LifecycleRule, ObjectInfo, ObjectPage, ObjectStore, PAGE, missing, range_len, too_short,
};
use crate::error::{StoreError, StoreErrorKind};
use crate::fs::{blocking, create_dir_durably, sync_dir, unique_name, write_durably};
use crate::key::ObjectKey;

/// Where files are written before they get their name.
const TEMPORARY: &str = ".tmp";
/// Where the lifecycle rules are kept.
const LIFECYCLE: &str = "lifecycle.json";
/// How often a put makes its folder again when a sweep has just removed it as empty.
const PUT_ATTEMPTS: u32 = 4;

/// Keeps each object as a file below one folder.
///
/// A put is written to a temporary file, synced, renamed, and the folder synced. Keys are typed,
/// so none can name a path outside; and a symbolic link inside that leads out is refused. Nothing
/// expires by itself: call [`sweep`](ObjectStore::sweep) now and then.
#[derive(Debug, Clone)]
pub struct FolderStore {
    root: Arc<Path>,
}

impl FolderStore {
    /// Opens a folder as a store, and creates it if it is not there.
    ///
    /// # Errors
    ///
    /// `Configuration` if the folder cannot be made, read or written.
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        blocking(move || {
            let open = || {
                create_dir_durably(&root.join(TEMPORARY))?;
                fs::canonicalize(&root)
            };
            let root = open().map_err(|error| {
                StoreError::new(
                    StoreErrorKind::Configuration,
                    format!(
                        "the object folder {} cannot be used: check its path and permissions",
                        root.display()
                    ),
                )
                .with_source(error)
            })?;
            Ok(Self { root: root.into() })
        })
        .await
    }

    /// Runs `work` on a blocking thread with the root folder.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let root = Arc::clone(&self.root);
        blocking(move || work(&root)).await
    }
}

#[async_trait]
impl ObjectStore for FolderStore {
    async fn put(&self, key: &ObjectKey, body: Bytes) -> Result<(), StoreError> {
        let key = *key;
        self.run(move |root| put(root, &key, &body)).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let key = *key;
        let len = usize::try_from(range_len(&range)?).map_err(|_| too_short(&key))?;
        self.run(move |root| {
            let (file, size) = open(root, &key)?;
            if range.end > size {
                return Err(too_short(&key));
            }
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, range.start).map_err(|error| io_error(&key, error))?;
            Ok(bytes.into())
        })
        .await
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        let key = *key;
        self.run(move |root| open(root, &key).map(|(_, size)| size)).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
    ) -> Result<ObjectPage, StoreError> {
        let prefix = prefix.to_owned();
        let after = after.copied();
        self.run(move |root| {
            let mut objects = Vec::new();
            let wanted = Wanted { prefix: &prefix, after: after.map(|key| key.to_string()) };
            walk(root, "", &wanted, &mut objects)
                .map_err(|error| StoreError::disk("the object folder cannot be listed", error))?;
            let next = (objects.len() > PAGE).then(|| objects[PAGE - 1].key);
            objects.truncate(PAGE);
            Ok(ObjectPage { objects, next })
        })
        .await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let key = *key;
        self.run(move |root| remove(root, &key)).await
    }

    async fn ensure_lifecycle(&self, rules: &[LifecycleRule]) -> Result<(), StoreError> {
        let rules = rules.to_vec();
        self.run(move |root| {
            let merged = LifecycleRule::merge(&read_rules(root)?, &rules)?;
            let text = serde_json::to_vec_pretty(&RuleFile { rules: merged })
                .expect("rules are plain numbers");
            unique_name("tmp")
                .and_then(|name| {
                    write_durably(&root.join(TEMPORARY).join(name), &root.join(LIFECYCLE), &text)
                })
                .map_err(|error| StoreError::disk("the lifecycle rules cannot be written", error))
        })
        .await
    }

    async fn lifecycle(&self) -> Result<Vec<LifecycleRule>, StoreError> {
        self.run(read_rules).await
    }

    async fn sweep(&self, unix_seconds: i64) -> Result<u64, StoreError> {
        self.run(move |root| sweep(root, unix_seconds)).await
    }

    async fn capabilities(&self, _key: &ObjectKey) -> Vec<Check> {
        Vec::new()
    }
}

/// What `lifecycle.json` holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rules: Vec<LifecycleRule>,
}

#[async_trait]
impl FileStore for FolderStore {
    async fn put_file(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        check_name(name)?;
        let name = name.to_owned();
        self.run(move |root| {
            let path = root.join(name);
            let folder = path.parent().expect("a name has a folder");
            create_dir_durably(folder)
                .and_then(|()| unique_name("tmp"))
                .and_then(|new| write_durably(&root.join(TEMPORARY).join(new), &path, &bytes))
                .map_err(|error| StoreError::disk("the log cannot be published", error))
        })
        .await
    }

    async fn get_file(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        check_name(name)?;
        let name = name.to_owned();
        self.run(move |root| match fs::read(root.join(name)) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::disk("the published log cannot be read", error)),
        })
        .await
    }
}

fn put(root: &Path, key: &ObjectKey, body: &[u8]) -> Result<(), StoreError> {
    let path = root.join(key.to_string());
    let folder = path.parent().expect("a key has folders");
    let mut attempt = 1;
    loop {
        let standing = folder.ancestors().find(|dir| dir.exists()).unwrap_or(root);
        refuse_links(standing, key)?;
        let written = create_dir_durably(folder)
            .and_then(|()| unique_name("tmp"))
            .and_then(|name| write_durably(&root.join(TEMPORARY).join(name), &path, body));
        match written {
            Ok(()) => return Ok(()),
            // A sweep may remove the folder, as it is still empty, before the rename.
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < PUT_ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(io_error(key, error)),
        }
    }
}

fn open(root: &Path, key: &ObjectKey) -> Result<(File, u64), StoreError> {
    let path = root.join(key.to_string());
    let file = File::open(&path).map_err(|error| io_error(key, error))?;
    refuse_links(path.parent().expect("a key has folders"), key)?;
    let size = file.metadata().map_err(|error| io_error(key, error))?.len();
    Ok((file, size))
}

fn remove(root: &Path, key: &ObjectKey) -> Result<(), StoreError> {
    let path = root.join(key.to_string());
    let folder = path.parent().expect("a key has folders");
    if !folder.exists() {
        return Ok(());
    }
    refuse_links(folder, key)?;
    match fs::remove_file(&path) {
        Ok(()) => sync_dir(folder).map_err(|error| io_error(key, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error(key, error)),
    }
}

/// Refuses a folder that leads out of the root by a symbolic link: whoever can plant one must not
/// choose where segments are written or what is read as one.
fn refuse_links(folder: &Path, key: &ObjectKey) -> Result<(), StoreError> {
    let real = fs::canonicalize(folder).map_err(|error| io_error(key, error))?;
    if real == folder {
        return Ok(()); // the root is canonical, and keys are typed
    }
    Err(StoreError::new(
        StoreErrorKind::Configuration,
        format!("the folder of {key} is a symbolic link: remove the link from the object folder"),
    ))
}

/// What a listing looks for.
struct Wanted<'a> {
    prefix: &'a str,
    after: Option<String>,
}

impl Wanted<'_> {
    /// Whether a folder with this path (ending in `/`) can hold something that is wanted.
    fn enters(&self, path: &str) -> bool {
        let compatible = path.starts_with(self.prefix) || self.prefix.starts_with(path);
        // Everything below sorts before `after` if the path does and is not above it.
        let behind = |after: &String| path < after.as_str() && !after.starts_with(path);
        compatible && !self.after.as_ref().is_some_and(behind)
    }
}

/// Collects segments in the order of their keys until one more than a page has been found.
fn walk(
    dir: &Path,
    path: &str,
    wanted: &Wanted<'_>,
    found: &mut Vec<ObjectInfo>,
) -> io::Result<()> {
    let mut entries: Vec<(String, fs::DirEntry)> = Vec::new();
    let listing = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()), // swept just now
        listing => listing?,
    };
    for entry in listing {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
        entries.push((format!("{path}{name}{slash}"), entry));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, entry) in entries {
        if found.len() > PAGE {
            break;
        }
        if name.ends_with('/') {
            if wanted.enters(&name) {
                walk(&entry.path(), &name, wanted, found)?;
            }
        } else if name.starts_with(wanted.prefix)
            && wanted.after.as_ref().is_none_or(|after| name > *after)
            && let Ok(key) = name.parse::<ObjectKey>()
        {
            match entry.metadata() {
                Ok(metadata) if metadata.is_file() => {
                    found.push(ObjectInfo { key, size: metadata.len() });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn read_rules(root: &Path) -> Result<Vec<LifecycleRule>, StoreError> {
    let text = match fs::read(root.join(LIFECYCLE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::disk("the lifecycle rules cannot be read", error)),
    };
    let file: RuleFile = serde_json::from_slice(&text).map_err(|error| {
        StoreError::new(
            StoreErrorKind::Configuration,
            "lifecycle.json of the object folder is not as we write it: mend or remove it",
        )
        .with_source(error)
    })?;
    Ok(file.rules)
}

fn sweep(root: &Path, unix_seconds: i64) -> Result<u64, StoreError> {
    let mut removed = 0;
    for rule in read_rules(root)? {
        let wanted = Wanted { prefix: &rule.prefix(), after: None };
        loop {
            let mut objects = Vec::new();
            walk(root, "", &wanted, &mut objects)
                .map_err(|error| StoreError::disk("the object folder cannot be listed", error))?;
            // Keys sort by time within a class, so what is over comes first.
            let over: Vec<_> =
                objects.iter().take_while(|o| rule.is_over(&o.key, unix_seconds)).collect();
            for object in &over {
                remove(root, &object.key)?;
                remove_empty_folders(root, &object.key);
            }
            removed += over.len() as u64;
            if over.len() <= PAGE {
                break;
            }
        }
    }
    sweep_temporary(&root.join(TEMPORARY), unix_seconds)
        .map_err(|error| StoreError::disk("old temporary files cannot be removed", error))?;
    Ok(removed)
}

/// Takes away the folders of hour, day, month, year and class once they are empty. One that is
/// not stays: `remove_dir` refuses it, which is all the check there needs to be.
fn remove_empty_folders(root: &Path, key: &ObjectKey) {
    let path = root.join(key.to_string());
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != root) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
}

/// Removes what uploads that never finished have left.
fn sweep_temporary(dir: &Path, unix_seconds: i64) -> io::Result<()> {
    let days = u64::from(LifecycleRule::ABORT_UPLOADS_AFTER_DAYS);
    let age = Duration::from_secs(days * 86_400);
    let now =
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(unix_seconds).unwrap_or(0));
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let modified = match entry.metadata() {
            Ok(metadata) if metadata.is_file() => metadata.modified()?,
            _ => continue, // renamed into place meanwhile, or not ours
        };
        if now.duration_since(modified).is_ok_and(|since| since > age) {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

fn io_error(key: &ObjectKey, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound => missing(key),
        io::ErrorKind::PermissionDenied => StoreError::new(
            StoreErrorKind::Denied,
            format!("no permission for {key} in the object folder: mend its owner or mode"),
        )
        .with_source(error),
        _ => StoreError::disk(format!("{key} in the object folder: the disk failed"), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RetentionClass, SegmentId};

    const NOON: i64 = 1_793_448_000; // 2026-10-31T12:00:00Z

    fn key(days: u32, unix_seconds: i64) -> ObjectKey {
        let class = RetentionClass::days(days).unwrap();
        ObjectKey::new(class, SegmentId::generate(unix_seconds).unwrap())
    }

    #[tokio::test]
    async fn a_symbolic_link_out_of_the_folder_is_refused() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = FolderStore::open(inside.path()).await.unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.path().join("r7")).unwrap();
        let key = key(7, NOON);
        let error = store.put(&key, Bytes::from_static(b"x")).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration);
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
        let planted = outside.path().join(key.to_string().strip_prefix("r7/").unwrap());
        fs::create_dir_all(planted.parent().unwrap()).unwrap();
        fs::write(&planted, b"planted").unwrap();
        assert_eq!(
            store.get_range(&key, 0..1).await.unwrap_err().kind(),
            StoreErrorKind::Configuration
        );
        assert_eq!(store.delete(&key).await.unwrap_err().kind(), StoreErrorKind::Configuration);
        assert_eq!(fs::read(&planted).unwrap(), b"planted");
    }

    #[tokio::test]
    async fn a_sweep_removes_empty_folders_and_old_leftovers_but_no_strangers() {
        let dir = tempfile::tempdir().unwrap();
        let store = FolderStore::open(dir.path()).await.unwrap();
        let old = key(1, NOON);
        store.put(&old, Bytes::from_static(b"x")).await.unwrap();
        store.ensure_lifecycle(&[LifecycleRule::new(old.class())]).await.unwrap();
        fs::write(dir.path().join(TEMPORARY).join("dead.tmp"), b"x").unwrap();
        fs::write(dir.path().join("notes.txt"), b"x").unwrap();

        // Temporary files carry real times, so the sweep's time is taken from the file itself.
        let leftover = fs::metadata(dir.path().join(TEMPORARY).join("dead.tmp")).unwrap();
        let written = leftover.modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let written = i64::try_from(written.as_secs()).unwrap();
        store.sweep(written + 3600).await.unwrap();
        assert!(dir.path().join(TEMPORARY).join("dead.tmp").exists());
        store.sweep(written.max(NOON) + 2 * 86_400 + 1).await.unwrap();

        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [TEMPORARY, LIFECYCLE, "notes.txt"]);
        assert_eq!(fs::read_dir(dir.path().join(TEMPORARY)).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_broken_rule_file_is_named_and_nothing_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let store = FolderStore::open(dir.path()).await.unwrap();
        let old = key(1, 0);
        store.put(&old, Bytes::from_static(b"x")).await.unwrap();
        fs::write(dir.path().join(LIFECYCLE), b"{\"rules\":[{\"days\":1}]}").unwrap();
        let error = store.sweep(NOON).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration);
        assert!(error.to_string().contains("lifecycle.json"));
        assert_eq!(store.size(&old).await.unwrap(), 1);
    }
}
