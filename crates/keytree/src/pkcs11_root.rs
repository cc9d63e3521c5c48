//! The root key under a key of a security module, a fresh one for each generation.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11};
use cryptoki::error::{Error as ModuleError, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use crate::error::{KeyTreeError, KeyTreeErrorKind};
use crate::file_root::{beside, private, sync_folder, take_place};
use crate::key::RootKey;
use crate::page::Generation;
use crate::root::{Root, RootStore, crash_point, place_of};

/// Keeps the root key in a small file, wrapped by an AES key that never leaves a PKCS#11 token. Each
/// generation has a wrapping key of its own, and the one before is destroyed.
///
/// This is not a root behind a key service: there, one wrapping key lives on and opens every old copy of the
/// file. Here a copy of the file is worth nothing once its wrapping key is destroyed.
///
/// # What its erasure is worth
///
/// What `C_DestroyObject` is worth in the token: a certified module zeroises the key in its own memory, and
/// no snapshot, backup or worn flash of the host ever held it. Keep wrapping keys out of the module's own
/// backups and clusters: a module that replicates its objects forgets only when all replicas have. A
/// *software* token such as SoftHSM keeps its objects in files, and its erasure is worth what deleting files
/// is worth there; it is for tests.
///
/// Losing the token, or the file, is losing the root: everything is forgotten early.
///
/// # Crashes
///
/// The new wrapping key is made, the root wrapped and written beside the file (`.new`); the rename puts it in
/// force; then the old wrapping key is destroyed. Whatever a crash leaves in the token is destroyed when the
/// store is next opened: every key with our label that the file does not name.
///
/// # Two processes
///
/// A lock beside the file refuses a second process on this machine. The token's label is the caller's to
/// keep unique: two stores on one token with one label would destroy each other's keys.
pub struct Pkcs11RootStore {
    path: PathBuf,
    folder: PathBuf,
    label: Vec<u8>,
    session: Mutex<Session>,
    /// Held as long as the store lives.
    _lock: File,
}

/// Where the token is.
#[derive(Debug)]
pub struct Pkcs11Settings {
    /// The vendor's library, a shared object.
    pub module: PathBuf,
    /// The label of the token.
    pub token: String,
    /// The label our wrapping keys get in the token.
    pub key_label: String,
}

impl Pkcs11RootStore {
    /// Opens the token and takes the file at `path` for this process, whether it exists yet or not.
    ///
    /// # Errors
    ///
    /// [`Locked`](KeyTreeErrorKind::Locked) if another process has it,
    /// [`Storage`](KeyTreeErrorKind::Storage) if file or token cannot be used.
    pub fn open(
        path: impl Into<PathBuf>,
        settings: &Pkcs11Settings,
        pin: &str,
    ) -> Result<Self, KeyTreeError> {
        let (path, folder, lock) = take_place(path.into())?;
        let session = log_in(settings, pin).map_err(|cause| {
            KeyTreeError::new(
                KeyTreeErrorKind::Storage,
                format!(
                    "the token {:?} cannot be used: check module, label and PIN",
                    settings.token
                ),
            )
            .with_source(cause)
        })?;
        let store = Self {
            path,
            folder,
            label: settings.key_label.clone().into_bytes(),
            session: Mutex::new(session),
            _lock: lock,
        };
        store.destroy_leftovers()?;
        Ok(store)
    }

    /// How many wrapping keys the token holds: one, once there is a root.
    ///
    /// # Errors
    ///
    /// If the token does not answer.
    pub fn wrapping_keys(&self) -> Result<usize, KeyTreeError> {
        self.keys(&self.session(), None).map(|keys| keys.len()).map_err(|cause| self.failed(cause))
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, cause: impl std::error::Error + Send + Sync + 'static) -> KeyTreeError {
        let message = format!("root {} and its token cannot be used", self.path.display());
        KeyTreeError::new(KeyTreeErrorKind::Storage, message).with_source(cause)
    }

    fn keys(&self, session: &Session, id: Option<&[u8]>) -> Result<Vec<ObjectHandle>, ModuleError> {
        let mut template = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::Token(true),
            Attribute::Label(self.label.clone()),
        ];
        template.extend(id.map(|id| Attribute::Id(id.to_vec())));
        session.find_objects(&template)
    }

    /// Destroys every wrapping key that the file does not name.
    fn destroy_leftovers(&self) -> Result<(), KeyTreeError> {
        let _ = fs::remove_file(beside(&self.path, ".new")); // wrapped, so it needs no overwriting
        let session = self.session();
        let kept = match read(&self.path).map_err(|cause| self.failed(cause))? {
            Some(bytes) => {
                let wrapped = Wrapped::decode(&bytes).ok_or_else(|| self.damaged())?;
                self.keys(&session, Some(&wrapped.id)).map_err(|cause| self.failed(cause))?
            }
            // The file was taken away, and may come back: its key is not ours to destroy yet.
            None => return Ok(()),
        };
        if kept.is_empty() {
            // An old copy of the file, say. The key of the true one must not go for it.
            return Err(self.damaged());
        }
        for key in self.keys(&session, None).map_err(|cause| self.failed(cause))? {
            if !kept.contains(&key) {
                session.destroy_object(key).map_err(|cause| self.failed(cause))?;
            }
        }
        Ok(())
    }

    /// Makes a wrapping key, wraps the root and writes it beside the file.
    fn prepare(&self, root: &Root) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut random = [0; 28];
        getrandom::fill(&mut random)?;
        let (id, mut nonce) = ([0; 16], [0; 12]);
        let mut wrapped = Wrapped { generation: root.generation(), id, nonce, sealed: [0; 48] };
        wrapped.id.copy_from_slice(&random[..16]);
        nonce.copy_from_slice(&random[16..]);
        wrapped.nonce = nonce;
        let session = self.session();
        let key = session.generate_key(
            &Mechanism::AesKeyGen,
            &[
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::KeyType(KeyType::AES),
                Attribute::ValueLen(32.into()),
                Attribute::Encrypt(true),
                Attribute::Decrypt(true),
                Attribute::Label(self.label.clone()),
                Attribute::Id(wrapped.id.to_vec()),
            ],
        )?;
        crash_point();
        let associated = wrapped.associated_data();
        let params = GcmParams::new(&mut nonce, &associated, 128.into())?;
        let sealed =
            session.encrypt(&Mechanism::AesGcm(params), key, root.key().expose_secret())?;
        wrapped.sealed =
            sealed.try_into().map_err(|_| "the token gave a ciphertext of no known length")?;
        let new = beside(&self.path, ".new");
        let _ = fs::remove_file(&new);
        let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&new)?;
        file.write_all(&wrapped.encode())?;
        file.sync_all()?;
        Ok(())
    }

    fn damaged(&self) -> KeyTreeError {
        KeyTreeError::damaged(format!(
            "root {} is damaged, or its wrapping key is gone from the token; without it no body stored \
             so far can be opened",
            self.path.display()
        ))
    }

    /// Puts what was prepared in force.
    fn switch(&self) -> io::Result<()> {
        fs::rename(beside(&self.path, ".new"), &self.path)?;
        crash_point();
        sync_folder(&self.folder)
    }
}

