//! The TPM root store, against swtpm.

#![cfg(all(unix, feature = "sabotage", debug_assertions))]
#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]
#![allow(clippy::print_stdout, reason = "a test that was skipped says so")]
#![allow(clippy::disallowed_methods, reason = "it waits for a program to start")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use oubliette_keytree::{
    AccountTag, Generation, Hour, KeyTree, KeyTreeErrorKind, LeafAddress, MemoryPageStore, Op,
    Root, RootKey, RootStore, TpmRootStore, sabotage, testing,
};

/// A simulated TPM; it ends with the value.
struct Tpm {
    program: Child,
    socket: PathBuf,
    state: PathBuf,
}

impl Tpm {
    /// `None`, with a notice, where there is no swtpm.
    fn start(folder: &Path) -> Option<Self> {
        let state = folder.join("tpm");
        fs::create_dir_all(&state).unwrap();
        let socket = folder.join("socket");
        let _ = fs::remove_file(&socket);
        let started = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .arg("--tpmstate")
            .arg(format!("dir={}", state.display()))
            .arg("--server")
            .arg(format!("type=unixio,path={}", socket.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(program) = started else {
            println!("skipped: no swtpm (`apt-get install -y swtpm`)");
            if let Some(file) = std::env::var_os("OUBLIETTE_SKIPPED") {
                use std::io::Write as _;
                let mut file = fs::File::options().append(true).open(file).unwrap();
                writeln!(file, "the TPM root store: no swtpm").unwrap();
            }
            return None;
        };
        for _ in 0..500 {
            if socket.exists() {
                return Some(Self { program, socket, state });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("swtpm does not start");
    }

    fn open(
        &self,
        path: &Path,
        index: u32,
    ) -> Result<TpmRootStore, oubliette_keytree::KeyTreeError> {
        TpmRootStore::open(path, &self.socket, TpmRootStore::NV_INDEX + index)
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// One after the other: a program that is being started has, for a moment, the locks of this process.
#[test]
fn the_root_in_a_tpm() {
    keeps_the_contract_through_power_cuts();
    the_root_is_in_the_chip_and_nowhere_else();
}

fn keeps_the_contract_through_power_cuts() {
    let folder = tempfile::tempdir().unwrap();
    let Some(tpm) = Tpm::start(folder.path()) else { return };
    let path = |name: &str| folder.path().join("keys").join(name);
    testing::root_store_conformance(|| tpm.open(&path("contract"), 0).unwrap());
    // A first root whose making was cut short is made by the next life.
    let first = Root::new(Generation::ZERO, RootKey::from_bytes(&[0xf1; 32]));
    let mut cuts = 0;
    loop {
        let store = tpm.open(&path("first"), 4 + 2 * cuts).unwrap();
        sabotage::power_fails_at(Some(usize::try_from(cuts).unwrap()));
        let cut = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.create(&first)));
        sabotage::power_fails_at(None);
        drop(store);
        let store = tpm.open(&path("first"), 4 + 2 * cuts).unwrap();
        if store.load().unwrap().is_none() {
            store.create(&first).unwrap();
        }
        assert_eq!(store.load().unwrap().unwrap().key().expose_secret(), &[0xf1; 32]);
        fs::remove_file(path("first")).unwrap();
        if cut.is_ok() {
            break;
        }
        cuts += 1;
    }
    assert_eq!(cuts, 8, "the file and its folder, two indices, before and after two writes");

    let points = sabotage::root_store_crash_conformance(
        || tpm.open(&path("crash"), 2).unwrap(),
        |_, dead| {
            // What the simulation keeps is a file, in the clear unless it is given a key.
            let mut files = 0;
            for entry in fs::read_dir(&tpm.state).unwrap() {
                let bytes = fs::read(entry.unwrap().path()).unwrap();
                files += usize::from(bytes.len() > 1000);
                assert!(dead.iter().all(|key| !bytes.windows(32).any(|part| part == key)));
            }
            assert!(files > 0, "the state of the TPM");
        },
    );
    assert_eq!(points, 8, "before and after each write, prepared and not");
}

fn the_root_is_in_the_chip_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let Some(tpm) = Tpm::start(folder.path()) else { return };
    let path = folder.path().join("root.tpm");
    let account = AccountTag::from_bytes([7; 16]);
    let leaf = |n| LeafAddress::new(Hour::new(1).unwrap(), 1, n).unwrap();
    let pages = Arc::new(MemoryPageStore::default());
    let tree = KeyTree::open(tpm.open(&path, 0).unwrap(), Arc::clone(&pages)).unwrap();
    tree.commit(&[Op::CreateAccount(account)]).unwrap();
    let file = fs::read(&path).unwrap();
    for n in 0..5 {
        tree.commit(&[Op::PruneLeaf(account, leaf(n))]).unwrap();
    }
    assert_eq!(fs::read(&path).unwrap(), file, "the file holds nothing that changes");
    let error = tpm.open(&path, 0).unwrap_err();
    assert_eq!(error.kind(), KeyTreeErrorKind::Locked);
    let status = tree.status().unwrap();
    drop(tree);
    let other = tpm.open(&folder.path().join("other"), 1).unwrap();
    let first = Root::new(Generation::ZERO, RootKey::from_bytes(&[1; 32]));
    let error = other.create(&first).unwrap_err();
    assert!(error.to_string().contains("0x1800b1f"), "the second of ours: {error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("answered"), "it was refused, and not waited for: {cause}");
    drop(other); // the simulation has one caller at a time

    // The chip loses power, and comes back.
    drop(tpm);
    let error = TpmRootStore::open(&path, folder.path().join("gone"), 0).unwrap_err();
    assert_eq!(error.kind(), KeyTreeErrorKind::Storage);
    assert!(error.to_string().contains("check that it is there"), "{error}");
    let tpm = Tpm::start(folder.path()).unwrap();
    // Whoever has the root meanwhile goes on, over a new connection.
    let store = tpm.open(&path, 0).unwrap();
    drop(tpm);
    assert_eq!(store.load().unwrap_err().kind(), KeyTreeErrorKind::Storage);
    let tpm = Tpm::start(folder.path()).unwrap();
    assert_eq!(store.load().unwrap().unwrap().generation(), status.generation);
    drop(store);
    let tree = KeyTree::open(tpm.open(&path, 0).unwrap(), Arc::clone(&pages)).unwrap();
    assert_eq!(tree.status().unwrap(), status);
    assert!(tree.derive_leaf(account, leaf(4)).unwrap().is_none());
    assert!(tree.derive_leaf(account, leaf(5)).unwrap().is_some());
    drop(tree);

    // Another password, another chip, another root under our indices: none of them is taken for ours.
    let mut other = file.clone();
    *other.last_mut().unwrap() ^= 1;
    fs::write(&path, &other).unwrap();
    let error = tpm.open(&path, 0).unwrap_err();
    assert_eq!(error.kind(), KeyTreeErrorKind::Storage, "{error}");
    // Cut short, too long, and with a first index that leaves no room for a second.
    let no_room = [&file[..9], &[0xff; 4], &file[13..]].concat();
    for damaged in [&file[..file.len() - 1], &[&file[..], b"x"].concat(), &no_room] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(tpm.open(&path, 0).unwrap_err().kind(), KeyTreeErrorKind::Damaged);
    }
    // One that cannot be looked at is not one that was never made.
    let around = folder.path().join("around");
    std::os::unix::fs::symlink(&around, &around).unwrap();
    assert_eq!(tpm.open(&around, 0).unwrap_err().kind(), KeyTreeErrorKind::Storage);
    fs::write(&path, &file).unwrap();
    assert!(tpm.open(&path, 0).unwrap().load().unwrap().is_some());
    drop(tpm);
    let elsewhere = tempfile::tempdir().unwrap();
    let chip = Tpm::start(elsewhere.path()).unwrap();
    let store = chip.open(&path, 0).unwrap();
    assert!(store.load().unwrap().is_none(), "the root is lost");
    let error = KeyTree::open(store, pages).unwrap_err();
    assert_eq!(error.kind(), KeyTreeErrorKind::MissingRoot);
}
