use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::sabotage::power_fails_at;
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

/// Version 1: a file of one root.
fn version_1(root: &Root) -> Vec<u8> {
    let mut bytes = encode(root)[..ROOT_LEN].to_vec();
    bytes[8] = 1;
    let sum = Sha256::digest(&bytes[..CHECKED_LEN]);
    bytes[CHECKED_LEN..].copy_from_slice(&sum);
    bytes
}

/// A file as a crash may leave it.
fn write_file(path: &Path, first: &[u8], second: &[u8]) {
    let mut bytes = vec![0; FILE_LEN];
    bytes[..first.len()].copy_from_slice(first);
    bytes[FILE_LEN - SLOT_LEN..][..second.len()].copy_from_slice(second);
    fs::write(path, bytes).unwrap();
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
    assert_eq!(points, 10, "each write and each wait, prepared and not");
}

/// With the first root goes everything, so its name is waited for as well, and those of its folders.
#[test]
fn a_first_root_whose_making_was_cut_short_is_made_by_the_next_life() {
    let mut cuts = 0;
    loop {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/secrets/root.key");
        power_fails_at(Some(cuts));
        let cut = std::panic::catch_unwind(|| {
            FileRootStore::open(&path).and_then(|store| store.create(&root(0, FIRST)))
        });
        power_fails_at(None);
        let store = FileRootStore::open(&path).unwrap();
        if store.load().unwrap().is_none() {
            store.create(&root(0, FIRST)).unwrap();
        }
        drop(store);
        assert_eq!(load(&path), (0, FIRST));
        assert_eq!(names(&path), ["root.key", "root.key.lock"]);
        match cut {
            Ok(done) => break done.unwrap(),
            Err(_) => cuts += 1,
        }
    }
    assert_eq!(cuts, 6, "two folders, the bytes, their way to the disk, the name, its folder");
}

/// The two writes of a replacement, torn anywhere. Between them the disk was waited for, so the first is
/// whole when the second begins.
#[test]
fn a_write_that_is_torn_anywhere_leaves_one_root_and_no_other_key() {
    let (_folder, path) = with_root();
    let (old, new) = (encode(&root(7, FIRST)), encode(&root(8, SECOND)));
    let abandoned = encode(&root(8, [0x77; 32]));
    let torn = |from: &[u8], to: &[u8], at: usize| [&to[..at], &from[at..]].concat();
    // Where it matters, and one place further on, where a sector of 512 bytes ends.
    let places = || (0..=ROOT_LEN).chain([512, SLOT_LEN]);
    for swap in [false, true] {
        let image = |in_force: &[u8], other: &[u8]| match swap {
            false => write_file(&path, in_force, other),
            true => write_file(&path, other, in_force),
        };
        for before in [void(), vec![0; SLOT_LEN], abandoned.to_vec()] {
            for at in places() {
                image(&old, &torn(&before, &new, at));
                assert_eq!(load(&path), (7, FIRST), "nothing has changed yet");
                assert!(!contains(&path, SECOND) && !contains(&path, [0x77; 32]), "{at}");
            }
        }
        for at in places() {
            image(&torn(&old, &void(), at), &new);
            let is_whole = torn(&old, &void(), at) == old[..];
            assert_eq!(load(&path), if is_whole { (7, FIRST) } else { (8, SECOND) }, "{at}");
            let dead = if is_whole { SECOND } else { FIRST };
            assert!(!fs::read(&path).unwrap().windows(8).any(|part| part == &dead[..8]), "{at}");
        }
    }
}

#[test]
fn a_replacement_waits_for_the_disk_twice_and_moves_nothing() {
    let (_folder, path) = with_root();
    let inode = |path: &Path| fs::metadata(path).map(|found| (found.ino(), found.len())).unwrap();
    let before = inode(&path);
    let store = FileRootStore::open(&path).unwrap();
    for n in 1..5_u8 {
        let from = Generation::new(n.into());
        let next = root(u64::from(n) + 1, [n; 32]);
        store.prepare(from, &next).unwrap();
        assert!(contains(&path, [n; 32]), "it is there");
        assert_eq!(store.load().unwrap().unwrap().generation(), from, "and not in force");
        store.replace(from, &next).unwrap();
        let bytes = fs::read(&path).unwrap();
        let keys = bytes.windows(32).filter(|part| part.iter().all(|b| *b == part[0] && *b != 0));
        assert_eq!(keys.count(), 1, "one key, that in force");
    }
    assert_eq!(inode(&path), before);
    assert_eq!(names(&path), ["root.key", "root.key.lock"]);
}

