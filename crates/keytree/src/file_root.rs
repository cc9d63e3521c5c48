//! The root key in a file of its own.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{KeyTreeError, KeyTreeErrorKind};
use crate::key::RootKey;
use crate::page::Generation;
use crate::root::{Root, RootStore, check_in_force, crash_point};

/// Keeps the root key in a file, which should lie outside the data folder and outside any backup.
///
/// # What its erasure is worth
///
/// A replaced key is overwritten in place and flushed before `replace` returns. Afterwards the
/// file system does not give it back, and on a disk that writes where it is told to it is gone.
/// It may survive
///
/// - **on flash**: the controller writes elsewhere and keeps the old cell until it is collected.
///   Whoever unsolders the chip may find it. A disk encrypted below the file system, or a root in a
///   TPM or a security module, closes that gap;
/// - **in snapshots** of a volume or a virtual machine, and in backups of the folder: keep the file
///   on a volume that has neither;
/// - **on copy-on-write file systems** (Btrfs, ZFS, bcachefs, and file systems that journal data):
///   overwriting writes a new block there. Put the file on another volume, or on a `tmpfs` if losing
///   all bodies at a power cut is acceptable.
///
/// The file system must support hard links, and locks if two machines can reach it.
///
/// # Crashes
///
/// The new key is written beside the file (`.new`), the old file gets a second name (`.old`), the
/// new one is renamed over the first name, and the old one is overwritten under its second. Both
/// names are durable before the switch, so whatever a crash leaves behind is found and erased when
/// the store is next opened.
///
/// # Example
///
/// ```
/// use oubliette_keytree::{FileRootStore, KeyTree, MemoryPageStore};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("secrets/root.key");
/// let tree = KeyTree::open(FileRootStore::open(&path)?, MemoryPageStore::default())?;
/// // As long as the tree lives, nobody else gets the root.
/// assert!(FileRootStore::open(&path).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FileRootStore {
    path: PathBuf,
    folder: PathBuf,
    /// Held as long as the store lives.
    _lock: File,
}

impl FileRootStore {
    /// Takes the root file at `path` for this process, whether it exists yet or not, and erases
    /// what a crash may have left beside it. The folder is created (for the owner only) if need be.
    ///
    /// # Errors
    ///
    /// [`Locked`](KeyTreeErrorKind::Locked) if another process has it,
    /// [`Storage`](KeyTreeErrorKind::Storage) if the folder cannot be used.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeyTreeError> {
        let path = path.into();
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let failed = |what: &str, cause| {
            KeyTreeError::storage(format!("{what} of root key {} failed", path.display()), cause)
        };
        create_folder(&folder).map_err(|cause| failed("creating the folder", cause))?;
        let lock = take_lock(&path)?;
        let store = Self { path, folder, _lock: lock };
        store.erase_leftovers()?;
        Ok(store)
    }

    /// Where the root is kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn new_path(&self) -> PathBuf {
        beside(&self.path, ".new")
    }

    fn old_path(&self) -> PathBuf {
        beside(&self.path, ".old")
    }

    fn error(&self, kind: KeyTreeErrorKind, what: &str) -> KeyTreeError {
        KeyTreeError::new(kind, format!("root key {}: {what}", self.path.display()))
    }

    fn retry(&self, what: &str, cause: io::Error) -> KeyTreeError {
        self.error(KeyTreeErrorKind::Retry, what).with_source(cause)
    }

    /// Makes good what a crash, or an error on the way, has left undone.
    fn erase_leftovers(&self) -> Result<(), KeyTreeError> {
        let failed = |cause| {
            self.error(KeyTreeErrorKind::Storage, "an old key could not be erased")
                .with_source(cause)
        };
        // Never put in force: the rename would have taken its name away.
        erase(&self.new_path()).map_err(failed)?;
        let old = self.old_path();
        match (self.load()?, read(&old).map_err(failed)?) {
            (_, None) => Ok(()),
            // Not switched yet, so it is the second name of the root itself.
            (Some(root), Some(bytes))
                if decode(&bytes).is_ok_and(|old| old.generation() == root.generation()) =>
            {
                fs::remove_file(&old).map_err(failed)
            }
            (Some(_), Some(_)) => erase(&old).map_err(failed),
            // The root was taken away, and may be this very file: overwriting could destroy it.
            (None, Some(_)) => Ok(()),
        }
    }

    fn write_new(&self, root: &Root) -> io::Result<()> {
        let mut file =
            private(OpenOptions::new().write(true).create_new(true)).open(self.new_path())?;
        crash_point();
        file.write_all(&encode(root)[..])?;
        crash_point();
        file.sync_all()
    }

    /// Everything up to the point of no return.
    fn prepare(&self, root: &Root) -> io::Result<File> {
        self.write_new(root)?;
        crash_point();
        fs::hard_link(&self.path, self.old_path())?;
        crash_point();
        let old = OpenOptions::new().write(true).open(self.old_path())?;
        sync_folder(&self.folder)?;
        crash_point();
        fs::rename(self.new_path(), &self.path)?;
        crash_point();
        Ok(old)
    }
}

impl RootStore for FileRootStore {
    fn load(&self) -> Result<Option<Root>, KeyTreeError> {
        let failed =
            |cause| self.error(KeyTreeErrorKind::Storage, "cannot be read").with_source(cause);
        let Some(bytes) = read(&self.path).map_err(failed)? else { return Ok(None) };
        if is_readable_by_others(&self.path).map_err(failed)? {
            let what = "others than its owner may read it; run chmod 600 on it";
            return Err(self.error(KeyTreeErrorKind::Storage, what));
        }
        decode(&bytes).map(Some).map_err(|fault| match fault {
            Fault::NewerVersion => self.error(
                KeyTreeErrorKind::NewerVersion,
                "the file was written by a newer release; upgrade this one",
            ),
            Fault::Damaged => self.error(
                KeyTreeErrorKind::Damaged,
                "the file is damaged; without its key no body stored so far can be opened",
            ),
        })
    }