impl RootStore for Pkcs11RootStore {
    fn load(&self) -> Result<Option<Root>, KeyTreeError> {
        let Some(bytes) = read(&self.path).map_err(|cause| self.failed(cause))? else {
            return Ok(None);
        };
        let wrapped = Wrapped::decode(&bytes).ok_or_else(|| self.damaged())?;
        let session = self.session();
        let keys = self.keys(&session, Some(&wrapped.id)).map_err(|cause| self.failed(cause))?;
        let [key] = keys.as_slice() else { return Err(self.damaged()) };
        let mut nonce = wrapped.nonce;
        let associated = wrapped.associated_data();
        let params = GcmParams::new(&mut nonce, &associated, 128.into())
            .map_err(|cause| self.failed(cause))?;
        let opened = session.decrypt(&Mechanism::AesGcm(params), *key, &wrapped.sealed);
        let opened = Zeroizing::new(opened.map_err(|cause| self.damaged().with_source(cause))?);
        let key = <&[u8; 32]>::try_from(opened.as_slice()).map_err(|_| self.damaged())?;
        Ok(Some(Root::new(wrapped.generation, RootKey::from_bytes(key))))
    }

    fn create(&self, root: &Root) -> Result<(), KeyTreeError> {
        if self.load()?.is_some() {
            return Err(KeyTreeError::new(
                KeyTreeErrorKind::Storage,
                format!("root {} exists already", self.path.display()),
            ));
        }
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
            let message = format!("root {} cannot be created", self.path.display());
            KeyTreeError::new(KeyTreeErrorKind::Storage, message).with_source(cause)
        };
        self.prepare(root).map_err(failed)?;
        self.switch().map_err(|cause| failed(cause.into()))?;
        self.destroy_leftovers()
    }

    fn replace(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        place_of(old, self.load().map(|found| found.map(|root| ((), root))))?;
        self.prepare(root).map_err(|cause| {
            // If this fails as well, the next attempt or the next start does it.
            let _ = self.destroy_leftovers();
            KeyTreeError::new(
                KeyTreeErrorKind::Retry,
                format!("root {} could not be replaced", self.path.display()),
            )
            .with_source(cause)
        })?;
        crash_point();
        // From the rename on it may be in force.
        self.switch().map_err(|cause| self.failed(cause))?;
        crash_point();
        self.destroy_leftovers()
    }
}

