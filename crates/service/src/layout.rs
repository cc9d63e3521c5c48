//! Where things lie on disk, and what can be set.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use oubliette_catalog::{AuditEvent, Catalog, MAX_PAGE, SqliteCatalog};
use oubliette_detect::{Limits, Pack};
#[cfg(unix)]
use oubliette_keytree::TpmRootStore;
use oubliette_keytree::{FileRootStore, Generation, KeyTree, KeyTreeError, Root, RootStore};
use oubliette_store::{FileStore, FolderStore, ObjectStore, S3Settings, S3Store, SpoolLimits};
use oubliette_translog::{Log, LogKey};

use serde::Serialize;

use crate::access::Principal;
use crate::clock::{Clock, SystemClock};
use crate::error::{Result, ServiceError};
use crate::keyfile;
use crate::oubliette::Oubliette;
use crate::service_key::ServiceKey;

/// Where the embedded default keeps everything: one folder for data, another for keys.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Holds `catalog.sqlite`, `spool/` and, without S3, `objects/`. Made if need be.
    pub data_dir: PathBuf,
    /// The root key, or what leads to it. Outside the data folder, so that no backup of the one holds the
    /// other.
    pub root_file: PathBuf,
    /// Where the root key itself is.
    pub root: RootLayout,
    /// The service key, made together with the root.
    pub service_key_file: PathBuf,
    /// The key that signs the log of deletions. Made if it is not there and there is no log yet.
    pub log_key_file: PathBuf,
    /// Where segments go.
    pub store: StoreLayout,
    /// The size of the spool.
    pub spool: SpoolLimits,
}

impl Layout {
    /// Data in one folder, keys in another, segments in the data folder.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, keys_dir: impl Into<PathBuf>) -> Self {
        let keys_dir = keys_dir.into();
        Self {
            data_dir: data_dir.into(),
            root_file: keys_dir.join("root.key"),
            root: RootLayout::File,
            service_key_file: keys_dir.join("service.key"),
            log_key_file: keys_dir.join("log.key"),
            store: StoreLayout::Folder(None),
            spool: SpoolLimits::default(),
        }
    }

    /// The catalog's file.
    #[must_use]
    pub fn catalog_file(&self) -> PathBuf {
        self.data_dir.join("catalog.sqlite")
    }

    /// The folder of the log of deletions.
    #[must_use]
    pub fn log_dir(&self) -> PathBuf {
        self.data_dir.join("log")
    }

    /// The spool's folder.
    #[must_use]
    pub fn spool_dir(&self) -> PathBuf {
        self.data_dir.join("spool")
    }
}

/// Where the root key is. Each documents what its erasure is worth.
#[derive(Debug, Clone)]
pub enum RootLayout {
    /// In the root file itself.
    File,
    /// In non-volatile memory of a TPM 2.0; the root file says where and has the password.
    Tpm {
        /// A TPM with a resource manager, or the socket of a simulated one.
        device: PathBuf,
        /// The first of two indices.
        index: u32,
    },
    /// In the root file, wrapped by a key that never leaves a PKCS#11 token. Takes the feature `pkcs11`.
    Pkcs11 {
        /// The vendor's library.
        module: PathBuf,
        /// The label of the token.
        token: String,
        /// The label that wrapping keys get, which nobody else may use on the token.
        key_label: String,
        /// A file with the PIN, for its owner only.
        pin_file: PathBuf,
    },
}

/// Where segments go.
#[derive(Debug, Clone)]
pub enum StoreLayout {
    /// A folder; `None` is `objects/` in the data folder.
    Folder(Option<PathBuf>),
    /// A bucket. Credentials come from the usual AWS chain.
    S3(S3Settings),
}

