//! A disk in memory that does what disks and kernels do on bad days.
//!
//! Content and names are volatile until they are synced. When the power goes, each sector of an
//! unsynced write is there or not, by itself; sectors that are not hold zeros or rubbish; unsynced
//! creations, renames and removals have happened or not, in any order that keeps to each name. A
//! failed sync loses what it was to write and the next one succeeds, as on Linux.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::disk::{Disk, FolderLock, SpoolFile};
use crate::testing::Dice;

/// How often what fails, in percent of the calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DiskFaults {
    /// A write: half of it is there.
    pub(super) write: u8,
    /// A sync: what it was to write is lost, though it can still be read.
    pub(super) sync: u8,
    /// A read.
    pub(super) read: u8,
    /// Creating, renaming, linking and removing, and syncing a folder.
    pub(super) names: u8,
    /// There is no room: nothing can be created, writes end half way.
    pub(super) full: bool,
    /// Remounted read-only: only reading works.
    pub(super) read_only: bool,
}

#[derive(Clone)]
pub(super) struct SimDisk(Arc<Mutex<State>>);

struct State {
    inodes: Vec<Inode>,
    /// Names as the process sees them.
    names: BTreeMap<PathBuf, usize>,
    /// Names as they would be after a power cut.
    durable: BTreeMap<PathBuf, usize>,
    pending: Vec<Change>,
    faults: DiskFaults,
    dice: Dice,
    dead: bool,
}

#[derive(Clone, Default)]
struct Inode {
    /// What a read gives.
    cached: Vec<u8>,
    /// What is on the disk.
    durable: Vec<u8>,
    /// From where on, for how many bytes, what was written and not synced.
    dirty: Vec<(usize, usize)>,
}

#[derive(Clone)]
enum Change {
    Link(PathBuf, usize),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl Change {
    fn touches(&self, dir: &Path) -> bool {
        match self {
            Self::Link(path, _) | Self::Unlink(path) => path.parent() == Some(dir),
            Self::Rename(from, to) => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Unlink(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

impl Inode {
    /// Puts sectors of unsynced writes on the disk, each by a throw of the dice.
    fn tear(&mut self, dice: &Dice) {
        for (at, len) in std::mem::take(&mut self.dirty) {
            let whole = dice.percent(30);
            let mut from = at;
            while from < at + len {
                let to = (from / SECTOR * SECTOR + SECTOR).min(at + len);
                if whole || dice.percent(50) {
                    if self.durable.len() < to {
                        let rubbish = if dice.percent(50) { 0 } else { 0xa5 };
                        self.durable.resize(to, rubbish);
                    }
                    self.durable[from..to].copy_from_slice(&self.cached[from..to]);
                }
                from = to;
            }
        }
    }

    fn sync(&mut self) {
        for (at, len) in std::mem::take(&mut self.dirty) {
            if self.durable.len() < at + len {
                self.durable.resize(at + len, 0);
            }
            self.durable[at..at + len].copy_from_slice(&self.cached[at..at + len]);
        }
    }
}

const SECTOR: usize = 512;

impl SimDisk {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            faults: DiskFaults::default(),
            dice: Dice::new(seed),
            dead: false,
        })))
    }

    pub(super) fn set_faults(&self, faults: DiskFaults) {
        self.state().faults = faults;
    }

    /// The power goes, or only the process (`kill`): what is left, for the next life. Whoever still
    /// runs on this one can change nothing any more.
    pub(super) fn crash(&self, kill: bool) -> Self {
        let mut state = self.state();
        state.dead = true;
        let (dice, mut inodes) = (state.dice.clone(), state.inodes.clone());
        let names = if kill {
            // The kernel goes on and keeps what it has.
            state.names.clone()
        } else {
            inodes.iter_mut().for_each(|inode| inode.tear(&dice));
            for inode in &mut inodes {
                inode.cached.clone_from(&inode.durable);
            }
            let mut names = state.durable.clone();
            let in_order = dice.percent(50);
            for change in &state.pending {
                if dice.percent(50) {
                    change.apply(&mut names);
                } else if in_order {
                    break;
                }
            }
            names
        };
        let pending = if kill { state.pending.clone() } else { Vec::new() };
        let durable = if kill { state.durable.clone() } else { names.clone() };
        let faults = DiskFaults::default();
        Self(Arc::new(Mutex::new(State {
            inodes,
            names,
            durable,
            pending,
            faults,
            dice,
            dead: false,
        })))
    }

