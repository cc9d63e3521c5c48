//! What is done with the files that an earlier life of the spool left, and with files that fail.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use oubliette_keytree::{AccountTag, LeafAddress};

use super::disk::{Disk, FolderLock};
use super::state::{Phase, State, file_path, parse_file_name};
use crate::error::{StoreError, StoreErrorKind};
use crate::fs::unique_name;
use crate::key::ObjectKey;
use crate::segment::{HEADER_LEN, IndexEntry, Location, SegmentIndex, scan};

const DAMAGED: &str = "damaged";
const LOCK: &str = "lock";

/// What [`Spool::open`](super::Spool::open) found in the folder.
///
/// Every record here is readable and will be uploaded. Some may never have been acknowledged: a
/// process may die between writing and answering.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Recovered {
    /// The segments that were not uploaded yet.
    pub segments: Vec<RecoveredSegment>,
    /// Bytes of torn tails that were cut off: appends nobody was told of.
    pub torn_bytes: u64,
    /// Files that were not as they had been written.
    pub damaged: Vec<DamagedFile>,
}

/// A segment that an earlier life of the spool left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredSegment {
    /// Its key.
    pub object_key: ObjectKey,
    /// Its whole records.
    pub entries: Vec<IndexEntry>,
}

/// A record that an earlier life of the spool left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveredRecord {
    /// Where it lies.
    pub location: Location,
    /// The account whose body it is, as the record's header claims.
    pub account: AccountTag,
    /// The leaf whose key opens it, as the record's header claims.
    pub address: LeafAddress,
}

/// A file that was not as it had been written. It is kept for good; its whole records go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedFile {
    /// Where it is kept now.
    pub path: PathBuf,
    /// The segment it was.
    pub object_key: ObjectKey,
    /// How many whole records were found in it.
    pub whole_records: usize,
}

impl Recovered {
    /// All records of all segments, oldest segment first.
    pub fn records(&self) -> impl Iterator<Item = RecoveredRecord> + '_ {
        self.segments.iter().flat_map(|segment| {
            segment.entries.iter().map(|entry| RecoveredRecord {
                location: entry.location(segment.object_key),
                account: entry.account,
                address: entry.address,
            })
        })
    }
}

/// What a file has become.
pub(super) struct Restored {
    /// Size and records of the finished segment; `None` if there was no whole record.
    pub(super) segment: Option<(u64, Vec<IndexEntry>)>,
    pub(super) torn_bytes: u64,
    pub(super) damaged: Option<DamagedFile>,
}

/// Makes the folder and locks it for this process.
pub(super) fn take_folder(disk: &dyn Disk, dir: &Path) -> Result<FolderLock, StoreError> {
    let unusable = |error| {
        StoreError::new(
            StoreErrorKind::Configuration,
            format!(
                "the spool folder {} cannot be used: check its path and permissions",
                dir.display()
            ),
        )
        .with_source(error)
    };
    disk.make_folder(&dir.join(DAMAGED)).map_err(unusable)?;
    disk.lock(&dir.join(LOCK)).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => StoreError::new(
            StoreErrorKind::Configuration,
            format!(
                "the spool folder {} is used by another process: stop it, or use another folder",
                dir.display()
            ),
        ),
        _ => unusable(error),
    })
}

