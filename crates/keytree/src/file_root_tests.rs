use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::{AccountTag, Hour, KeyTree, LeafAddress, MemoryPageStore, Op, testing};

const FIRST: [u8; 32] = [0x5a; 32];
const SECOND: [u8; 32] = [0xc3; 32];

fn root(generation: u64, key: [u8; 32]) -> Root {
    Root::new(Generation::new(generation), RootKey::from_bytes(&key))
}

/// A folder with the root of generation 1 under `FIRST`.
fn with_root() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/secrets/root.key");
    FileRootStore::open(&path).unwrap().create(&root(1, FIRST)).unwrap();
    (folder, path)
}

fn contains(path: &Path, key: [u8; 32]) -> bool {
    fs::read(path).unwrap().windows(32).any(|window| window == key)
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn load(path: &Path) -> (u64, [u8; 32]) {
    let root = FileRootStore::open(path).unwrap().load().unwrap().unwrap();
    (root.generation().number(), *root.key().expose_secret())
}

#[test]
fn keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    testing::root_store_conformance(|| FileRootStore::open(folder.path().join("root")).unwrap());
}

#[test]
fn a_power_cut_at_any_point_leaves_one_root_and_no_other_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root");
    let points = crate::sabotage::root_store_crash_conformance(
        || FileRootStore::open(&path).unwrap(),
        |_, dead| {
            assert_eq!(names(&path), ["root", "root.lock"]);
            assert!(dead.iter().all(|key| !contains(&path, *key)));
        },
    );
    assert!(points >= 8, "{points}");
}

#[test]
fn the_file_has_the_documented_layout() {
    let (_folder, path) = with_root();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 81);
    assert_eq!(&bytes[..17], b"OUBLROOT\x01\0\0\0\0\0\0\0\x01");
    assert_eq!(bytes[17..49], FIRST);
    // Python: hashlib.sha256(b"OUBLROOT\x01" + bytes([0]*7 + [1]) + b"\x5a"*32).hexdigest()
    assert_eq!(
        hex::encode(&bytes[49..]),
        "e934017e85ce6ddc235f6223ce7aa737f60dcd1bc9a2df5721f5de777ce2788f"
    );
}

