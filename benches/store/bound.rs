//! The plain lower bound: what nobody who compresses, encrypts and syncs can do without.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};

/// One thread, one file; zstd 3, AES-256-GCM, and for each group one write and one fsync. No keys of
/// their own, no checksums, no index, no rows, nobody to answer, no upload.
pub(crate) struct Bound {
    file: File,
    zstd: zstd::bulk::Compressor<'static>,
    cipher: Aes256Gcm,
    buffer: Vec<u8>,
}

impl Bound {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            file: File::create(dir.join("plain")).expect("a file"),
            zstd: zstd::bulk::Compressor::new(3).expect("level 3 exists"),
            cipher: Aes256Gcm::new(&[9; 32].into()),
            buffer: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, body: &[u8]) {
        let frame = self.zstd.compress(body).expect("compresses");
        let nonce = Nonce::from([1; 12]);
        self.buffer.extend(self.cipher.encrypt(&nonce, &frame[..]).expect("encrypts"));
    }

    pub(crate) fn sync(&mut self) {
        self.file.write_all(&self.buffer).expect("writes");
        self.file.sync_data().expect("syncs");
        self.buffer.clear();
    }
}