/// Goes through the folder: finishes what was open, verifies what was finished.
pub(super) fn recover(disk: &dyn Disk, dir: &Path) -> Result<(State, Recovered), StoreError> {
    let unreadable = |error| StoreError::disk("the spool folder cannot be read", error);
    // An earlier life may have been killed between a rename and its sync. What is removed below on
    // the strength of a name must not come before that name on the disk.
    disk.sync_folder(dir).map_err(unreadable)?;
    let mut open = BTreeMap::new();
    let mut sealed = BTreeMap::new();
    for name in disk.names(dir).map_err(unreadable)? {
        if Path::new(&name).extension() == Some(OsStr::new("tmp")) {
            // A copy that was not finished; what it was copied from is still there.
            disk.remove(&dir.join(&name)).map_err(unreadable)?;
            continue;
        }
        match name.to_str().and_then(parse_file_name) {
            Some((key, "open")) => open.insert(key, ()),
            Some((key, "seg")) => sealed.insert(key, ()),
            _ => None, // not ours: left alone
        };
    }

    let mut state = State::default();
    let mut recovered = Recovered::default();
    for (key, ()) in sealed {
        let path = file_path(dir, key, "seg");
        let size = disk.size(&path).map_err(unreadable)?;
        match verify(disk, &path, key).map_err(unreadable)? {
            Some(entries) => {
                if open.remove(&key).is_some() {
                    // It was finished as a copy, and the process died before it removed this.
                    disk.remove(&file_path(dir, key, "open")).map_err(unreadable)?;
                }
                state.insert(key, Phase::Sealed { uploading: false }, size);
                recovered.segments.push(RecoveredSegment { object_key: key, entries });
            }
            None if open.contains_key(&key) => {
                // The original of the copy is still there and is better than the copy.
                recovered.damaged.push(set_aside(disk, dir, &path, key, 0).map_err(unreadable)?);
            }
            None => take_in(disk, dir, key, "seg", size, &mut state, &mut recovered),
        }
    }
    for (key, ()) in open {
        let size = disk.size(&file_path(dir, key, "open")).map_err(unreadable)?;
        take_in(disk, dir, key, "open", size, &mut state, &mut recovered);
    }
    recovered.segments.sort_by_key(|segment| segment.object_key.segment());
    state.damaged = recovered.damaged.len() as u64;
    Ok((state, recovered))
}

/// Restores one file at start. If that fails, as on a full disk, the file stays and is tried again
/// while the spool runs: a sidecar that does not start helps nobody.
fn take_in(
    disk: &dyn Disk,
    dir: &Path,
    key: ObjectKey,
    extension: &str,
    size: u64,
    state: &mut State,
    recovered: &mut Recovered,
) {
    match restore(disk, dir, key, extension, None) {
        Ok(restored) => {
            recovered.torn_bytes += restored.torn_bytes;
            recovered.damaged.extend(restored.damaged);
            if let Some((size, entries)) = restored.segment {
                state.insert(key, Phase::Sealed { uploading: false }, size);
                recovered.segments.push(RecoveredSegment { object_key: key, entries });
            }
        }
        Err(error) => {
            tracing::warn!(%key, %error, "a spool file cannot be restored yet");
            let phase = match extension {
                "open" => Phase::SetAside { good: None },
                _ => Phase::Sealed { uploading: false },
            };
            state.insert(key, phase, size);
            if let Ok(bytes) = disk.read(&file_path(dir, key, extension)) {
                let entries = scan(&bytes, key).entries;
                recovered.segments.push(RecoveredSegment { object_key: key, entries });
            }
        }
    }
}