#[test]
fn the_file_has_the_documented_layout() {
    let (_folder, path) = with_root();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 69_632);
    assert_eq!(&bytes[..17], b"OUBLROOT\x02\0\0\0\0\0\0\0\x01");
    assert_eq!(bytes[17..49], FIRST);
    // Python: hashlib.sha256(b"OUBLROOT\x02" + bytes([0]*7 + [1]) + b"\x5a"*32).hexdigest()
    assert_eq!(
        hex::encode(&bytes[49..81]),
        "203d711379653274a7cf8feb898188259aa59e82103e3a3776733e0eabd6d4df"
    );
    assert!(bytes[81..65_536].iter().chain(&bytes[65_545..]).all(|byte| *byte == 0));
    assert_eq!(&bytes[65_536..65_545], b"OUBLROOT\x02");
    // In either slot, it stays where it is.
    for from in [1, 2] {
        let before = fs::read(&path).unwrap();
        let store = FileRootStore::open(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), before);
        store.replace(Generation::new(from), &root(from + 1, SECOND)).unwrap();
        drop(store);
        assert_eq!(load(&path), (from + 1, SECOND));
    }
}

#[test]
fn a_file_of_version_1_is_brought_to_two_slots_in_place() {
    let (_folder, path) = with_root();
    // From a release that wrote version 1.
    let old = version_1(&root(1, FIRST));
    assert_eq!(
        hex::encode(&old[49..]),
        "e934017e85ce6ddc235f6223ce7aa737f60dcd1bc9a2df5721f5de777ce2788f"
    );
    let thief = path.with_file_name("thief");
    fs::write(&path, &old).unwrap();
    fs::hard_link(&path, &thief).unwrap();
    assert_eq!(load(&path), (1, FIRST));
    let bytes = fs::read(&path).unwrap();
    assert_eq!((bytes.len(), &bytes[..9]), (FILE_LEN, &b"OUBLROOT\x02"[..]));
    let store = FileRootStore::open(&path).unwrap();
    store.replace(Generation::new(1), &root(2, SECOND)).unwrap();
    assert!(!contains(&thief, FIRST), "the same file, overwritten");
    drop(store);
    assert_eq!(load(&path), (2, SECOND));

    // Cut short anywhere: while it grew, or while the first slot was overwritten.
    let new = encode(&root(1, FIRST));
    for at in 0..=ROOT_LEN {
        write_file(&path, &old, &new[..at]);
        assert_eq!(load(&path), (1, FIRST), "{at}");
        write_file(&path, &[&void()[..at], &old[at..]].concat(), &new);
        assert_eq!(load(&path), (1, FIRST), "{at}");
    }
    for len in ROOT_LEN..ROOT_LEN + 3 {
        fs::write(&path, [&old[..], &[0, 0, 0][..len - ROOT_LEN]].concat()).unwrap();
        assert_eq!(load(&path), (1, FIRST), "{len}");
    }
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
fn the_old_key_is_overwritten_in_place() {
    let (_folder, path) = with_root();
    // Someone who looks at the disk below the file system: a name that keeps the inode alive.
    let thief = path.with_file_name("thief");
    fs::hard_link(&path, &thief).unwrap();
    assert!(contains(&thief, FIRST));
    let store = FileRootStore::open(&path).unwrap();
    store.replace(Generation::new(1), &root(2, SECOND)).unwrap();
    assert!(!contains(&thief, FIRST) && contains(&thief, SECOND));
    assert_eq!(names(&path), ["root.key", "root.key.lock", "thief"]);
}

/// What version 1 left when the power went: it renamed a new file over the old one.
#[test]
fn what_a_crash_of_an_older_release_left_is_erased() {
    let (_folder, path) = with_root();
    let (new, old) = (beside(&path, ".new"), beside(&path, ".old"));
    let thief = path.with_file_name("thief");
    let left = |wanted: (u64, [u8; 32])| {
        assert_eq!(load(&path), wanted);
        assert_eq!(fs::read(&thief).unwrap(), [0; 81], "a key that is not in force is erased");
        fs::remove_file(&thief).unwrap();
        assert_eq!(names(&path), ["root.key", "root.key.lock"]);
    };
    // Before it was renamed.
    fs::write(&path, version_1(&root(1, FIRST))).unwrap();
    fs::write(&new, version_1(&root(2, SECOND))).unwrap();
    fs::hard_link(&path, &old).unwrap();
    fs::hard_link(&new, &thief).unwrap();
    left((1, FIRST));
    // After it.
    fs::write(&old, version_1(&root(1, FIRST))).unwrap();
    fs::hard_link(&old, &thief).unwrap();
    fs::write(&path, version_1(&root(2, SECOND))).unwrap();
    left((2, SECOND));
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
    // A folder in its place: it can be opened, and neither be read nor written.
    let away = path.with_file_name("away");
    fs::rename(&path, &away).unwrap();
    fs::create_dir(&path).unwrap();
    for prepare in [true, false] {
        let (from, next) = (Generation::new(1), root(2, SECOND));
        let error = match prepare {
            true => store.prepare(from, &next),
            false => store.replace(from, &next),
        }
        .unwrap_err();
        assert_eq!(error.kind(), KeyTreeErrorKind::Retry);
        assert!(std::error::Error::source(&error).is_some());
    }
    fs::remove_dir(&path).unwrap();
    fs::rename(&away, &path).unwrap();
    assert_eq!(store.load().unwrap().unwrap().generation(), Generation::new(1));
    store.replace(Generation::new(1), &root(2, SECOND)).unwrap();
    assert!(contains(&path, SECOND) && !contains(&path, FIRST));
}

#[test]
fn a_root_that_somebody_else_put_in_force_is_left_alone() {
    let (_folder, path) = with_root();
    let store = FileRootStore::open(&path).unwrap();
    write_file(&path, &encode(&root(5, [0x55; 32])), &void());
    let before = fs::read(&path).unwrap();
    let (from, next) = (Generation::new(1), root(2, SECOND));
    for error in [store.prepare(from, &next), store.replace(from, &next)].map(Result::unwrap_err) {
        assert_eq!(error.kind(), KeyTreeErrorKind::Storage);
        assert!(error.to_string().contains("somebody else"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
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

/// Whoever overwrites what another process has prepared destroys both slots.
#[test]
fn a_second_process_is_refused_by_whatever_name_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, aside) = (folder.path().join("keys/root.key"), folder.path().join("aside"));
    fs::create_dir(&aside).unwrap();
    let (link, second, above) = (aside.join("link"), aside.join("second"), aside.join("keys"));
    // One that makes the root, and one that finds it.
    let store = FileRootStore::open(&path).unwrap();
    std::os::unix::fs::symlink(path.parent().unwrap(), &above).unwrap();
    let refused = |name: &Path| FileRootStore::open(name).unwrap_err().kind();
    assert_eq!(refused(&above.join("root.key")), KeyTreeErrorKind::Locked);
    store.create(&root(1, FIRST)).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    fs::hard_link(&path, &second).unwrap();
    let names = [link, second, above.join("root.key"), path.clone()];
    for name in &names {
        assert_eq!(refused(name), KeyTreeErrorKind::Locked, "{}", name.display());
    }
    drop(store);
    let store = FileRootStore::open(&names[1]).unwrap();
    for name in [&names[0], &names[2], &path] {
        assert_eq!(refused(name), KeyTreeErrorKind::Locked, "{}", name.display());
    }
    store.replace(Generation::new(1), &root(2, SECOND)).unwrap();
    drop(store);
    // A root that lies elsewhere is replaced where it lies.
    let store = FileRootStore::open(&names[0]).unwrap();
    assert_eq!(store.path(), fs::canonicalize(&path).unwrap());
    store.replace(Generation::new(2), &root(3, FIRST)).unwrap();
    drop(store);
    assert_eq!(load(&path), (3, FIRST));
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
    for at in 0..SLOT_LEN {
        let mut bent = whole.clone();
        // Up, so that the version is 0, not one of the future.
        bent[at] ^= if at == 8 { 2 } else { 1 };
        assert_eq!(kind(&bent), KeyTreeErrorKind::Damaged, "byte {at}");
    }
    // There never was a version 0, whatever its checksum says.
    let mut zero = whole.clone();
    zero[8] = 0;
    let sum = Sha256::digest(&zero[..CHECKED_LEN]);
    zero[CHECKED_LEN..ROOT_LEN].copy_from_slice(&sum);
    assert_eq!(kind(&zero), KeyTreeErrorKind::Damaged);
    for at in 0..ROOT_LEN {
        assert_eq!(kind(&whole[..at]), KeyTreeErrorKind::Damaged, "cut at {at}");
    }
    drop(store);
    let error = FileRootStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), KeyTreeErrorKind::Damaged);
    assert_eq!(fs::read(&path).unwrap(), &whole[..ROOT_LEN - 1], "left as it was");
    for slot in [0, FILE_LEN - SLOT_LEN] {
        let mut newer = whole.clone();
        newer[slot + 8] = 3;
        fs::write(&path, &newer).unwrap();
        let error = FileRootStore::open(&path).unwrap_err();
        assert_eq!(error.kind(), KeyTreeErrorKind::NewerVersion);
        assert_eq!(fs::read(&path).unwrap(), newer);
    }
}

#[test]
fn only_what_is_not_there_is_taken_for_not_there() {
    let (_folder, path) = with_root();
    let gone = path.with_file_name("gone");
    assert!(read_slots(&gone).unwrap().is_none() && lock_itself(&gone).unwrap().is_none());
    erase(&gone).unwrap();
    assert!(!is_same_file(&gone, &path).unwrap());
    // Nothing can lie below a file, and to ask is an error of another kind.
    let below = path.join("below");
    assert!(read_slots(&below).is_err() && lock_itself(&below).is_err() && erase(&below).is_err());
    assert!(is_same_file(&below, &path).is_err() && is_same_file(&path, &below).is_err());
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
    let key = || {
        let [first, second] = read_slots(&path).unwrap().unwrap();
        match (first, second) {
            (Slot::Root(root), Slot::Void) | (Slot::Void, Slot::Root(root)) => {
                *root.key().expose_secret()
            }
            _ => panic!("one root and no other"),
        }
    };
    for sequence in 0..5 {
        let before = key();
        let leaf = LeafAddress::new(Hour::new(1).unwrap(), 0, sequence).unwrap();
        tree.commit(&[Op::PruneLeaf(account, leaf)]).unwrap();
        assert!(key() != before && !contains(&path, before));
    }
    let status = tree.status().unwrap();
    drop(tree);
    assert_eq!(open().status().unwrap(), status);
}
