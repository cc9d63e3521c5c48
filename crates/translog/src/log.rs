//! The log of one process.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::Error as TlogError;
use tlog_tiles::{
    Checkpoint, Hash, HashReader, Tile, check_tree, prove_record, prove_tree, record_hash,
    stored_hashes, tree_hash,
};

use crate::error::{LogError, LogErrorKind};
use crate::file::{self, Batch};
use crate::key::LogKey;

/// A Merkle log in a folder of its own.
///
/// One process at a time; whoever holds the root key's lock. Memory: 80 bytes a leaf. Opening reads and
/// hashes all leaves.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    file: File,
    key: LogKey,
    /// The end of what is in force.
    end: u64,
    /// Written, and not in force.
    prepared: Option<Prepared>,
    /// Whether the file may hold something beyond the end.
    has_tail: bool,
    /// Where each leaf lies in the file.
    places: Vec<(u64, u16)>,
    hashes: Hashes,
    /// The signed head.
    checkpoint: String,
}

/// A batch that waits for its generation.
#[derive(Debug)]
struct Prepared {
    generation: u64,
    end: u64,
    leaves: Vec<Vec<u8>>,
}

/// Where a leaf stands in the log, and what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// Its place, from 0.
    pub index: u64,
    /// The hashes beside its path, from the leaf up, in base64 (RFC 6962, section 2.1.1).
    pub proof: Vec<String>,
    /// The signed head of the log.
    pub checkpoint: String,
}

impl Log {
    /// Opens the log in a folder, or begins one.
    ///
    /// `generation` is that of the root key in force: a last batch that was written for a later one is
    /// not in force and is dropped.
    ///
    /// # Errors
    ///
    /// [`Storage`](LogErrorKind::Storage) if the folder cannot be used;
    /// [`Damaged`](LogErrorKind::Damaged) if leaves that were signed are missing or another root key
    /// belongs to the log. Nothing is changed then.
    pub fn open(
        folder: impl Into<PathBuf>,
        key: LogKey,
        generation: u64,
    ) -> Result<Self, LogError> {
        let folder = folder.into();
        let failed = |cause: io::Error| {
            let kind = match cause.kind() {
                io::ErrorKind::InvalidData => LogErrorKind::Damaged,
                _ => LogErrorKind::Storage,
            };
            let message = format!("the log in {} cannot be used", folder.display());
            LogError::new(kind, message).with_source(cause)
        };
        fs::create_dir_all(&folder).map_err(failed)?;
        let (file, mut batches) = file::open(&folder.join(LEAVES)).map_err(failed)?;
        if batches.last().is_some_and(|last| last.generation > generation) {
            batches.pop();
        }
        if batches.iter().any(|batch| batch.generation > generation) {
            return Err(LogError::damaged(format!(
                "the log in {} is of a later time than the root key: put the newest root back, or \
                 move the log away to begin a new one",
                folder.display()
            )));
        }
        let mut log = Self {
            file,
            key,
            end: file::MAGIC.len() as u64,
            prepared: None,
            has_tail: true,
            places: Vec::new(),
            hashes: Hashes::default(),
            checkpoint: String::new(),
            folder,
        };
        for Batch { leaves, start, end, .. } in batches {
            log.take(start, &leaves)?;
            log.end = end;
        }
        log.check_signed_before()?;
        // Before anything else may reach the generation that a dropped batch was written for.
        log.cut_tail()?;
        log.sign()?;
        Ok(log)
    }

    /// Writes leaves durably, to be put in force by [`commit`](Self::commit) or by a root key of
    /// `generation`. What was prepared before and not put in force is dropped. To be called for each
    /// generation, also without leaves: what was prepared for an attempt that failed must not count
    /// when another reaches its generation.
    ///
    /// # Errors
    ///
    /// [`Storage`](LogErrorKind::Storage); the log is as it was.
    pub fn prepare(&mut self, generation: u64, leaves: &[Vec<u8>]) -> Result<(), LogError> {
        self.prepared = None;
        if leaves.is_empty() {
            return self.cut_tail();
        }
        self.has_tail = true;
        let end = file::append(&self.file, self.end, generation, leaves).map_err(|cause| {
            LogError::new(LogErrorKind::Storage, "the log of deletions could not be written")
                .with_source(cause)
        })?;
        self.prepared = Some(Prepared { generation, end, leaves: leaves.to_vec() });
        Ok(())
    }

