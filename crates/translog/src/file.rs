//! The leaves on disk: one file, appended in batches.
//!
//! ```text
//! file  = magic (8) ‖ batch*
//! batch = length of payload (4) ‖ CRC-32C of length and payload (4) ‖ payload
//! payload = generation (8) ‖ (length (2) ‖ leaf)*
//! ```
//!
//! Integers are big-endian. A batch that is not whole is a torn tail if nothing follows it; it was never
//! in force, because whoever wrote it waits for the disk before destroying a key.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

pub(crate) const MAGIC: &[u8; 8] = b"OUBLLOG1";

/// One batch as it was read.
pub(crate) struct Batch {
    pub(crate) generation: u64,
    pub(crate) leaves: Vec<Vec<u8>>,
    /// Where it begins and where it ends.
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Opens the file, makes it if need be, and reads what is whole. What follows that is cut off later, by
/// the next append.
pub(crate) fn open(path: &Path) -> io::Result<(File, Vec<Batch>)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if bytes.len() < MAGIC.len() {
        // A first start, or one that was cut short.
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(MAGIC)?;
        file.sync_all()?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        return Ok((file, Vec::new()));
    }
    if !bytes.starts_with(MAGIC) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file is no log of this release",
        ));
    }
    Ok((file, batches(&bytes)))
}

fn batches(bytes: &[u8]) -> Vec<Batch> {
    let mut found = Vec::new();
    let mut at = MAGIC.len();
    while let Some(batch) = batch_at(bytes, at) {
        at = usize::try_from(batch.end).expect("an index into memory");
        found.push(batch);
    }
    found
}

fn batch_at(bytes: &[u8], at: usize) -> Option<Batch> {
    let (header, rest) = bytes.get(at..)?.split_first_chunk::<8>()?;
    let len = usize::try_from(u32::from_be_bytes(*header.first_chunk()?)).ok()?;
    let payload = rest.get(..len)?;
    if crc(&header[..4], payload).to_be_bytes() != header[4..] {
        return None;
    }
    let (generation, mut rest) = payload.split_first_chunk::<8>()?;
    let mut leaves = Vec::new();
    while !rest.is_empty() {
        let (len, more) = rest.split_first_chunk::<2>()?;
        let (leaf, more) = more.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        leaves.push(leaf.to_vec());
        rest = more;
    }
    let generation = u64::from_be_bytes(*generation);
    Some(Batch { generation, leaves, start: at as u64, end: (at + 8 + len) as u64 })
}

/// Appends a batch at `end`, whatever lies there, and waits for the disk. Gives the new end.
///
/// # Errors
/// If it is not certain that the batch is durable; then `end` still is the end.
pub(crate) fn append(
    file: &File,
    end: u64,
    generation: u64,
    leaves: &[Vec<u8>],
) -> io::Result<u64> {
    let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "a leaf or a batch is too long");
    let mut payload = generation.to_be_bytes().to_vec();
    for leaf in leaves {
        payload.extend(u16::try_from(leaf.len()).map_err(too_long)?.to_be_bytes());
        payload.extend_from_slice(leaf);
    }
    let len = u32::try_from(payload.len()).map_err(too_long)?.to_be_bytes();
    let mut batch = len.to_vec();
    batch.extend(crc(&len, &payload).to_be_bytes());
    batch.extend(payload);
    file.set_len(end)?;
    file.write_all_at(&batch, end)?;
    file.sync_data()?;
    Ok(end + batch.len() as u64)
}

fn crc(len: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(len), payload)
}