/// What can be set about the service, apart from what accounts set for themselves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most envelopes that are worked on or wait. Default 256.
    pub queue_captures: usize,
    /// The most bytes of their bodies. Default 256 MiB; a few times that may be in memory.
    pub queue_bytes: usize,
    /// Threads for redaction and sealing; 0 is one for each core.
    pub threads: usize,
    /// Rule packs for all accounts, on top of the standard ones.
    pub packs: Vec<Pack>,
    /// Findings below this score are left alone; `None` is the detector's default.
    pub min_score: Option<f32>,
    /// Limits on accounts' own rules.
    pub rule_limits: Limits,
    /// The time between expiries in the background. Default one minute.
    pub expire_every: Duration,
    /// How far the machine's clock may be ahead of where time was seen last, and of what a steady clock
    /// has counted since, for expiry to believe it. Beyond it expiry goes by the steady clock until an
    /// operator accepts the jump ([`Oubliette::accept_clock`]). Default one day.
    pub most_clock_ahead: Duration,
    /// The shortest time between two sweeps of the store in the background. A sweep lists the whole
    /// store, which a bucket of 100,000 segments answers with 100 requests. Default 15 minutes.
    pub sweep_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_captures: 256,
            queue_bytes: 256 << 20,
            threads: 0,
            packs: Vec::new(),
            min_score: None,
            rule_limits: Limits::default(),
            expire_every: Duration::from_secs(60),
            most_clock_ahead: Duration::from_secs(24 * 60 * 60),
            sweep_every: Duration::from_secs(15 * 60),
        }
    }
}

/// The parts the service is put together from, for those who bring their own.
#[derive(Debug)]
pub struct Components {
    /// The catalog.
    pub catalog: Arc<dyn Catalog>,
    /// The key trees, opened.
    pub tree: KeyTree,
    /// Where segments go.
    pub store: Arc<dyn ObjectStore>,
    /// The log of deletions, opened with the generation of the tree.
    pub log: Log,
    /// Where it is published.
    pub log_store: Arc<dyn FileStore>,
    /// The spool's folder.
    pub spool_dir: PathBuf,
    /// The size of the spool.
    pub spool: SpoolLimits,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The service key.
    pub service_key: ServiceKey,
    /// What can be set.
    pub options: Options,
}

impl Oubliette {
    /// Opens the embedded default: one folder for data, one for keys, the machine's clock. Makes
    /// what is not there, once, at the first start. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// `Configuration`, with the mend, if a folder cannot be used or belongs to another process, a
    /// key is missing beside existing data, keys and catalog are of different times, or the catalog
    /// was written by a newer release.
    pub async fn open(layout: Layout, options: Options) -> Result<Self> {
        Self::start(layout.components(options, Arc::new(SystemClock)).await?).await
    }
}

/// What [`Layout::begin_anew`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BegunAnew {
    /// The generation of the root key that is in force now.
    pub generation: u64,
    /// How many accounts there are, with their settings, and with no body that can be opened.
    pub accounts: u64,
}