#[test]
fn only_the_owner_may_read() {
    let (_folder, path) = with_root();
    FileRootStore::open(&path).unwrap().replace(Generation::new(1), &root(2, SECOND)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = FileRootStore::open(&path).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn the_old_file_is_overwritten_in_place() {
    let (_folder, path) = with_root();
    // Someone who looks at the disk below the file system: a name that keeps the old inode alive.
    let thief = path.with_file_name("thief");
    fs::hard_link(&path, &thief).unwrap();
    assert!(contains(&thief, FIRST));
    let store = FileRootStore::open(&path).unwrap();
    store.replace(Generation::new(1), &root(2, SECOND)).unwrap();
    assert_eq!(fs::read(&thief).unwrap(), [0; 81]);
    assert!(contains(&path, SECOND));
    assert_ne!(fs::metadata(&thief).unwrap().ino(), fs::metadata(&path).unwrap().ino());
    assert_eq!(names(&path), ["root.key", "root.key.lock", "thief"]);
}

#[test]
fn a_crash_before_the_switch_keeps_the_old_root_and_erases_the_new() {
    let (_folder, path) = with_root();
    let (new, old) = (beside(&path, ".new"), beside(&path, ".old"));
    fs::write(&new, &encode(&root(2, SECOND))[..]).unwrap();
    fs::hard_link(&path, &old).unwrap();
    let thief = path.with_file_name("thief");
    fs::hard_link(&new, &thief).unwrap();
    assert_eq!(load(&path), (1, FIRST));
    assert_eq!(fs::read(&thief).unwrap(), [0; 81], "a key that never came in force is erased");
    assert_eq!(names(&path), ["root.key", "root.key.lock", "thief"]);
}

#[test]
fn a_crash_after_the_switch_keeps_the_new_root_and_erases_the_old() {
    let (_folder, path) = with_root();
    let (new, old) = (beside(&path, ".new"), beside(&path, ".old"));
    fs::write(&new, &encode(&root(2, SECOND))[..]).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(&path, &old).unwrap();
    let thief = path.with_file_name("thief");
    fs::hard_link(&path, &thief).unwrap();
    fs::rename(&new, &path).unwrap();
    assert_eq!(load(&path), (2, SECOND));
    assert_eq!(fs::read(&thief).unwrap(), [0; 81]);
    assert_eq!(names(&path), ["root.key", "root.key.lock", "thief"]);

    // Once more, cut off while it was being overwritten.
    fs::write(&old, [0; 81]).unwrap();
    assert_eq!(load(&path), (2, SECOND));
    assert_eq!(names(&path), ["root.key", "root.key.lock", "thief"]);
}

#[test]
fn a_second_name_of_a_root_that_was_taken_away_is_left_alone() {
    let (_folder, path) = with_root();
    let old = beside(&path, ".old");
    fs::hard_link(&path, &old).unwrap();
    let elsewhere = path.with_file_name("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    assert!(FileRootStore::open(&path).unwrap().load().unwrap().is_none());
    assert!(contains(&elsewhere, FIRST));
    fs::rename(&elsewhere, &path).unwrap();
    assert_eq!(load(&path), (1, FIRST));
    assert!(!old.exists());
}

#[test]
fn a_replace_that_fails_before_the_switch_may_be_tried_again() {
    let (_folder, path) = with_root();
    let store = FileRootStore::open(&path).unwrap();
    // A folder in the way of the new file: it can neither be written nor erased.
    let new = beside(&path, ".new");
    fs::create_dir(&new).unwrap();
    let error = store.replace(Generation::new(1), &root(2, SECOND)).unwrap_err();
    assert_eq!(error.kind(), KeyTreeErrorKind::Retry);
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(store.load().unwrap().unwrap().generation(), Generation::new(1));
    fs::remove_dir(&new).unwrap();
    store.replace(Generation::new(1), &root(2, SECOND)).unwrap();
    assert!(contains(&path, SECOND));
}

#[test]
fn a_second_process_is_refused() {
    let (_folder, path) = with_root();
    let first = FileRootStore::open(&path).unwrap();
    let error = FileRootStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), KeyTreeErrorKind::Locked);
    assert!(error.to_string().contains("in use by another process"), "{error}");
    drop(first);
    FileRootStore::open(&path).unwrap();
}

#[test]
fn damage_is_noticed_at_every_byte_and_repaired_by_nobody() {
    let (_folder, path) = with_root();
    let whole = fs::read(&path).unwrap();
    let store = FileRootStore::open(&path).unwrap();
    let kind = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = store.load().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("90, 90"), "no key in an error");
        error.kind()
    };
    for at in 0..whole.len() {
        let mut bent = whole.clone();
        bent[at] ^= 1;
        // Bit 0 of the version makes it 0; a higher one is from the future.
        assert_eq!(kind(&bent), KeyTreeErrorKind::Damaged, "byte {at}");
        assert_eq!(kind(&whole[..at]), KeyTreeErrorKind::Damaged, "cut at {at}");
    }
    assert_eq!(kind(&[&whole[..], b"x"].concat()), KeyTreeErrorKind::Damaged);
    let mut newer = whole.clone();
    newer[8] = 2;
    assert_eq!(kind(&newer), KeyTreeErrorKind::NewerVersion);
    drop(store);
    let error = FileRootStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), KeyTreeErrorKind::NewerVersion);
    assert_eq!(fs::read(&path).unwrap(), newer);
}

#[test]
fn debug_shows_no_key() {
    let (_folder, path) = with_root();
    let shown = format!("{:?}", FileRootStore::open(&path).unwrap());
    assert!(!shown.contains("90, 90") && !shown.contains("5a5a"), "{shown}");
}

#[test]
fn under_a_tree_each_commit_erases_the_root_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root");
    let pages = Arc::new(MemoryPageStore::default());
    let account = AccountTag::from_bytes([1; 16]);
    let open = || KeyTree::open(FileRootStore::open(&path).unwrap(), Arc::clone(&pages)).unwrap();
    let tree = open();
    tree.commit(&[Op::CreateAccount(account)]).unwrap();
    for sequence in 0..5 {
        let thief = folder.path().join(format!("thief{sequence}"));
        fs::hard_link(&path, &thief).unwrap();
        let leaf = LeafAddress::new(Hour::new(1).unwrap(), 0, sequence).unwrap();
        tree.commit(&[Op::PruneLeaf(account, leaf)]).unwrap();
        assert_eq!(fs::read(&thief).unwrap(), [0; FILE_LEN]);
    }
    let status = tree.status().unwrap();
    drop(tree);
    assert_eq!(open().status().unwrap(), status);
}
