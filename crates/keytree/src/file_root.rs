//! The root key in a file of its own.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{KeyTreeError, KeyTreeErrorKind};
use crate::key::RootKey;
use crate::page::Generation;
use crate::root::{Root, RootStore, crash_point, place_of};
use crate::stack::{OF_HASHES, without_trace};

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
/// Locks must work if two machines can reach the file.
///
/// # Crashes
///
/// The file has two slots, far enough apart that no write to one touches the other, and the older of two
/// whole slots is in force. [`prepare`](RootStore::prepare) writes the next root into the free slot and
/// waits for the disk: nothing has changed yet. [`replace`](RootStore::replace) overwrites the slot in
/// force and waits for the disk: at one stroke the old key is destroyed and the next one in force. Nothing
/// has to hold about how a write is torn: a slot that is not whole does not count, the next root is
/// durable before the old one is touched, and what is not in force is overwritten once more when the
/// store is opened.
///
/// So a commit waits twice for the disk, the first time together with the key pages, and no name and no
/// size changes.
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
    /// The generation that the disk has confirmed in the free slot. What is read there may be no more than
    /// what the system remembers of a write that failed.
    prepared: Mutex<Option<Generation>>,
    /// Held as long as the store lives.
    _lock: File,
    /// The root itself, once there is one, locked as well: it may have a second name.
    itself: Mutex<Option<File>>,
}

impl FileRootStore {
    /// Takes the root file at `path` for this process, whether it exists yet or not, and erases
    /// what a crash may have left in it. The folder is created (for the owner only) if need be.
    ///
    /// A file of version 1, which held one root, is brought to two slots in place.
    ///
    /// # Errors
    ///
    /// [`Locked`](KeyTreeErrorKind::Locked) if another process has it,
    /// [`Storage`](KeyTreeErrorKind::Storage) if the folder cannot be used,
    /// [`Damaged`](KeyTreeErrorKind::Damaged) and [`NewerVersion`](KeyTreeErrorKind::NewerVersion) if
    /// the file is no root; then nothing is changed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeyTreeError> {
        let (path, folder, lock) = take_place(path.into())?;
        let itself = Mutex::new(lock_itself(&path)?);
        let store = Self { path, folder, prepared: Mutex::new(None), _lock: lock, itself };
        store.erase_leftovers()?;
        Ok(store)
    }

    /// Where the root is kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, kind: KeyTreeErrorKind, what: &str) -> KeyTreeError {
        KeyTreeError::new(kind, format!("root key {}: {what}", self.path.display()))
    }

    fn storage(&self, what: &str, cause: io::Error) -> KeyTreeError {
        self.error(KeyTreeErrorKind::Storage, what).with_source(cause)
    }

    /// The root in force and the number of its slot.
    fn in_force(&self) -> Result<Option<(usize, Root)>, KeyTreeError> {
        let failed = |cause| self.storage("cannot be read", cause);
        let Some(slots) = read_slots(&self.path).map_err(failed)? else { return Ok(None) };
        if is_readable_by_others(&self.path).map_err(failed)? {
            let what = "others than its owner may read it; run chmod 600 on it";
            return Err(self.error(KeyTreeErrorKind::Storage, what));
        }
        in_force(slots).map(Some).map_err(|(kind, what)| self.error(kind, what))
    }

    /// Makes good what a crash, or an error on the way, has left undone. What is not in force is overwritten
    /// whatever seems to be there: after a write that failed, the system may show what the disk does not have.
    fn erase_leftovers(&self) -> Result<(), KeyTreeError> {
        let failed = |cause| self.storage("an old key could not be erased", cause);
        // A root that never got its name.
        erase(&self.new_path()).map_err(failed)?;
        let Some((slot, root)) = self.in_force()? else { return Ok(()) };
        self.erase_old_name().map_err(failed)?;
        let mut file = self.file().map_err(failed)?;
        if file.metadata().map_err(failed)?.len() < FILE_LEN as u64 {
            // Version 1: a file of one root. Its size changes once, and never again.
            write_at(&mut file, SLOT_AT[1], &encode(&root)).map_err(failed)?;
            crash_point();
            file.sync_all().map_err(failed)?;
            crash_point();
            return write_slot(&mut file, 0, &void()).map_err(failed);
        }
        write_slot(&mut file, 1 - slot, &void()).map_err(failed)
    }

    /// Version 1 gave the old file a second name before the new one took its first: what a crash may
    /// have left of that.
    fn erase_old_name(&self) -> io::Result<()> {
        let old = beside(&self.path, ".old");
        // Not switched yet, it is the second name of the root itself.
        if is_same_file(&old, &self.path)? { fs::remove_file(old) } else { erase(&old) }
    }

    fn new_path(&self) -> PathBuf {
        beside(&self.path, ".new")
    }

    fn file(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(&self.path)
    }

    fn is_prepared(&self) -> std::sync::MutexGuard<'_, Option<Generation>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RootStore for FileRootStore {
    fn load(&self) -> Result<Option<Root>, KeyTreeError> {
        Ok(self.in_force()?.map(|(_, root)| root))
    }

    fn create(&self, root: &Root) -> Result<(), KeyTreeError> {
        if self.load()?.is_some() {
            return Err(self.error(KeyTreeErrorKind::Storage, "the file exists already"));
        }
        self.erase_leftovers()?;
        let new = self.new_path();
        let written = || {
            let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&new)?;
            // All of it, so that no later write has to find a place on the disk.
            let mut bytes = Zeroizing::new(vec![0; FILE_LEN]);
            bytes[..SLOT_LEN].copy_from_slice(&encode(root));
            bytes[FILE_LEN - SLOT_LEN..].copy_from_slice(&void());
            file.write_all(&bytes)?;
            crash_point();
            file.sync_all()?;
            crash_point();
            #[cfg(unix)]
            lock(&file)?;
            fs::rename(&new, &self.path)?;
            crash_point();
            sync_folder(&self.folder)?;
            Ok(file)
        };
        let file = written().map_err(|cause| self.storage("cannot be created", cause))?;
        *self.itself.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(())
    }

    fn prepare(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        let slot = place_of(old, self.in_force())?;
        let mut prepared = self.is_prepared();
        *prepared = None;
        let written = self.file().and_then(|mut file| {
            crash_point();
            write_slot(&mut file, 1 - slot, &encode(root))
        });
        written.map_err(|cause| {
            self.error(KeyTreeErrorKind::Retry, "the next key could not be written")
                .with_source(cause)
        })?;
        *prepared = Some(root.generation());
        Ok(())
    }

    fn replace(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        let mut slot = place_of(old, self.in_force())?;
        let is_ready = self.is_prepared().take() == Some(root.generation())
            && matches!(
                read_slots(&self.path).map_err(|cause| {
                    self.error(KeyTreeErrorKind::Retry, "cannot be read before it is replaced")
                        .with_source(cause)
                })?,
                Some(slots) if slots[1 - slot].is(root)
            );
        if !is_ready {
            self.prepare(old, root)?;
            self.is_prepared().take();
            slot = place_of(old, self.in_force())?;
        }
        crash_point();
        let mut file = self.file().map_err(|cause| {
            self.error(KeyTreeErrorKind::Retry, "cannot be opened to be replaced")
                .with_source(cause)
        })?;
        // From the first byte on it may be in force.
        write_slot(&mut file, slot, &void()).inspect(|()| crash_point()).map_err(|cause| {
            let what =
                "may be replaced, and the old key may not be erased yet; opening it again will";
            self.storage(what, cause)
        })
    }
}

