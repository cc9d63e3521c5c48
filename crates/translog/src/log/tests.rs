//! The log: batches, crashes, proofs against a naive tree, published tiles, receipts and what is done to
//! them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::{Change, Erased, Reason, Receipt, Statement, verify};

const SEED: [u8; 32] = [7; 32];

fn open(folder: &Path, generation: u64) -> Result<Log, LogError> {
    Log::open(folder, LogKey::from_seed(&SEED), generation)
}

fn leaf(number: u64) -> Vec<u8> {
    format!("leaf {number}").into_bytes()
}

/// RFC 6962, section 2.1, as it is written.
fn naive_root(leaves: &[Vec<u8>]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => Sha256::new().chain_update([0]).chain_update(leaf).finalize().into(),
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            let node = Sha256::new().chain_update([1]).chain_update(naive_root(left));
            node.chain_update(naive_root(right)).finalize().into()
        }
    }
}

fn statement(number: u64) -> Statement {
    Statement::new(
        Reason::Request,
        1_793_000_000_000,
        Change { from: number, to: number + 1 },
        Change { from: "00".repeat(32), to: "11".repeat(32) },
        vec![Erased::payloads("ab".repeat(16), vec![hex::encode([number as u8; 32])])],
    )
}

/// A log of some statements, and the receipt of one.
fn a_receipt(size: u64, of: u64) -> (tempfile::TempDir, Log, Receipt) {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), 0).unwrap();
    let leaves: Vec<_> = (0..size).map(|n| statement(n).to_bytes()).collect();
    log.prepare(size, &leaves).unwrap();
    log.commit(size).unwrap();
    let receipt = Receipt::new(statement(of), log.inclusion(of).unwrap());
    (folder, log, receipt)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn heads_proofs_and_tiles_are_those_of_the_naive_tree(
        batches in prop::collection::vec(1u64..40, 1..16),
        earlier in 0usize..16,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut log = open(folder.path(), 0).unwrap();
        let mut leaves = Vec::new();
        let mut heads = vec![log.checkpoint().to_owned()];
        let mut published = BTreeMap::new();
        for (at, count) in batches.iter().enumerate() {
            let batch: Vec<_> = (0..*count).map(|n| leaf(leaves.len() as u64 + n)).collect();
            let since = log.size();
            log.prepare(at as u64 + 1, &batch).unwrap();
            prop_assert_eq!(log.commit(at as u64 + 1).unwrap(), since..since + count);
            leaves.extend(batch);
            heads.push(log.checkpoint().to_owned());
            published.extend(log.tiles(since).unwrap());
        }
        let root = naive_root(&leaves);
        prop_assert_eq!(log.root().unwrap().0, root);
        for head in &heads {
            log.check_grew_from(head).unwrap();
        }
        log.check_all().unwrap();
        let size = log.size();
        for index in [0, size / 2, size - 1] {
            prop_assert_eq!(log.leaf(index).unwrap(), leaf(index));
            let proof = log.inclusion(index).unwrap();
            let hashes: Vec<_> = proof.proof.iter()
                .map(|text| Hash(STANDARD.decode(text).unwrap().try_into().unwrap())).collect();
            tlog_tiles::check_record(&hashes, size, Hash(root), index, record_hash(&leaf(index))).unwrap();
        }
        // What was published holds every leaf and the head.
        prop_assert_eq!(&published["checkpoint"], log.checkpoint().as_bytes());
        let mut read = Vec::new();
        for tile in 0..=size / 256 {
            let width = (size - tile * 256).min(256);
            let partial = if width == 256 { String::new() } else { format!(".p/{width}") };
            let Some(bundle) = published.get(&format!("tile/entries/{tile:03}{partial}")) else { continue };
            let mut rest = bundle.as_slice();
            while let Some((len, more)) = rest.split_first_chunk::<2>() {
                let (leaf, more) = more.split_at(usize::from(u16::from_be_bytes(*len)));
                read.push(leaf.to_vec());
                rest = more;
            }
            let tile = &published[&format!("tile/0/{tile:03}{partial}")];
            prop_assert_eq!(tile.len() as u64, width * 32);
        }
        prop_assert_eq!(&read, &leaves);

        // Opened again it is the same log; opened with another past it is refused.
        drop(log);
        let log = open(folder.path(), batches.len() as u64).unwrap();
        prop_assert_eq!(log.root().unwrap().0, root);
        prop_assert_eq!(log.checkpoint(), heads.last().unwrap().as_str());
        drop(log);
        let file = folder.path().join("leaves");
        let bytes = std::fs::read(&file).unwrap();
        let (_, all) = file::open(&file).unwrap();
        let cut = all[earlier % all.len()].start;
        std::fs::write(&file, &bytes[..usize::try_from(cut).unwrap()]).unwrap();
        let error = open(folder.path(), batches.len() as u64).unwrap_err();
        prop_assert_eq!(error.kind(), LogErrorKind::Damaged);
    }
}

