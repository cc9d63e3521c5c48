//! The thief with a core: after each shred all memory of the running server is taken, and searched for
//! every key that led to what is forgotten by now, and for what is forgotten itself.
//!
//! Which keys these are is told from outside: from copies of the root and of the key pages before and
//! after, with the thief's tools of the key tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use aho_corasick::AhoCorasick;
use hkdf::Hkdf;
use oubliette_keytree::sabotage::Loot;
use oubliette_keytree::{AccountTag, Generation, LeafAddress, PageId};
use oubliette_seal::RecordHeader;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use sha2::Sha512;

use crate::support::{Sidecar, skip};

type Key = [u8; 32];
/// Keys, and what they are of.
type Keys = BTreeMap<Key, &'static str>;

/// All that a thief can open at one time with the root in force.
#[derive(Debug)]
struct Sight {
    root: Key,
    loot: Loot,
}

impl Sight {
    fn of(sidecar: &Sidecar) -> Self {
        let root = root_key(&sidecar.keys_dir().join("root.key"));
        let catalog = sidecar.data_dir().join("catalog.sqlite");
        let catalog = Connection::open_with_flags(catalog, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let catalog = catalog.unwrap();
        let mut rows = catalog.prepare("SELECT page_id, generation, bytes FROM key_pages").unwrap();
        let rows = rows.query_map([], |row| {
            let (id, generation): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((id.unsigned_abs(), generation.unsigned_abs(), row.get(2)?))
        });
        let rows = rows.unwrap();
        let pages: Vec<_> = rows
            .map(|row| row.unwrap())
            .map(|(id, generation, bytes)| (PageId::new(id), Generation::new(generation), bytes))
            .collect();
        let loot = Loot::with_key(&root, &pages);
        assert!(!loot.secrets().is_empty(), "the root opens the pages");
        Self { root, loot }
    }

    /// The keys of a leaf: one that lives, or none. An account that begins anew has others.
    fn leaves(&self, (account, address): (AccountTag, LeafAddress)) -> BTreeSet<Key> {
        let keys = self.loot.leaf_keys(account, address);
        keys.iter().map(|key| *key.expose_secret()).collect()
    }

    /// Every key from which the key of a payload can be had, and that itself.
    fn keys_of(&self, (account, address): (AccountTag, LeafAddress), keys: &mut Keys) {
        self.loot.for_each_key_above(account, address, |key| {
            keys.insert(*key, "a node on the path");
        });
        for leaf in self.loot.leaf_keys(account, address) {
            // As docs/format.md has it, and not by the code under test.
            let mut both = [0; 64];
            let place = address.to_bits().to_be_bytes();
            let info =
                [b"oubliette/v1/record/AEAD_AES_256_GCM\0", account.as_bytes().as_slice(), &place];
            Hkdf::<Sha512>::new(Some(b"oubliette/v1/record"), leaf.expose_secret())
                .expand_multi_info(&info, &mut both)
                .unwrap();
            assert_eq!(
                both[32..],
                oubliette_seal::commitment(&leaf, account, address),
                "derived as records are"
            );
            keys.insert(*leaf.expose_secret(), "a leaf");
            keys.insert(*both.first_chunk().unwrap(), "a payload key");
        }
    }

    fn secrets(&self) -> Keys {
        let inner = self.loot.secrets().into_iter().map(|key| (key, "a node or a page key"));
        inner.chain([(self.root, "the root")]).collect()
    }
}

/// See the layout in docs/format.md: one of two slots holds the key, the other zeros.
fn root_key(path: &Path) -> Key {
    let file = File::open(path).unwrap();
    let mut key = [0; 32];
    for at in [17, (64 << 10) + 17] {
        file.read_exact_at(&mut key, at).unwrap();
        if key != [0; 32] {
            return key;
        }
    }
    panic!("no root key in {}", path.display());
}

/// The places of all records that lie in files below a folder.
fn records(folder: &Path, found: &mut BTreeSet<(AccountTag, LeafAddress)>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            records(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            let places = memchr::memmem::find_iter(&bytes, b"OUBR");
            let headers = places.filter_map(|at| RecordHeader::parse(&bytes[at..]).ok());
            found.extend(headers.map(|header| (header.account(), header.address())));
        }
    }
}

/// All writable memory of a process, as a core of it would hold.
fn core_of(process: u32) -> io::Result<Vec<Vec<u8>>> {
    let maps = BufReader::new(File::open(format!("/proc/{process}/maps"))?);
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let mut core = Vec::new();
    for line in maps.lines() {
        let line = line?;
        let mut fields = line.split(' ');
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // A region may be gone by now, or be of a device.
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            core.push(bytes);
        }
    }
    Ok(core)
}