/// Finishes a file from its whole records, in a fresh copy, and removes or keeps the original.
///
/// A copy, because a file whose fsync failed cannot be trusted again: the kernel may have dropped
/// what it could not write and taken the pages for clean. `good` is the length up to which
/// the file was acknowledged, where that is known.
pub(super) fn restore(
    disk: &dyn Disk,
    dir: &Path,
    key: ObjectKey,
    extension: &str,
    good: Option<u64>,
) -> Result<Restored, StoreError> {
    let failed = |error| StoreError::disk("a spool file cannot be restored", error);
    let path = file_path(dir, key, extension);
    let mut bytes = match disk.read(&path) {
        // An earlier try came as far as the copy, or found nothing worth one.
        Err(error) if error.kind() == io::ErrorKind::NotFound && extension == "open" => {
            return restored_before(disk, dir, key).map_err(failed);
        }
        read => read.map_err(failed)?,
    };
    let len = bytes.len();
    bytes.truncate(good.and_then(|good| usize::try_from(good).ok()).unwrap_or(len));
    let was_sealed = extension == "seg";
    let found = scan(&bytes, key);
    let whole_records = found.entries.len() + found.unknown;
    // A file that broke off in its header, before any record, is torn and not damaged.
    let is_damaged = was_sealed
        || found.gap_bytes > 0
        || (!found.header_is_good && (whole_records > 0 || bytes.len() > HEADER_LEN));

    let finished = (whole_records > 0).then(|| found.finish(&bytes, key, was_sealed));
    let mut damaged = None;
    if is_damaged && was_sealed {
        // Out of the way first, as the finished copy takes its name.
        damaged = Some(copy_aside(disk, dir, &path, key, whole_records).map_err(failed)?);
    }
    if let Some(segment) = &finished {
        disk.write_durably(dir, &file_path(dir, key, "seg"), segment).map_err(failed)?;
    }
    let mut clear = || {
        if is_damaged && !was_sealed {
            damaged = Some(set_aside(disk, dir, &path, key, whole_records)?);
        } else if !was_sealed || finished.is_none() {
            disk.remove(&path)?;
        }
        disk.sync_folder(dir)
    };
    match clear() {
        // The copy is there, and that is where the records are from now on.
        Err(error) if finished.is_some() => {
            tracing::warn!(%key, %error, "what a spool file was restored from stays for now");
        }
        cleared => cleared.map_err(failed)?,
    }
    if let Some(damaged) = &damaged {
        tracing::error!(%key, path = %damaged.path.display(), whole_records, "a spool file is damaged");
    }
    let torn = if is_damaged { 0 } else { len - found.end };
    Ok(Restored {
        segment: finished.map(|segment| (segment.len() as u64, found.entries)),
        torn_bytes: torn as u64,
        damaged,
    })
}

/// What is there in place of an original that is not there any more.
fn restored_before(disk: &dyn Disk, dir: &Path, key: ObjectKey) -> io::Result<Restored> {
    let path = file_path(dir, key, "seg");
    let segment = match verify(disk, &path, key) {
        Ok(Some(entries)) => Some((disk.size(&path)?, entries)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => None,
    };
    Ok(Restored { segment, torn_bytes: 0, damaged: None })
}

/// The records of a finished file, if every byte is as it was written.
fn verify(disk: &dyn Disk, path: &Path, key: ObjectKey) -> io::Result<Option<Vec<IndexEntry>>> {
    let bytes = disk.read(path)?;
    let index = SegmentIndex::parse(&bytes).ok().filter(|index| index.object_key() == key);
    Ok(index.map(SegmentIndex::into_entries))
}

/// Moves a file to `damaged/`, under a name that is not taken.
fn set_aside(
    disk: &dyn Disk,
    dir: &Path,
    path: &Path,
    key: ObjectKey,
    whole_records: usize,
) -> io::Result<DamagedFile> {
    let kept = damaged_path(dir, path)?;
    disk.rename(path, &kept)?;
    disk.sync_folder(&dir.join(DAMAGED))?;
    disk.sync_folder(dir)?;
    Ok(DamagedFile { path: kept, object_key: key, whole_records })
}

/// Links a file into `damaged/`, so that it is at no moment without a name.
fn copy_aside(
    disk: &dyn Disk,
    dir: &Path,
    path: &Path,
    key: ObjectKey,
    whole_records: usize,
) -> io::Result<DamagedFile> {
    let kept = damaged_path(dir, path)?;
    disk.link(path, &kept)?;
    disk.sync_folder(&dir.join(DAMAGED))?;
    Ok(DamagedFile { path: kept, object_key: key, whole_records })
}

fn damaged_path(dir: &Path, path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or("file");
    let unique = unique_name("kept")?;
    Ok(dir.join(DAMAGED).join(format!("{name}.{}", unique.display())))
}