/// A slot, alone in a block of the disk and padded with zeros:
///
/// ```text
/// magic (8) ‖ version (1) ‖ generation (8, big-endian) ‖ key (32) ‖ SHA-256 of all before (32)
/// ```
///
/// One that holds no root has magic, version and zeros.
pub(crate) const ROOT_LEN: usize = CHECKED_LEN + 32;
const CHECKED_LEN: usize = 8 + 1 + 8 + 32;
const MAGIC: &[u8; 8] = b"OUBLROOT";
/// Version 1 was a file of one root and no padding, which reads like a first slot without a second.
const VERSION: u8 = 2;
/// What disks and file systems write at once.
const SLOT_LEN: usize = 4096;
/// Apart by the largest page of memory of any system we run on, which is what is written back at once.
const SLOT_AT: [u64; 2] = [0, 64 << 10];
const FILE_LEN: usize = (64 << 10) + SLOT_LEN;

/// Which of two slots is in force, and its root; or what keeps both from being.
pub(crate) fn in_force(
    [first, second]: [Slot; 2],
) -> Result<(usize, Root), (KeyTreeErrorKind, &'static str)> {
    match (first, second) {
        (Slot::Newer, _) | (_, Slot::Newer) => Err((
            KeyTreeErrorKind::NewerVersion,
            "it was written by a newer release; upgrade this one",
        )),
        // The older one: the other was prepared, and never came in force.
        (Slot::Root(first), Slot::Root(second)) => {
            let is_first = first.generation() <= second.generation();
            Ok(if is_first { (0, first) } else { (1, second) })
        }
        (Slot::Root(root), Slot::Void) => Ok((0, root)),
        (Slot::Void, Slot::Root(root)) => Ok((1, root)),
        (Slot::Void, Slot::Void) => Err((
            KeyTreeErrorKind::Damaged,
            "it is damaged, and without its key no body stored so far can be opened; to go on with the rest, \
             take it away and run `oubliette keys begin-anew`",
        )),
    }
}

/// What a slot holds.
pub(crate) enum Slot {
    Root(Root),
    /// Nothing, or what does not check out.
    Void,
    /// Something of a newer release.
    Newer,
}