/// Which of these keys lie in the core, told by their later halves: where memory was given back, the
/// allocator has written over the first 16 bytes.
fn found(core: &[Vec<u8>], keys: &Keys) -> Keys {
    let search = AhoCorasick::new(keys.keys().map(|key| &key[16..])).unwrap();
    let keys: Vec<_> = keys.iter().collect();
    let hits = core.iter().flat_map(|bytes| search.find_iter(bytes));
    hits.map(|hit| keys[hit.pattern().as_usize()]).map(|(key, of)| (*key, *of)).collect()
}

#[test]
fn nothing_forgotten_is_in_a_core_of_the_server() {
    let sidecar = Sidecar::start(&["spool.max_age=1s"], &[]);
    if let Err(error) = core_of(sidecar.id()) {
        // As it should be; root with the right to trace may do so all the same.
        skip(&format!("this user may not look into processes: {error}"));
        return;
    }
    // So many accounts that the key pages have several levels, and a key of its own each.
    for n in 0..150 {
        let account = json!({ "id": format!("crowd-{n}") });
        sidecar.operator().post("/v1/accounts", &account).expect_status(201);
    }
    let (acme, other) = (sidecar.account("acme"), sidecar.account("other"));
    acme.grant_everything();
    let marker = |exchange: &str| format!("marker-of-{exchange}-{:x}", 0x5eed_cafe_u32);
    for (account, name) in [(&acme, "a"), (&other, "b")] {
        for n in 0..6 {
            let exchange = format!("{name}{n}");
            let text = format!(r#"{{"input":"{} jo@example.com"}}"#, marker(&exchange));
            account.capture(&exchange, &text, "");
        }
    }
    for n in 0..6 {
        let read = acme.read(&format!("a{n}"), "request");
        assert!(String::from_utf8(read.bytes).unwrap().contains(&marker(&format!("a{n}"))));
    }

    let shred = |exchange: &str| {
        let asked = acme.owner.delete(&acme.path(&format!("/exchanges/{exchange}")));
        asked.expect_status(200);
    };
    let steps: [(&[&str], &dyn Fn()); 5] = [
        (&["a0"], &|| shred("a0")),
        (&["a3"], &|| shred("a3")),
        (&[], &|| {
            sidecar.operator().post("/v1/keys/rotate", &json!({})).expect_status(200);
        }),
        (&["b0", "b1", "b2", "b3", "b4", "b5"], &|| {
            other.owner.post(&other.path("/shred"), &json!({})).expect_status(200);
        }),
        (&["a1", "a2", "a4", "a5"], &|| {
            sidecar.operator().delete(&acme.path("")).expect_status(200);
        }),
    ];
    let mut dead = Keys::new();
    let mut gone: Vec<String> = Vec::new();
    for (exchanges, forget) in steps {
        let mut places = BTreeSet::new();
        records(&sidecar.data_dir(), &mut places);
        let before = Sight::of(&sidecar);
        let core = core_of(sidecar.id()).unwrap();
        let lives = found(&core, &before.secrets());
        assert!(lives.len() > 20, "what lives is found, so the search is no sham: {}", lives.len());
        drop(core);

        forget();

        let core = core_of(sidecar.id()).unwrap();
        let after = Sight::of(&sidecar);
        assert_ne!(before.root, after.root);
        let mut died = 0;
        for place in places {
            let lived = before.leaves(place);
            if !lived.is_empty() && lived.is_disjoint(&after.leaves(place)) {
                before.keys_of(place, &mut dead);
                died += 1;
            }
        }
        assert_eq!(died, exchanges.len(), "each in one record");
        let living = after.secrets();
        let died = before.secrets().into_iter().filter(|(key, _)| !living.contains_key(key));
        for (key, of) in died {
            dead.entry(key).or_insert(of);
        }
        gone.extend(exchanges.iter().map(|exchange| marker(exchange)));
        let keys = found(&core, &dead);
        let of: Vec<_> = keys.values().collect();
        assert!(keys.is_empty(), "{} of {} dead keys in the core: {of:?}", keys.len(), dead.len());
        let search = AhoCorasick::new(&gone).unwrap();
        let bodies: BTreeSet<_> = core
            .iter()
            .flat_map(|bytes| search.find_iter(bytes))
            .map(|hit| &gone[hit.pattern().as_usize()])
            .collect();
        assert!(bodies.is_empty(), "bodies in the core: {bodies:?}");
    }
    assert!(dead.len() > 100, "nodes, page keys, leaves, payload keys and roots: {}", dead.len());
}