impl Layout {
    /// Forgets every body of every account for good, and keeps the rest: accounts and their settings,
    /// tickets, API keys, the audit, the log of deletions. For a root and a catalog that do not belong
    /// together any more, as after a backup of the catalog was put back; [`Oubliette::open`] refuses those
    /// and takes them after this.
    ///
    /// # Errors
    /// `Configuration` if there is no catalog, or another process uses it; `Unavailable`.
    pub async fn begin_anew(self, by: &Principal) -> Result<BegunAnew> {
        by.must_operate()?;
        if !self.catalog_file().is_file() {
            return Err(ServiceError::configuration(format!(
                "there is no catalog {}, so there is nothing to begin anew: name another data folder",
                self.catalog_file().display()
            )));
        }
        let failed = |_| ServiceError::internal("opening the data folder failed");
        let opened = tokio::task::spawn_blocking(move || {
            // Locked first, and until the end.
            let root = self.open_root()?;
            let catalog = SqliteCatalog::open(self.catalog_file())?;
            Ok::<_, ServiceError>((root, catalog))
        });
        let (root, catalog) = opened.await.map_err(failed)??;
        let mut marked = Vec::new();
        let mut cursor = None;
        loop {
            let page = catalog.accounts(cursor, MAX_PAGE).await?;
            let marks = page.items.iter().map(|account| {
                let asked = AuditEvent {
                    at: SystemClock.now_ms(),
                    account: Some(account.id.clone()),
                    actor: by.actor(),
                    action: "keys.begin_anew".to_owned(),
                    subject: account.id.to_string(),
                    detail: serde_json::Value::Null,
                };
                catalog.mark_account_shredded(&account.id, asked)
            });
            // Together, so that they share transactions.
            let shreds = futures::future::try_join_all(marks).await?;
            marked.extend(shreds.into_iter().map(|shred| shred.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let pages = catalog.pages()?;
        let begun = tokio::task::spawn_blocking(move || KeyTree::begin_anew(&root, &pages));
        let generation = begun.await.map_err(failed)??.number();
        let accounts = marked.len() as u64;
        // There is no tree left, so none is to be erased.
        catalog.complete_shreds(marked).await?;
        Ok(BegunAnew { generation, accounts })
    }

    /// Opens everything in its place, for [`Oubliette::start`] with another clock or store.
    ///
    /// # Errors
    /// As [`Oubliette::open`].
    pub async fn components(self, options: Options, clock: Arc<dyn Clock>) -> Result<Components> {
        let (layout, opened) = tokio::task::spawn_blocking(move || {
            let opened = self.open_catalog_and_keys();
            (self, opened)
        })
        .await
        .map_err(|_| ServiceError::internal("opening the data folder failed"))?;
        let (catalog, tree, service_key, log) = opened?;
        let (store, log_store) = layout.stores().await?;
        Ok(Components {
            catalog: Arc::new(catalog),
            tree,
            store,
            log,
            log_store,
            spool_dir: layout.spool_dir(),
            spool: layout.spool,
            clock,
            service_key,
            options,
        })
    }

    /// The object store alone, for looking after it: neither catalog nor keys are opened, and a
    /// service may be running on them.
    ///
    /// # Errors
    /// `Configuration`, with the mend, if the folder or the settings of the bucket are of no use.
    pub async fn object_store(&self) -> Result<Arc<dyn ObjectStore>> {
        Ok(self.stores().await?.0)
    }

    /// One place, as what keeps segments and as what keeps the published log.
    async fn stores(&self) -> Result<(Arc<dyn ObjectStore>, Arc<dyn FileStore>)> {
        Ok(match &self.store {
            StoreLayout::Folder(folder) => {
                let objects = folder.clone().unwrap_or_else(|| self.data_dir.join("objects"));
                let store = Arc::new(FolderStore::open(objects).await?);
                (Arc::clone(&store) as _, store)
            }
            StoreLayout::S3(settings) => {
                let store = Arc::new(S3Store::connect(settings).await?);
                (Arc::clone(&store) as _, store)
            }
        })
    }

    /// The root file is locked first: it decides who may touch the rest.
    fn open_catalog_and_keys(&self) -> Result<(SqliteCatalog, KeyTree, ServiceKey, Log)> {
        make_private_folder(&self.data_dir)?;
        let root = self.open_root()?;
        if let Some(folder) = self.service_key_file.parent()
            && !folder.as_os_str().is_empty()
        {
            make_private_folder(folder)?;
        }
        let is_there = |path: &PathBuf| {
            path.try_exists().map_err(|cause| {
                ServiceError::configuration(format!(
                    "{} cannot be looked at: check its path and permissions",
                    path.display()
                ))
                .with_source(cause)
            })
        };
        let service_key = match ServiceKey::load(&self.service_key_file)? {
            Some(key) => key,
            // Made before anything that depends on it, so a crash here leaves a first start.
            None if !is_there(&self.catalog_file())? && !is_there(&self.root_file)? => {
                ServiceKey::create(&self.service_key_file)?
            }
            None => {
                return Err(ServiceError::configuration(format!(
                    "missing service key {}: there is data already, and without the key no account \
                     is found in it; put the file back where it was, or use a new data folder and a \
                     new root key",
                    self.service_key_file.display()
                )));
            }
        };
        let catalog = SqliteCatalog::open(self.catalog_file())?;
        let tree = KeyTree::open(root, catalog.pages()?)?;
        let log = self.open_log(&tree)?;
        Ok((catalog, tree, service_key, log))
    }

    /// The root, and with it both locks: its own, and that of the data folder. A copy of the root has a lock
    /// of its own, and must not lead a second process to the same pages.
    fn open_root(&self) -> Result<LockedRoot> {
        let root = self.open_root_store()?;
        Ok(LockedRoot { root, _data: self.lock_data()? })
    }

    fn lock_data(&self) -> Result<File> {
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.data_dir.join("lock"))
            .and_then(|file| {
                file.try_lock()?;
                Ok(file)
            });
        lock.map_err(|cause| {
            let folder = self.data_dir.display();
            let message = if cause.kind() == io::ErrorKind::WouldBlock {
                format!(
                    "data folder {folder} is in use by another process; stop it or give this one a \
                     data folder and a root key of its own"
                )
            } else {
                format!("data folder {folder} cannot be locked: check its path and permissions")
            };
            ServiceError::configuration(message).with_source(cause)
        })
    }

    fn open_root_store(&self) -> Result<Arc<dyn RootStore>> {
        match &self.root {
            RootLayout::File => Ok(Arc::new(FileRootStore::open(&self.root_file)?)),
            #[cfg(unix)]
            RootLayout::Tpm { device, index } => {
                Ok(Arc::new(TpmRootStore::open(&self.root_file, device, *index)?))
            }
            #[cfg(not(unix))]
            RootLayout::Tpm { .. } => {
                Err(ServiceError::configuration("a TPM can be used on Unix only: use another root"))
            }
            #[cfg(feature = "pkcs11")]
            RootLayout::Pkcs11 { module, token, key_label, pin_file } => {
                let pin = keyfile::load_pin(pin_file)?;
                let settings = oubliette_keytree::Pkcs11Settings {
                    module: module.clone(),
                    token: token.clone(),
                    key_label: key_label.clone(),
                };
                let store =
                    oubliette_keytree::Pkcs11RootStore::open(&self.root_file, &settings, &pin)?;
                Ok(Arc::new(store))
            }
            #[cfg(not(feature = "pkcs11"))]
            RootLayout::Pkcs11 { .. } => Err(ServiceError::configuration(
                "this build knows no PKCS#11: build it with `--features pkcs11`, or use another root",
            )),
        }
    }

    fn open_log(&self, tree: &KeyTree) -> Result<Log> {
        let folder = self.log_dir();
        let seed = match keyfile::load(&self.log_key_file, "log key")? {
            Some(seed) => seed,
            None if !folder.exists() => keyfile::create(&self.log_key_file, "log key")?,
            None => {
                return Err(ServiceError::configuration(format!(
                    "missing log key {}: there is a log of deletions in {} already, and another key \
                     cannot go on with it; put the file back, or move the log away to begin a new one",
                    self.log_key_file.display(),
                    folder.display()
                )));
            }
        };
        let generation = tree.status()?.generation.number();
        Log::open(folder, LogKey::from_seed(&seed), generation)
            .map_err(|cause| ServiceError::configuration(cause.to_string()).with_source(cause))
    }
}

/// A root store that holds the lock of the data folder as well, as long as the key tree lives.
struct LockedRoot {
    root: Arc<dyn RootStore>,
    _data: File,
}

impl RootStore for LockedRoot {
    fn load(&self) -> std::result::Result<Option<Root>, KeyTreeError> {
        self.root.load()
    }

    fn create(&self, root: &Root) -> std::result::Result<(), KeyTreeError> {
        self.root.create(root)
    }

    fn prepare(&self, old: Generation, root: &Root) -> std::result::Result<(), KeyTreeError> {
        self.root.prepare(old, root)
    }

    fn replace(&self, old: Generation, root: &Root) -> std::result::Result<(), KeyTreeError> {
        self.root.replace(old, root)
    }
}

fn make_private_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|cause| {
        ServiceError::configuration(format!(
            "folder {} cannot be made: check its path and permissions",
            folder.display()
        ))
        .with_source(cause)
    })
}
