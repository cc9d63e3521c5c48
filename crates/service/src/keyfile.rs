//! Keys of 32 bytes in files that only their owner may read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{Result, ServiceError};

/// Reads a key file; `None` if there is none. `what` names it in errors.
pub(crate) fn load(path: &Path, what: &str) -> Result<Option<Zeroizing<[u8; 32]>>> {
    let unreadable = |cause: io::Error| {
        ServiceError::configuration(format!(
            "{what} {} cannot be read: check its path and permissions",
            path.display()
        ))
        .with_source(cause)
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(unreadable(cause)),
    };
    if is_readable_by_others(&file).map_err(unreadable)? {
        return Err(ServiceError::configuration(format!(
            "{what} {}: others than its owner may read it; run chmod 600 on it",
            path.display()
        )));
    }
    // One byte more than fits, to notice a file that is too long.
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    file.take(33).read_to_end(&mut bytes).map_err(unreadable)?;
    let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| {
        ServiceError::configuration(format!(
            "{what} {} is not 32 bytes long: put the right file back",
            path.display()
        ))
    })?;
    Ok(Some(Zeroizing::new(*bytes)))
}

/// Reads the PIN of a token: a file of one line that only its owner may read.
#[cfg(feature = "pkcs11")]
pub(crate) fn load_pin(path: &Path) -> Result<Zeroizing<String>> {
    let unusable =
        |why: &str| ServiceError::configuration(format!("root.pin_file {}: {why}", path.display()));
    let unreadable = |cause: io::Error| {
        unusable("cannot be read: check its path and permissions").with_source(cause)
    };
    let file = File::open(path).map_err(unreadable)?;
    if is_readable_by_others(&file).map_err(unreadable)? {
        return Err(unusable("others than its owner may read it; run chmod 600 on it"));
    }
    let mut text = Zeroizing::new(String::with_capacity(2 * MOST_PIN));
    file.take(MOST_PIN as u64).read_to_string(&mut text).map_err(unreadable)?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Longer than any PIN.
#[cfg(feature = "pkcs11")]
const MOST_PIN: usize = 1024;

/// Makes a new key and its file.
pub(crate) fn create(path: &Path, what: &str) -> Result<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(ServiceError::no_randomness)?;
    write_new(path, bytes.as_slice()).map_err(|cause| {
        ServiceError::configuration(format!(
            "{what} {} cannot be created: check that its folder belongs to this user",
            path.display()
        ))
        .with_source(cause)
    })?;
    Ok(bytes)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Beside it first: a crash must not leave half a key, which would be refused at every start.
    let half = path.with_extension("new");
    let _ = std::fs::remove_file(&half); // of an earlier crash
    let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // A link, not a rename: an existing key is never replaced.
    std::fs::hard_link(&half, path)?;
    std::fs::remove_file(&half)?;
    File::open(folder)?.sync_all()
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn is_readable_by_others(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::mode(&file.metadata()?) & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_: &File) -> io::Result<bool> {
    Ok(false)
}
