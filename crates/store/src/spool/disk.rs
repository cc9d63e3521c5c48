//! What the spool needs of a file system.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::fs::{create_dir_durably, free_bytes, sync_dir, unique_name};

/// A file system. The methods do what the real one does; tests put one in its place that tears,
/// reorders, forgets and fails.
pub(super) trait Disk: Send + Sync {
    /// Makes a folder and what is missing above it, durably.
    fn make_folder(&self, dir: &Path) -> io::Result<()> {
        create_dir_durably(dir)
    }

    /// Takes a file as the sign that the folder is in use, or says `WouldBlock`.
    fn lock(&self, path: &Path) -> io::Result<FolderLock> {
        let file = File::create(path)?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock(Some(file))),
            Err(TryLockError::Error(error)) => Err(error),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Creates a file that must not be there yet.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        Ok(Box::new(File::create_new(path)?))
    }

    /// Reads a file whole.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    /// Reads a part of a file, all of it.
    fn read_at(&self, path: &Path, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        File::open(path)?.read_exact_at(bytes, offset)
    }

    /// The size of a file.
    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    /// The names in a folder.
    fn names(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    /// Gives a file another name, in place of what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Gives a file a second name; a durable copy where the file system has no links.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        if fs::hard_link(from, to).is_err() {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()?;
        }
        Ok(())
    }

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Makes the names in a folder durable.
    fn sync_folder(&self, dir: &Path) -> io::Result<()> {
        sync_dir(dir)
    }

    /// Bytes that may still be written.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        free_bytes(dir)
    }

    /// Writes a file whole: under another name first, synced, then renamed, and the folder synced.
    fn write_durably(&self, dir: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
        let temporary = dir.join(unique_name("tmp")?);
        let write = || {
            let mut file = self.create(&temporary)?;
            file.write_all(content)?;
            file.sync_data()?;
            self.rename(&temporary, path)
        };
        write().inspect_err(|_| {
            // The first error is the one to tell; a leftover is removed at the next start.
            let _ = self.remove(&temporary);
        })?;
        self.sync_folder(dir)
    }
}

/// A file that is appended to.
pub(super) trait SpoolFile: Send {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes content and size durable.
    fn sync_data(&mut self) -> io::Result<()>;
}

impl SpoolFile for File {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }
}

/// The file system of the machine.
pub(super) struct RealDisk;

impl Disk for RealDisk {}

/// Keeps others out of a folder until it is released or dropped.
pub(super) struct FolderLock(pub(super) Option<File>);

impl FolderLock {
    pub(super) fn release(&self) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), File::unlock)
    }
}