    /// All files as the process sees them.
    pub(super) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let state = self.state();
        let content = |inode: &usize| state.inodes[*inode].cached.clone();
        state.names.iter().map(|(path, inode)| (path.clone(), content(inode))).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it holds the disk")
    }

    /// The disk, if this call does not fail by a throw of the dice.
    fn to_read(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        let percent = state.faults.read;
        if state.dead || state.dice.percent(percent) {
            return Err(io::Error::other("injected: EIO"));
        }
        Ok(state)
    }

    fn to_change(&self, percent: impl Fn(&DiskFaults) -> u8) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.dead {
            return Err(io::Error::other("injected: the process is dead"));
        }
        if state.faults.read_only {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        let percent = percent(&state.faults);
        if state.dice.percent(percent) {
            return Err(io::Error::other("injected: EIO"));
        }
        Ok(state)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.to_change(|faults| faults.names)?;
        let state = &mut *state;
        change.apply(&mut state.names);
        state.pending.push(change);
        Ok(())
    }

    fn inode(&self, path: &Path) -> io::Result<usize> {
        self.state().names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Disk for SimDisk {
    fn make_folder(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<FolderLock> {
        Ok(FolderLock(None))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        let mut state = self.to_change(|faults| faults.names)?;
        if state.faults.full {
            return Err(ErrorKind::StorageFull.into());
        }
        if state.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        state.names.insert(path.into(), inode);
        state.pending.push(Change::Link(path.into(), inode));
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.to_read()?;
        let inode = state.names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(state.inodes[*inode].cached.clone())
    }

    fn read_at(&self, path: &Path, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let file = self.read(path)?;
        let from = usize::try_from(offset).expect("a small file");
        let part = file.get(from..from + bytes.len()).ok_or(ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(part);
        Ok(())
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(self.read(path)?.len() as u64)
    }

    fn names(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let state = self.to_read()?;
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_owned())).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inode(from)?;
        self.change(Change::Rename(from.into(), to.into()))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.inode(from)?;
        self.change(Change::Link(to.into(), inode))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inode(path)?;
        self.change(Change::Unlink(path.into()))
    }

    fn sync_folder(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.to_change(|faults| faults.names)?;
        let state = &mut *state;
        let (now, later) =
            std::mem::take(&mut state.pending).into_iter().partition(|it| it.touches(dir));
        state.pending = later;
        let now: Vec<Change> = now;
        now.iter().for_each(|change| change.apply(&mut state.durable));
        Ok(())
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(if self.to_read()?.faults.full { 0 } else { 1 << 40 })
    }
}

struct SimFile {
    disk: SimDisk,
    inode: usize,
}

impl SpoolFile for SimFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (bytes, failed) = match self.disk.to_change(|faults| faults.write) {
            Ok(state) if state.faults.full => {
                (&bytes[..bytes.len() / 2], Some(ErrorKind::StorageFull.into()))
            }
            Ok(_) => (bytes, None),
            Err(error) => (&bytes[..bytes.len() / 2], Some(error)),
        };
        let mut state = self.disk.state();
        if !state.dead && !state.faults.read_only {
            let inode = &mut state.inodes[self.inode];
            inode.dirty.push((inode.cached.len(), bytes.len()));
            inode.cached.extend_from_slice(bytes);
        }
        failed.map_or(Ok(()), Err)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let failed = self.disk.to_change(|faults| faults.sync).err();
        let mut state = self.disk.state();
        let state = &mut *state;
        if state.dead {
            return Err(io::Error::other("injected: the process is dead"));
        }
        let inode = &mut state.inodes[self.inode];
        match failed {
            None => {
                inode.sync();
                Ok(())
            }
            Some(error) => {
                inode.tear(&state.dice);
                Err(error)
            }
        }
    }
}