#[test]
fn what_was_prepared_counts_if_its_generation_was_reached() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), 0).unwrap();
    log.prepare(1, &[leaf(0)]).unwrap();
    log.commit(1).unwrap();
    log.prepare(2, &[leaf(1), leaf(2)]).unwrap();
    assert_eq!(log.size(), 1, "not in force");
    drop(log); // the power goes; the root key was not replaced
    let mut log = open(folder.path(), 1).unwrap();
    assert_eq!(log.size(), 1);
    log.prepare(2, &[leaf(3)]).unwrap(); // another attempt, and a failure
    log.prepare(2, &[leaf(4)]).unwrap(); // and another, after which the power goes late
    drop(log);
    let log = open(folder.path(), 2).unwrap();
    assert_eq!((log.size(), log.leaf(1).unwrap()), (2, leaf(4)));
    drop(log);
    let error = open(folder.path(), 0).unwrap_err();
    assert_eq!(error.kind(), LogErrorKind::Damaged, "two generations of a later root");
}

#[test]
fn what_was_prepared_in_vain_never_counts_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), 0).unwrap();
    log.prepare(1, &[leaf(0)]).unwrap(); // and the root key is not replaced
    log.prepare(1, &[]).unwrap(); // but by another commit it is, which forgets nothing
    assert_eq!(log.commit(1).unwrap(), 0..0);
    log.prepare(2, &[leaf(0)]).unwrap(); // in vain again
    assert_eq!(log.commit(1).unwrap(), 0..0, "a commit that had nothing to do reaches nothing new");
    drop(log);
    let mut log = open(folder.path(), 1).unwrap();
    assert_eq!(log.size(), 0);
    log.prepare(2, &[leaf(1)]).unwrap(); // the power goes
    drop(log);
    drop(open(folder.path(), 1).unwrap()); // it was in vain, and whoever opens next may go further
    assert_eq!(open(folder.path(), 2).unwrap().size(), 0);
}

#[test]
fn a_tail_torn_at_any_byte_is_dropped_and_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), 0).unwrap();
    log.prepare(1, &[leaf(0)]).unwrap();
    log.commit(1).unwrap();
    let whole = log.end;
    log.prepare(2, &[leaf(1)]).unwrap();
    drop(log);
    let path = folder.path().join("leaves");
    let bytes = std::fs::read(&path).unwrap();
    for end in usize::try_from(whole).unwrap()..bytes.len() {
        std::fs::write(&path, &bytes[..end]).unwrap();
        let mut log = open(folder.path(), 1).unwrap();
        assert_eq!(log.size(), 1);
        log.prepare(2, &[leaf(2)]).unwrap();
        drop(log);
        let (_, batches) = file::open(&path).unwrap();
        assert_eq!(batches[1].leaves, [leaf(2)]);
    }
    std::fs::write(&path, b"OUBL").unwrap();
    assert!(open(folder.path(), 2).is_err(), "a head was signed, and the leaves are gone");
    std::fs::write(&path, b"something else").unwrap();
    assert_eq!(open(folder.path(), 2).unwrap_err().kind(), LogErrorKind::Damaged);
}