    /// Puts in force what was prepared for this generation, now that it is reached, and signs the new
    /// head. Gives the places of the leaves. What was prepared for another one stays out of force.
    ///
    /// # Errors
    ///
    /// [`Damaged`](LogErrorKind::Damaged) only if the arithmetic of the tree fails, which is a bug.
    pub fn commit(&mut self, generation: u64) -> Result<Range<u64>, LogError> {
        let before = self.size();
        if let Some(prepared) = self.prepared.take_if(|it| it.generation == generation) {
            self.take(self.end, &prepared.leaves)?;
            self.end = prepared.end;
            self.has_tail = false;
            self.sign()?;
        }
        Ok(before..self.size())
    }

    /// How many leaves are in force.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.places.len() as u64
    }

    /// The signed head.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// The key that signs.
    #[must_use]
    pub fn key(&self) -> &LogKey {
        &self.key
    }

    /// The bytes of one leaf.
    ///
    /// # Errors
    ///
    /// [`Storage`](LogErrorKind::Storage), or [`Invalid`](LogErrorKind::Invalid) if there is no such leaf.
    pub fn leaf(&self, index: u64) -> Result<Vec<u8>, LogError> {
        let place = usize::try_from(index).ok().and_then(|index| self.places.get(index));
        let (offset, len) = *place.ok_or_else(|| LogError::invalid("the log has no such leaf"))?;
        let mut leaf = vec![0; usize::from(len)];
        self.file.read_exact_at(&mut leaf, offset).map_err(|cause| {
            LogError::new(LogErrorKind::Storage, "the log of deletions cannot be read")
                .with_source(cause)
        })?;
        Ok(leaf)
    }

    /// The proof that a leaf is in the log, under its present head.
    ///
    /// # Errors
    ///
    /// [`Invalid`](LogErrorKind::Invalid) if there is no such leaf.
    pub fn inclusion(&self, index: u64) -> Result<Inclusion, LogError> {
        let proof = prove_record(self.size(), index, &self.hashes)
            .map_err(|cause| LogError::invalid("the log has no such leaf").with_source(cause))?;
        let proof = proof.iter().map(|hash| STANDARD.encode(hash.0)).collect();
        Ok(Inclusion { index, proof, checkpoint: self.checkpoint.clone() })
    }

    /// Whether an earlier head, signed by this log's key, is one that this log grew from.
    ///
    /// # Errors
    ///
    /// [`Damaged`](LogErrorKind::Damaged) if it is not: then there are two logs under one key.
    pub fn check_grew_from(&self, earlier: &str) -> Result<u64, LogError> {
        let earlier = self.read_checkpoint(earlier)?;
        if earlier.size() > self.size() {
            return Err(LogError::damaged(format!(
                "the log has been cut back: a head of {} leaves was signed, there are {}",
                earlier.size(),
                self.size()
            )));
        }
        let forked =
            || LogError::damaged("the log is not the one that was signed before: it has forked");
        if earlier.size() > 0 {
            let root = self.root()?;
            let proof = prove_tree(self.size(), earlier.size(), &self.hashes).map_err(bug)?;
            check_tree(&proof, self.size(), root, earlier.size(), *earlier.hash())
                .map_err(|_| forked())?;
        }
        Ok(earlier.size())
    }

    /// Reads all leaves again and compares what they hash to with the signed head.
    ///
    /// # Errors
    ///
    /// [`Damaged`](LogErrorKind::Damaged) if they differ, [`Storage`](LogErrorKind::Storage).
    pub fn check_all(&self) -> Result<(), LogError> {
        let mut hashes = Hashes::default();
        for index in 0..self.size() {
            hashes.push(index, &self.leaf(index)?)?;
        }
        let root = tree_hash(self.size(), &hashes).map_err(bug)?;
        let signed = self.read_checkpoint(&self.checkpoint)?;
        if *signed.hash() == root && signed.size() == self.size() {
            Ok(())
        } else {
            Err(LogError::damaged("the leaves on disk are not those that were signed"))
        }
    }

    /// What is to be published now that was not when the log had `since` leaves: names and bytes, laid
    /// out as C2SP tiles (`tile/<level>/<n>`, `tile/entries/<n>`), the signed head (`checkpoint`) last.
    ///
    /// # Errors
    ///
    /// [`Storage`](LogErrorKind::Storage) if leaves cannot be read.
    pub fn tiles(&self, since: u64) -> Result<Vec<(String, Vec<u8>)>, LogError> {
        let mut files = Vec::new();
        for tile in Tile::new_tiles(TILE_HEIGHT, since, self.size()) {
            files.push((published(&tile), tile.read_data(&self.hashes).map_err(bug)?));
            if tile.level() == 0 {
                let mut entries = tile;
                entries.set_is_data();
                let first = tile.level_index() << TILE_HEIGHT;
                let mut bundle = Vec::new();
                for index in first..first + u64::from(tile.width()) {
                    let leaf = self.leaf(index)?;
                    let len = u16::try_from(leaf.len()).expect("it was written with such a length");
                    bundle.extend(len.to_be_bytes());
                    bundle.extend(leaf);
                }
                files.push((published(&entries), bundle));
            }
        }
        files.push(("checkpoint".to_owned(), self.checkpoint.clone().into_bytes()));
        Ok(files)
    }

    fn cut_tail(&mut self) -> Result<(), LogError> {
        if self.has_tail {
            let cut = self.file.set_len(self.end).and_then(|()| self.file.sync_data());
            cut.map_err(|cause| {
                LogError::new(LogErrorKind::Storage, "the log of deletions could not be written")
                    .with_source(cause)
            })?;
            self.has_tail = false;
        }
        Ok(())
    }

    /// Takes leaves of a batch that begins at `start` into the tree.
    fn take(&mut self, start: u64, leaves: &[Vec<u8>]) -> Result<(), LogError> {
        let mut offset = start + BATCH_HEADER_LEN;
        for leaf in leaves {
            let index = self.size();
            self.hashes.push(index, leaf)?;
            let len = u16::try_from(leaf.len()).expect("it was written with such a length");
            self.places.push((offset + 2, len));
            offset += 2 + u64::from(len);
        }
        Ok(())
    }

    fn root(&self) -> Result<Hash, LogError> {
        tree_hash(self.size(), &self.hashes).map_err(bug)
    }

    fn sign(&mut self) -> Result<(), LogError> {
        let head = Checkpoint::new(self.key.origin(), self.size(), self.root()?, "")
            .expect("a log has a name");
        self.checkpoint = self.key.sign(&head.to_bytes());
        // Kept so that a log that is cut back shows. If it cannot be written now, the next one is.
        let (new, path) = (self.folder.join("checkpoint.new"), self.folder.join(CHECKPOINT));
        let _ = fs::write(&new, &self.checkpoint).and_then(|()| fs::rename(&new, &path));
        Ok(())
    }

    fn check_signed_before(&self) -> Result<(), LogError> {
        match read_text(&self.folder.join(CHECKPOINT)) {
            Some(signed) => self.check_grew_from(&signed).map(drop),
            None => Ok(()),
        }
    }

    fn read_checkpoint(&self, signed: &str) -> Result<Checkpoint, LogError> {
        let foreign = || LogError::damaged("the head of the log is not signed by its key");
        let verifier = StandardVerifier::new(self.key.verifier_key()).map_err(|_| foreign())?;
        let note = Note::from_bytes(signed.as_bytes()).map_err(|_| foreign())?;
        note.verify(&VerifierList::new(vec![Box::new(verifier)])).map_err(|_| foreign())?;
        Checkpoint::from_bytes(note.text()).map_err(|_| foreign())
    }
}