    fn create(&self, root: &Root) -> Result<(), KeyTreeError> {
        if self.load()?.is_some() {
            return Err(self.error(KeyTreeErrorKind::Storage, "the file exists already"));
        }
        self.erase_leftovers()?;
        self.write_new(root)
            .and_then(|()| fs::rename(self.new_path(), &self.path))
            .and_then(|()| sync_folder(&self.folder))
            .map_err(|cause| {
                self.error(KeyTreeErrorKind::Storage, "cannot be created").with_source(cause)
            })
    }

    fn replace(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        let found = self.load().map_err(|cause| match cause.kind() {
            // Nothing has been touched yet, so a disk that does not answer may do so later.
            KeyTreeErrorKind::Storage => self
                .error(KeyTreeErrorKind::Retry, "cannot be read before it is replaced")
                .with_source(cause),
            _ => cause,
        })?;
        check_in_force(found.as_ref(), old)?;
        // What is left from an attempt that failed must be gone before another may succeed.
        self.erase_leftovers().map_err(|cause| {
            self.error(KeyTreeErrorKind::Retry, "an abandoned key could not be erased")
                .with_source(cause)
        })?;
        let mut replaced = self.prepare(root).map_err(|cause| {
            // If this fails as well, the next attempt does it or fails too.
            let _ = self.erase_leftovers();
            self.retry("could not be replaced", cause)
        })?;
        sync_folder(&self.folder)
            .inspect(|()| crash_point())
            .and_then(|()| overwrite(&mut replaced))
            .inspect(|()| crash_point())
            .and_then(|()| fs::remove_file(self.old_path()))
            .map_err(|cause| {
                self.error(
                    KeyTreeErrorKind::Storage,
                    "was replaced, but the old key may not be erased yet; opening it again will",
                )
                .with_source(cause)
            })
    }
}

/// ```text
/// magic (8) ‖ version (1) ‖ generation (8, big-endian) ‖ key (32) ‖ SHA-256 of all before (32)
/// ```
const FILE_LEN: usize = CHECKED_LEN + 32;
const CHECKED_LEN: usize = 8 + 1 + 8 + 32;
const MAGIC: &[u8; 8] = b"OUBLROOT";
const VERSION: u8 = 1;

enum Fault {
    Damaged,
    NewerVersion,
}

fn encode(root: &Root) -> Zeroizing<[u8; FILE_LEN]> {
    let mut bytes = Zeroizing::new([0; FILE_LEN]);
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8] = VERSION;
    bytes[9..17].copy_from_slice(&root.generation().number().to_be_bytes());
    bytes[17..CHECKED_LEN].copy_from_slice(root.key().expose_secret());
    let sum = Sha256::digest(&bytes[..CHECKED_LEN]);
    bytes[CHECKED_LEN..].copy_from_slice(&sum);
    bytes
}

fn decode(bytes: &[u8]) -> Result<Root, Fault> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(Fault::Damaged)?;
    let (version, rest) = rest.split_first().ok_or(Fault::Damaged)?;
    if *version > VERSION {
        return Err(Fault::NewerVersion);
    }
    let (generation, rest) = rest.split_first_chunk().ok_or(Fault::Damaged)?;
    let (key, sum) = rest.split_first_chunk().ok_or(Fault::Damaged)?;
    if *version != VERSION || Sha256::digest(&bytes[..CHECKED_LEN]).as_slice() != sum {
        return Err(Fault::Damaged);
    }
    let generation = Generation::new(u64::from_be_bytes(*generation));
    Ok(Root::new(generation, RootKey::from_bytes(key)))
}

/// The file's bytes, as far as a root can be long; `None` if there is no file.
fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(cause),
    };
    // One byte more than fits, to notice a file that is too long; reserved beforehand, so that the
    // buffer does not grow and leave the key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * FILE_LEN));
    file.take(FILE_LEN as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Locks the file beside the root for this process.
pub(crate) fn take_lock(path: &Path) -> Result<File, KeyTreeError> {
    let failed = |what: &str, cause| {
        KeyTreeError::storage(format!("{what} of root key {} failed", path.display()), cause)
    };
    let lock = private(OpenOptions::new().write(true).create(true).truncate(false))
        .open(beside(path, ".lock"))
        .map_err(|cause| failed("opening the lock file", cause))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(KeyTreeError::new(
            KeyTreeErrorKind::Locked,
            format!(
                "root key {} is in use by another process; stop it or give this one a root and a \
                 catalog of its own",
                path.display()
            ),
        )),
        Err(TryLockError::Error(cause)) => Err(failed("locking", cause)),
    }
}

/// Overwrites a file and removes it; no file is fine.
fn erase(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(mut file) => {
            overwrite(&mut file)?;
            fs::remove_file(path)
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(cause),
    }
}

/// Zeros in place, down to the disk. Truncating instead would give the blocks back as they are.
fn overwrite(file: &mut File) -> io::Result<()> {
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(FILE_LEN).max(FILE_LEN);
    file.write_all(&vec![0; len])?;
    file.sync_all()
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(unix)]
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Creates the folder and those above it, and makes their names durable: with the first root goes
/// everything.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    for above in missing.iter().filter_map(|created| created.parent()) {
        // The parent of a relative name is the empty path, which cannot be opened.
        sync_folder(if above.as_os_str().is_empty() { Path::new(".") } else { above })?;
    }
    Ok(())
}

#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file, and renames are durable by themselves.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
#[path = "file_root_tests.rs"]
mod tests;