#[test]
fn a_tail_that_is_not_what_was_written_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), 0).unwrap();
    log.prepare(1, &[leaf(0)]).unwrap();
    log.commit(1).unwrap();
    let whole = usize::try_from(log.end).unwrap();
    log.prepare(2, &[leaf(1)]).unwrap();
    drop(log);
    let path = folder.path().join("leaves");
    let bytes = std::fs::read(&path).unwrap();
    for at in whole..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= 1;
        std::fs::write(&path, &bent).unwrap();
        assert_eq!(open(folder.path(), 2).unwrap().size(), 1, "byte {at}");
    }
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(open(folder.path(), 2).unwrap().size(), 2, "its generation was reached");
}

#[test]
fn a_leaf_changed_on_disk_is_noticed() {
    let (folder, log, _) = a_receipt(5, 2);
    log.check_all().unwrap();
    let path = folder.path().join("leaves");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(log.check_all().unwrap_err().kind(), LogErrorKind::Damaged);
}

#[test]
fn a_log_of_another_key_or_another_past_is_refused() {
    let (_folder, log, _) = a_receipt(5, 2);
    let (_other_folder, other, _) = a_receipt(6, 2);
    log.check_grew_from(log.checkpoint()).unwrap();
    let error = log.check_grew_from(other.checkpoint()).unwrap_err();
    assert!(error.to_string().contains("cut back"), "{error}");
    let fork = other.checkpoint().to_owned();
    other.check_grew_from(log.checkpoint()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut forked = open(folder.path(), 0).unwrap();
    forked.prepare(1, &(0..9).map(leaf).collect::<Vec<_>>()).unwrap();
    forked.commit(1).unwrap();
    assert!(forked.check_grew_from(&fork).unwrap_err().to_string().contains("forked"));
    let stranger = Log::open(folder.path(), LogKey::from_seed(&[8; 32]), 1).unwrap_err();
    assert_eq!(stranger.kind(), LogErrorKind::Damaged);
}

#[test]
fn a_receipt_verifies_and_says_what_was_claimed() {
    for (size, of) in [(1, 0), (2, 1), (7, 3), (300, 255), (300, 299)] {
        let (_folder, log, receipt) = a_receipt(size, of);
        let text = serde_json::to_vec_pretty(&receipt).unwrap();
        let verified = verify(&text, log.key().verifier_key()).unwrap();
        assert_eq!(verified.statement, statement(of));
        assert_eq!((verified.index, verified.size), (of, size));
        assert_eq!(verified.origin, log.key().origin());
    }
}

/// One way to spoil a receipt.
type Spoil = fn(&mut Receipt);

#[test]
fn a_receipt_that_was_changed_anywhere_does_not_verify() {
    let (_folder, log, good) = a_receipt(7, 3);
    let spoils: &[(&str, Spoil)] = &[
        ("another reason", |it| it.shred.reason = Reason::Expiry),
        ("another time", |it| it.shred.requested_at += 1),
        ("another generation", |it| it.shred.generation.to += 1),
        ("a generation that went back", |it| it.shred.generation.from = 9),
        ("another directory", |it| it.shred.directory.to = "22".repeat(32)),
        ("another account", |it| it.shred.erased[0].account = "cd".repeat(16)),
        ("another key", |it| {
            it.shred.erased[0] = Erased::payloads("ab".repeat(16), vec!["00".repeat(32)])
        }),
        ("more keys", |it| it.shred.erased.push(Erased::all("ab".repeat(16)))),
        ("no keys", |it| it.shred.erased.clear()),
        ("another count", |it| it.shred.count = 2),
        ("another kind", |it| it.shred.statement = "oubliette/v2/shred".into()),
        ("another place", |it| it.log.index = 2),
        ("a place outside", |it| it.log.index = 7),
        ("a shorter proof", |it| drop(it.log.proof.pop())),
        ("a longer proof", |it| it.log.proof.push(STANDARD.encode([0; 32]))),
        ("another proof", |it| it.log.proof[0] = STANDARD.encode([0; 32])),
        ("a proof of no hashes", |it| it.log.proof[0] = "AAAA".into()),
        ("another size", |it| it.log.checkpoint = it.log.checkpoint.replacen("\n7\n", "\n8\n", 1)),
        ("no signature", |it| {
            let end = it.log.checkpoint.find('\u{2014}').unwrap();
            it.log.checkpoint.truncate(end);
        }),
        ("a signed note that is no checkpoint", |it| {
            it.log.checkpoint = LogKey::from_seed(&SEED).sign(b"hello\n");
        }),
        ("a checkpoint of another log", |it| {
            let head = Checkpoint::new("elsewhere", 7, Hash([0; 32]), "").unwrap();
            it.log.checkpoint = LogKey::from_seed(&SEED).sign(&head.to_bytes());
        }),
        ("a log of impossible size", |it| {
            let key = LogKey::from_seed(&SEED);
            let head = Checkpoint::new(key.origin(), u64::MAX, Hash([0; 32]), "").unwrap();
            it.log.checkpoint = key.sign(&head.to_bytes());
        }),
        ("another key's signature", |it| {
            let key = LogKey::from_seed(&[9; 32]);
            let text = it.log.checkpoint.split("\n\n").next().unwrap().to_owned() + "\n";
            it.log.checkpoint = key.sign(text.as_bytes());
        }),
    ];
    for (what, spoil) in spoils {
        let mut receipt = good.clone();
        spoil(&mut receipt);
        assert_ne!(receipt, good, "{what} changes something");
        let text = serde_json::to_vec(&receipt).unwrap();
        let error = verify(&text, log.key().verifier_key()).expect_err(what);
        assert_eq!(error.kind(), LogErrorKind::Invalid, "{what}");
    }
    let text = serde_json::to_string(&good).unwrap();
    let extra = text.replacen('{', r#"{"note":"trust me","#, 1);
    assert!(verify(extra.as_bytes(), log.key().verifier_key()).is_err(), "an unknown field");
    assert!(verify(text.as_bytes(), LogKey::from_seed(&[9; 32]).verifier_key()).is_err());
    assert!(verify(text.as_bytes(), "no key").is_err());
    assert!(verify(&vec![b' '; crate::MAX_RECEIPT_BYTES + 1], log.key().verifier_key()).is_err());
}

#[test]
fn the_bytes_of_a_leaf_are_fixed() {
    let text = String::from_utf8(statement(1).to_bytes()).unwrap();
    assert_eq!(
        text,
        format!(
            r#"{{"statement":"oubliette/v1/shred","reason":"request","requested_at":1793000000000,"generation":{{"from":1,"to":2}},"directory":{{"from":"{}","to":"{}"}},"erased":[{{"account":"{}","keys":{{"payloads":["{}"]}}}}],"count":1}}"#,
            "00".repeat(32),
            "11".repeat(32),
            "ab".repeat(16),
            "01".repeat(32)
        )
    );
    // The largest statement fits an entry of a tile.
    let commitments = vec!["ff".repeat(32); Statement::MOST];
    let one = vec![Erased::payloads("ab".repeat(16), commitments)];
    let many = vec![Erased::hours_before("ab".repeat(16), u32::MAX); Statement::MOST];
    for erased in [one, many] {
        let largest = Statement { erased, ..statement(1) };
        assert!(largest.to_bytes().len() < 65_535);
    }
    assert!(!text.contains("sha") && !text.contains("body"));
}

/// A log signs what its service puts into it. A verifier need not believe what cannot be.
#[test]
fn a_claim_that_contradicts_itself_does_not_hold_though_it_is_in_the_log() {
    type Spoil = fn(&mut Statement);
    let spoils: [(&str, Spoil); 12] = [
        ("another kind", |it| it.statement.push('2')),
        ("no new generation", |it| it.generation.to = it.generation.from),
        ("an older generation", |it| it.generation.from += 9),
        ("a short directory before", |it| it.directory.from.truncate(62)),
        ("a long directory after", |it| it.directory.to.push('0')),
        ("a directory in capitals", |it| it.directory.to = "AA".repeat(32)),
        ("nothing erased", |it| (it.erased, it.count) = (Vec::new(), 0)),
        ("no account", |it| it.erased[0].account.clear()),
        ("a short account", |it| it.erased.push(Erased::all("ab".repeat(15)))),
        ("a commitment that is none", |it| {
            it.erased.push(Erased::payloads("ab".repeat(16), vec!["xy".repeat(32)]));
            it.count += 1;
        }),
        ("a count too high", |it| it.count += 1),
        ("a count too low", |it| it.count = 0),
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), 0).unwrap();
    let mut statements: Vec<_> = spoils
        .iter()
        .map(|(_, spoil)| {
            let mut statement = statement(3);
            spoil(&mut statement);
            statement
        })
        .collect();
    // Whole accounts and hours count as none: one of each, and it holds.
    let mut sound = statement(3);
    sound.erased.push(Erased::all("cd".repeat(16)));
    sound.erased.push(Erased::hours_before("ef".repeat(16), 9));
    statements.push(sound);
    let leaves: Vec<_> = statements.iter().map(Statement::to_bytes).collect();
    log.prepare(1, &leaves).unwrap();
    log.commit(1).unwrap();
    for (index, statement) in statements.into_iter().enumerate() {
        let index = index as u64;
        let receipt = Receipt::new(statement, log.inclusion(index).unwrap());
        let text = serde_json::to_vec(&receipt).unwrap();
        let verified = verify(&text, log.key().verifier_key());
        match spoils.get(usize::try_from(index).unwrap()) {
            Some((what, _)) => {
                let error = verified.expect_err(what).to_string();
                assert!(error.contains("contradicts itself"), "{what}: {error}");
            }
            None => assert_eq!(verified.unwrap().index, index),
        }
    }
}

#[test]
fn a_receipt_that_no_log_could_give_is_refused_before_its_proof_is_looked_at() {
    let (_folder, log, receipt) = a_receipt(1, 0);
    let most = 1 << 48;
    let hash = STANDARD.encode([1; 32]);
    for (size, hashes, index, fits) in [
        (most, 64, most - 1, true),
        (most + 1, 64, 0, false),
        (most, 65, 0, false),
        (9, 4, 8, true),
        (9, 4, 9, false),
        (9, 4, 10, false),
    ] {
        let head = Checkpoint::new(log.key.origin(), size, Hash([2; 32]), "").unwrap();
        let checkpoint = log.key.sign(&head.to_bytes());
        let claimed = Inclusion { index, proof: vec![hash.clone(); hashes], checkpoint };
        let receipt = serde_json::to_vec(&Receipt::new(receipt.shred.clone(), claimed)).unwrap();
        let error = verify(&receipt, log.key().verifier_key()).unwrap_err().to_string();
        let wanted = if fits { "is not in the log" } else { "does not fit the size" };
        assert!(error.contains(wanted), "{index} of {size} by {hashes}: {error}");
    }
}

#[test]
fn a_receipt_of_the_longest_length_is_read() {
    let (_folder, log, receipt) = a_receipt(1, 0);
    let mut text = serde_json::to_vec(&receipt).unwrap();
    text.resize(crate::MAX_RECEIPT_BYTES, b' ');
    verify(&text, log.key().verifier_key()).unwrap();
}
