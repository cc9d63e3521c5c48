//! A service in a folder, over stores that remember and fail.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use oubliette_catalog::SqliteCatalog;
use oubliette_keytree::sabotage::Sabotage;
use oubliette_keytree::{
    FileRootStore, Generation, KeyTree, KeyTreeError, KeyTreeErrorKind, Op, PageId, PageStore,
    Root, RootStore,
};
use oubliette_service::translog::{Log, LogKey};
use oubliette_service::{Components, ManualClock, Options, Oubliette, ServiceError, ServiceKey};
use oubliette_store::{FolderStore, SpoolLimits};
use tempfile::TempDir;
use tracing_subscriber::fmt::MakeWriter;

pub(crate) type Written = (PageId, Generation, Vec<u8>);

/// Remembers what was written, and lets a writing call fail.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) pages: Mutex<Vec<Written>>,
    /// For the control only.
    pub(crate) roots: Mutex<Vec<[u8; 32]>>,
    fuse: Mutex<Fuse>,
}

#[derive(Debug, Default)]
struct Fuse {
    left: Option<(usize, Fault)>,
    dark: bool,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The call fails and does nothing, once.
    Fail,
    /// The power goes before the call does anything.
    PowerBefore,
    /// The power goes when the work is done, before the caller hears of it.
    PowerAfter,
}

impl Memory {
    pub(crate) fn arm(&self, after: usize, fault: Fault) {
        self.fuse.lock().unwrap().left = Some((after, fault));
    }

    pub(crate) fn is_dark(&self) -> bool {
        self.fuse.lock().unwrap().dark
    }

    pub(crate) fn power_on(&self) {
        *self.fuse.lock().unwrap() = Fuse::default();
    }

    fn writing(&self, work: impl FnOnce() -> Result<(), KeyTreeError>) -> Result<(), KeyTreeError> {
        let mut fuse = self.fuse.lock().unwrap();
        let dead = || KeyTreeError::new(KeyTreeErrorKind::Storage, "no power");
        if fuse.dark {
            return Err(dead());
        }
        match &mut fuse.left {
            Some((0, fault)) => {
                let fault = *fault;
                fuse.left = None;
                if let Fault::Fail = fault {
                    return Err(KeyTreeError::new(KeyTreeErrorKind::Retry, "the disk is full"));
                }
                fuse.dark = true;
                if let Fault::PowerAfter = fault {
                    work()?;
                }
                Err(dead())
            }
            Some((left, _)) => {
                *left -= 1;
                work()
            }
            None => work(),
        }
    }
}

struct Pages<S>(S, Arc<Memory>);

impl<S: PageStore> PageStore for Pages<S> {
    fn write(&self, pages: &[Written]) -> Result<(), KeyTreeError> {
        self.1.pages.lock().unwrap().extend_from_slice(pages);
        self.1.writing(|| self.0.write(pages))
    }

    fn read(&self, id: PageId, generation: Generation) -> Result<Option<Vec<u8>>, KeyTreeError> {
        self.0.read(id, generation)
    }

    fn list(&self) -> Result<Vec<(PageId, Generation)>, KeyTreeError> {
        self.0.list()
    }

    fn remove(&self, pages: &[(PageId, Generation)]) -> Result<(), KeyTreeError> {
        self.1.writing(|| self.0.remove(pages))
    }
}

struct Roots(FileRootStore, Arc<Memory>);

impl Roots {
    fn remember(&self, root: &Root) {
        self.1.roots.lock().unwrap().push(*root.key().expose_secret());
    }
}

impl RootStore for Roots {
    fn load(&self) -> Result<Option<Root>, KeyTreeError> {
        self.0.load()
    }

    fn create(&self, root: &Root) -> Result<(), KeyTreeError> {
        self.remember(root);
        self.0.create(root)
    }

    fn prepare(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        self.remember(root);
        self.1.writing(|| self.0.prepare(old, root))
    }

    fn replace(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        self.remember(root);
        self.1.writing(|| self.0.replace(old, root))
    }
}

/// A folder without an fsync that takes time, if there is one: what the thief sees is the same.
pub(crate) fn folder() -> TempDir {
    let fast = Path::new("/dev/shm");
    if fast.is_dir() { TempDir::new_in(fast).unwrap() } else { TempDir::new().unwrap() }
}

pub(crate) const SERVICE_KEY: [u8; 32] = [0x5e; 32];
const LOG_SEED: [u8; 32] = [0x10; 32];

/// Starts the service; waits until an earlier life on the folder has let go of it.
pub(crate) async fn start(
    folder: &Path,
    memory: &Arc<Memory>,
    clock: &Arc<ManualClock>,
    broken: Option<Sabotage>,
) -> Result<Oubliette, ServiceError> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    let root = loop {
        match FileRootStore::open(folder.join("keys/root.key")) {
            Ok(root) => break root,
            Err(error) if error.kind() == KeyTreeErrorKind::Locked => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    let catalog = SqliteCatalog::open(data.join("catalog.sqlite")).unwrap();
    let roots = Roots(root, Arc::clone(memory));
    let pages = Pages(catalog.pages().unwrap(), Arc::clone(memory));
    let tree = KeyTree::open_sabotaged(roots, pages, broken)?;
    if tree.status()?.accounts == 0 {
        // So many that the state takes several pages.
        let crowd = (0..300u16).map(|n| {
            let mut tag = [0x11; 16];
            tag[..2].copy_from_slice(&n.wrapping_mul(40_503).to_be_bytes());
            Op::CreateAccount(oubliette_keytree::AccountTag::from_bytes(tag))
        });
        tree.commit(&crowd.collect::<Vec<_>>())?;
    }
    let log = Log::open(
        data.join("log"),
        LogKey::from_seed(&LOG_SEED),
        tree.status()?.generation.number(),
    );
    let store = Arc::new(FolderStore::open(data.join("objects")).await.unwrap());
    Oubliette::start(Components {
        log: log.unwrap(),
        log_store: Arc::clone(&store) as _,
        catalog: Arc::new(catalog),
        tree,
        store,
        spool_dir: data.join("spool"),
        spool: SpoolLimits { min_free_bytes: 0, segment_bytes: 1 << 20, ..SpoolLimits::default() },
        clock: Arc::clone(clock) as _,
        service_key: ServiceKey::from_bytes(&SERVICE_KEY),
        // Its clock passes days at a step, also while the service is down.
        options: Options { threads: 1, most_clock_ahead: Duration::MAX, ..Options::default() },
    })
    .await
}

/// Everything that is logged, by anybody in this process.
pub(crate) fn log() -> &'static Mutex<Vec<u8>> {
    static LOG: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    LOG.get_or_init(|| {
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(ToLog);
        let _ = tracing::subscriber::set_global_default(subscriber.finish());
        Mutex::default()
    })
}

struct ToLog;

impl<'a> MakeWriter<'a> for ToLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        ToLog
    }
}

impl io::Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        log().lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