/// The hashes of the tree, in the order in which they come up.
#[derive(Debug, Default)]
struct Hashes(Vec<Hash>);

impl Hashes {
    fn push(&mut self, index: u64, leaf: &[u8]) -> Result<(), LogError> {
        let new = stored_hashes(index, leaf, self).map_err(bug)?;
        debug_assert_eq!(new[0], record_hash(leaf));
        self.0.extend(new);
        Ok(())
    }
}

impl HashReader for Hashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TlogError> {
        let hash =
            |index: &u64| usize::try_from(*index).ok().and_then(|at| self.0.get(at)).copied();
        indexes
            .iter()
            .map(hash)
            .collect::<Option<_>>()
            .ok_or_else(|| TlogError::InvalidInput("a hash that is not there yet".into()))
    }
}

/// A tile's name as C2SP has it. The library names tiles as Go's module mirror does, with their height.
fn published(tile: &Tile) -> String {
    let path = tile.path();
    let rest = path.strip_prefix("tile/8/").expect("tiles are of height 8");
    match rest.strip_prefix("data/") {
        Some(number) => format!("tile/entries/{number}"),
        None => format!("tile/{rest}"),
    }
}

fn read_text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn bug(cause: TlogError) -> LogError {
    LogError::damaged("the arithmetic of the log failed; this is a bug, please report it")
        .with_source(cause)
}

const LEAVES: &str = "leaves";
const CHECKPOINT: &str = "checkpoint";
/// 256 hashes a tile, as C2SP has it.
const TILE_HEIGHT: u8 = 8;
/// Length, checksum and generation.
const BATCH_HEADER_LEN: u64 = 16;

#[cfg(test)]
mod tests;
