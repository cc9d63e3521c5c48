//! Where things lie on disk, and what can be set.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use oubliette_catalog::Catalog;
use oubliette_detect::{Limits, Pack};
use oubliette_keytree::KeyTree;
use oubliette_store::{ObjectStore, S3Settings, SpoolLimits};

use crate::clock::Clock;
use crate::service_key::ServiceKey;

/// Where the embedded default keeps everything: one folder for data, another for keys.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Holds `catalog.sqlite`, `spool/` and, without S3, `objects/`. Made if need be.
    pub data_dir: PathBuf,
    /// The root key. Outside the data folder, so that no backup of the one holds the other.
    pub root_file: PathBuf,
    /// The service key, made together with the root.
    pub service_key_file: PathBuf,
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
            service_key_file: keys_dir.join("service.key"),
            store: StoreLayout::Folder(None),
            spool: SpoolLimits::default(),
        }
    }

    /// The catalog's file.
    #[must_use]
    pub fn catalog_file(&self) -> PathBuf {
        self.data_dir.join("catalog.sqlite")
    }

    /// The spool's folder.
    #[must_use]
    pub fn spool_dir(&self) -> PathBuf {
        self.data_dir.join("spool")
    }
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