impl fmt::Debug for Pkcs11RootStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pkcs11RootStore({})", self.path.display())
    }
}

/// ```text
/// magic (8) ‖ version (1) ‖ generation (8, big-endian) ‖ key id (16) ‖ nonce (12) ‖ root key, AES-256-GCM (48)
/// ```
/// Everything before the nonce is associated data.
struct Wrapped {
    generation: Generation,
    id: [u8; 16],
    nonce: [u8; 12],
    sealed: [u8; 48],
}

impl Wrapped {
    fn associated_data(&self) -> Vec<u8> {
        let mut data = MAGIC.to_vec();
        data.push(VERSION);
        data.extend(self.generation.number().to_be_bytes());
        data.extend(self.id);
        data
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.associated_data();
        bytes.extend(self.nonce);
        bytes.extend(self.sealed);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?.strip_prefix(&[VERSION])?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let generation = Generation::new(u64::from_be_bytes(*generation));
        Some(Self { generation, id: *id, nonce: *nonce, sealed: rest.try_into().ok()? })
    }
}

const MAGIC: &[u8; 8] = b"OUBLRP11";
const VERSION: u8 = 1;
const FILE_LEN: usize = 8 + 1 + 8 + 16 + 12 + 48;

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match File::open(path) {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(FILE_LEN as u64 + 1).read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

fn log_in(
    settings: &Pkcs11Settings,
    pin: &str,
) -> Result<Session, Box<dyn std::error::Error + Send + Sync>> {
    let module = Pkcs11::new(&settings.module)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // Another store of this process was first.
        Ok(())
        | Err(ModuleError::Pkcs11(RvError::CryptokiAlreadyInitialized, Function::Initialize)) => {}
        Err(cause) => return Err(cause.into()),
    }
    for slot in module.get_slots_with_token()? {
        if module.get_token_info(slot)?.label() == settings.token {
            let session = module.open_rw_session(slot)?;
            match session.login(UserType::User, Some(&AuthPin::new(pin.into()))) {
                Ok(())
                | Err(ModuleError::Pkcs11(RvError::UserAlreadyLoggedIn, Function::Login)) => {}
                Err(cause) => return Err(cause.into()),
            }
            return Ok(session);
        }
    }
    Err("there is no token of this label".into())
}
