//! The PKCS#11 root store, against SoftHSM.

#![cfg(all(feature = "pkcs11", feature = "sabotage", debug_assertions))]
#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]
#![allow(clippy::print_stdout, reason = "a test that was skipped says so")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use oubliette_keytree::{
    AccountTag, Hour, KeyTree, KeyTreeErrorKind, LeafAddress, MemoryPageStore, Op, Pkcs11RootStore,
    Pkcs11Settings, RootStore, sabotage, testing,
};

#[path = "support/softhsm.rs"]
mod softhsm;

const PIN: &str = "1234";

/// A fresh token in the folder. `None`, with a notice, where there is no SoftHSM.
fn token(folder: &Path) -> Option<Pkcs11Settings> {
    let Some(module) = softhsm::module() else {
        println!("skipped: no SoftHSM (`apt-get install -y softhsm2`)");
        if let Some(file) = std::env::var_os("OUBLIETTE_SKIPPED") {
            use std::io::Write as _;
            let mut file = fs::File::options().append(true).open(file).unwrap();
            writeln!(file, "the PKCS#11 root store: no SoftHSM").unwrap();
        }
        return None;
    };
    softhsm::make_token(&module, &folder.join("softhsm2.conf"), "oubliette", PIN);
    Some(Pkcs11Settings { module, token: "oubliette".into(), key_label: "root".into() })
}

/// All in one test: the library reads its configuration from the environment of the process, once.
#[test]
fn keeps_the_contract_through_power_cuts_and_under_a_tree() {
    let Ok(conf) = std::env::var("SOFTHSM2_CONF") else {
        // In a process of its own, since a test may not change its own environment.
        let folder = tempfile::tempdir().unwrap();
        let conf = softhsm::configure(folder.path());
        let again = Command::new(std::env::current_exe().unwrap())
            .args(["--nocapture", "--test-threads=1"])
            .env("SOFTHSM2_CONF", &conf)
            .status()
            .unwrap();
        assert!(again.success());
        return;
    };
    let folder = Path::new(&conf).parent().unwrap();
    let Some(settings) = token(folder) else { return };
    let try_open = |name: &str| {
        let settings = Pkcs11Settings {
            module: settings.module.clone(),
            token: settings.token.clone(),
            key_label: name.to_owned(),
        };
        Pkcs11RootStore::open(folder.join("keys").join(name), &settings, PIN)
    };
    let open = |name: &str| try_open(name).unwrap();
    assert_eq!(open("contract").wrapping_keys().unwrap(), 0, "no root yet");
    testing::root_store_conformance(|| open("contract"));

    let points = sabotage::root_store_crash_conformance(
        || open("crash"),
        |store, dead| {
            assert_eq!(
                store.wrapping_keys().unwrap(),
                1,
                "one wrapping key, that of the root in force"
            );
            let file = fs::read(folder.join("keys/crash")).unwrap();
            assert!(dead.iter().all(|key| !file.windows(32).any(|window| window == key)));
        },
    );
    assert!(points >= 4, "{points}");

    // A copy of the file, kept by a backup, is worth nothing once the root has moved on.
    let account = AccountTag::from_bytes([7; 16]);
    let leaf = LeafAddress::new(Hour::new(1).unwrap(), 1, 1).unwrap();
    let pages = Arc::new(MemoryPageStore::default());
    let tree = KeyTree::open(open("tree"), Arc::clone(&pages)).unwrap();
    tree.commit(&[Op::CreateAccount(account)]).unwrap();
    let copy = fs::read(folder.join("keys/tree")).unwrap();
    tree.commit(&[Op::PruneLeaf(account, leaf)]).unwrap();
    let second = try_open("tree").unwrap_err();
    assert_eq!(second.kind(), KeyTreeErrorKind::Locked);
    drop(tree);
    let tree = KeyTree::open(open("tree"), Arc::clone(&pages)).unwrap();
    assert!(tree.derive_leaf(account, leaf).unwrap().is_none());
    drop(tree);
    let newest = fs::read(folder.join("keys/tree")).unwrap();
    fs::write(folder.join("keys/tree"), &copy).unwrap();
    let store = try_open("tree");
    let error = store.and_then(|store| store.load()).unwrap_err();
    assert_eq!(error.kind(), KeyTreeErrorKind::Damaged, "its wrapping key is gone: {error}");
    for damaged in [&newest[..newest.len() - 1], &[&newest[..], b"x"].concat()] {
        fs::write(folder.join("keys/tree"), damaged).unwrap();
        let error = try_open("tree").unwrap_err();
        assert_eq!(error.kind(), KeyTreeErrorKind::Damaged);
    }
    #[cfg(unix)]
    {
        // One that cannot be looked at is not one that was never made.
        let around = folder.join("keys/around");
        std::os::unix::fs::symlink(&around, &around).unwrap();
        let error = Pkcs11RootStore::open(around, &settings, PIN).unwrap_err();
        assert_eq!(error.kind(), KeyTreeErrorKind::Storage);
    }
    fs::write(folder.join("keys/tree"), &newest).unwrap();
    open("tree").load().unwrap().expect("the newest is untouched by the attempt");
    let wrong = Pkcs11RootStore::open(folder.join("keys/other"), &settings, "9999").unwrap_err();
    assert!(wrong.to_string().contains("PIN") && !wrong.to_string().contains("9999"), "{wrong}");
}