impl Slot {
    pub(crate) fn is(&self, root: &Root) -> bool {
        match self {
            Self::Root(found) => {
                found.generation() == root.generation()
                    && found.key().expose_secret() == root.key().expose_secret()
            }
            Self::Void | Self::Newer => false,
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Self::root(bytes).unwrap_or(Self::Void)
    }

    fn root(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (version, rest) = rest.split_first()?;
        if *version > VERSION {
            return Some(Self::Newer);
        }
        let (generation, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (sum, padding) = rest.split_first_chunk::<32>()?;
        let is_whole =
            *version > 0 && checksum(bytes) == *sum && padding.iter().all(|byte| *byte == 0);
        let generation = Generation::new(u64::from_be_bytes(*generation));
        is_whole.then(|| Self::Root(Root::new(generation, RootKey::from_bytes(key))))
    }
}

/// A slot with a root. On the heap: what is moved leaves no copy behind.
pub(crate) fn encode(root: &Root) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(void());
    bytes[9..17].copy_from_slice(&root.generation().number().to_be_bytes());
    bytes[17..CHECKED_LEN].copy_from_slice(root.key().expose_secret());
    let sum = checksum(&bytes);
    bytes[CHECKED_LEN..ROOT_LEN].copy_from_slice(&sum);
    bytes
}

fn checksum(slot: &[u8]) -> [u8; 32] {
    // A hash takes in whole blocks, and the key is in the first.
    without_trace::<OF_HASHES, _>(|| Sha256::digest(&slot[..CHECKED_LEN]).into())
}

/// A slot without a root.
pub(crate) fn void() -> Vec<u8> {
    let mut bytes = vec![0; SLOT_LEN];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8] = VERSION;
    bytes
}

/// Overwrites a slot in place, down to the disk.
fn write_slot(file: &mut File, slot: usize, bytes: &[u8]) -> io::Result<()> {
    write_at(file, SLOT_AT[slot], bytes)?;
    crash_point();
    // Neither size nor place changes, so there is nothing but data to wait for.
    file.sync_data()
}

fn write_at(file: &mut File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

/// What the slots hold; `None` if there is no file.
fn read_slots(path: &Path) -> io::Result<Option<[Slot; 2]>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(cause),
    };
    let mut slots = [Slot::Void, Slot::Void];
    for (slot, at) in slots.iter_mut().zip(SLOT_AT) {
        // Reserved beforehand, so that the buffer does not grow and leave the key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * SLOT_LEN));
        file.seek(SeekFrom::Start(at))?;
        (&file).take(SLOT_LEN as u64).read_to_end(&mut bytes)?;
        *slot = Slot::decode(&bytes);
    }
    Ok(Some(slots))
}

/// Takes the place of a root for this process: its path with links followed, its folder, which is made if
/// need be, and the lock beside it.
pub(crate) fn take_place(path: PathBuf) -> Result<(PathBuf, PathBuf, File), KeyTreeError> {
    let failed = |what: &str, cause| {
        KeyTreeError::storage(format!("{what} of root key {} failed", path.display()), cause)
    };
    // The lock lies beside the root that is meant, whichever link leads to it.
    let path = fs::canonicalize(&path)
        .or_else(|_| std::path::absolute(&path))
        .map_err(|cause| failed("finding the folder", cause))?;
    let folder = path.parent().unwrap_or(&path).to_owned();
    create_folder(&folder).map_err(|cause| failed("creating the folder", cause))?;
    let beside = private(OpenOptions::new().write(true).create(true).truncate(false))
        .open(beside(&path, ".lock"))
        .map_err(|cause| failed("opening the lock file", cause))?;
    lock(&beside).map_err(|cause| not_locked(&path, cause))?;
    Ok((path, folder, beside))
}

/// Locks the root itself, if there is one.
#[cfg(unix)]
fn lock_itself(path: &Path) -> Result<Option<File>, KeyTreeError> {
    let locked = match File::open(path) {
        Ok(file) => lock(&file).map(|()| Some(file)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    };
    locked.map_err(|cause| not_locked(path, cause))
}

/// Elsewhere a lock keeps our own reads out as well.
#[cfg(not(unix))]
fn lock_itself(_: &Path) -> Result<Option<File>, KeyTreeError> {
    Ok(None)
}

/// Locks a file as long as it is open. `WouldBlock` if somebody else has.
fn lock(file: &File) -> io::Result<()> {
    Ok(file.try_lock()?)
}

fn not_locked(path: &Path, cause: io::Error) -> KeyTreeError {
    if cause.kind() == io::ErrorKind::WouldBlock {
        return KeyTreeError::new(
            KeyTreeErrorKind::Locked,
            format!(
                "root key {} is in use by another process; stop it or give this one a root and a \
                 catalog of its own",
                path.display()
            ),
        );
    }
    KeyTreeError::storage(format!("locking of root key {} failed", path.display()), cause)
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
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(FILE_LEN).min(FILE_LEN);
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

/// Whether both names are of one file. A name that is not there is of none.
#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    };
    let one = identity(one)?;
    Ok(one.is_some() && one == identity(other)?)
}

/// Elsewhere there was no release whose files could be left.
#[cfg(not(unix))]
fn is_same_file(_: &Path, _: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Creates the folder and those above it, and makes their names durable: with the first root goes
/// everything.
fn create_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    for above in missing.iter().filter_map(|created| created.parent()) {
        sync_folder(above)?;
    }
    Ok(())
}

#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    crash_point();
    Ok(())
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
