//! Shredding, expiring, sweeping, and the list of keys to erase.

use super::{
    Bench, HOUR_MS, NOW, account, asked, assert_bare, both, enter, exchange_id, hour, is_live,
    leaf, leaf_in, one, refused, with_acme,
};
use crate::{
    account::{AccountId, SettingsChange},
    capture::{CaptureState, Entry, Part, Parts},
    catalog::Catalog,
    error::CatalogErrorKind::NotFound,
    exchange::Exchange,
    page::{CaptureFilter, Order},
    shred::{ShredReason, ShredTarget},
};

pub(super) async fn all(bench: &dyn Bench) {
    shredding_one(bench).await;
    shredding_what_is_yet_to_come(bench).await;
    shredding_an_account(bench).await;
    expiring(bench).await;
    hours_are_due(bench).await;
    the_clock_of_expiry(bench).await;
    the_list_survives(bench).await;
}

async fn shredding_one(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    enter(&*catalog, vec![both(&acme, "x1", NOW, 1), both(&acme, "x2", NOW, 2)]).await;
    let x1 = exchange_id("x1");

    let shreds = catalog.mark_shredded(&acme, &x1, Parts::Request, asked(NOW + 1)).await.unwrap();
    let [shred] = &shreds[..] else { panic!("{shreds:?}") };
    assert_eq!((shred.target, shred.reason), (ShredTarget::Leaf(leaf(2)), ShredReason::Shredded));
    let record = catalog.exchange(&acme, &x1).await.unwrap();
    assert_eq!(record.captures[0].state, CaptureState::Shredded);
    assert_eq!(record.captures[0].forgotten_at, Some(NOW + 1));
    assert_bare(&record.captures[0]);
    assert_eq!(record.captures[1].state, CaptureState::Stored);
    assert!(record.exchange.trace_id.is_some(), "the response still needs it");
    assert!(!is_live(&*catalog, &acme, leaf(2)).await);

    let shreds = catalog.mark_shredded(&acme, &x1, Parts::Both, asked(NOW + 2)).await.unwrap();
    assert_eq!(shreds.iter().map(|s| s.target).collect::<Vec<_>>(), [ShredTarget::Leaf(leaf(3))]);
    let record = catalog.exchange(&acme, &x1).await.unwrap();
    assert_eq!(record.exchange, Exchange::new(acme.clone(), x1.clone(), NOW));
    assert_eq!(record.captures[0].forgotten_at, Some(NOW + 1), "the first time counts");
    assert_eq!(catalog.mark_shredded(&acme, &x1, Parts::Both, asked(NOW + 3)).await.unwrap(), []);

    let neighbour = catalog.exchange(&acme, &exchange_id("x2")).await.unwrap();
    assert!(neighbour.captures.iter().all(|c| c.state == CaptureState::Stored));
    assert_eq!(neighbour.exchange.trace_id.as_deref(), Some("trace-of-the-exchange"));
    let audited = async || {
        let rows = catalog.audit(None, Order::Oldest, None, 10).await.unwrap().items;
        rows.iter().map(|row| row.event.at).collect::<Vec<_>>()
    };
    assert_eq!(audited().await, [NOW + 1, NOW + 2, NOW + 3], "each time it was asked for");
    let x3 = exchange_id("x3");
    let missing = catalog.mark_shredded(&acme, &x3, Parts::Both, asked(NOW));
    refused(missing, NotFound).await;
    assert_eq!(audited().await.len(), 3, "what was not done is not said to be");

    // The gateway tries again with what was shredded: it does not come back.
    let again = catalog.insert_batch(vec![both(&acme, "x1", NOW, 30)], NOW).await.unwrap();
    let dead =
        |entry: &Entry| matches!(entry, Entry::Duplicate(c) if c.state == CaptureState::Shredded);
    assert!(again[0].iter().all(dead), "{again:?}");
    assert_eq!(catalog.exchange(&acme, &x1).await.unwrap(), record);
    let orphans = catalog.pending_shreds(Some(shreds[0].id), 10).await.unwrap();
    let orphans: Vec<_> = orphans.iter().map(|s| s.target).collect();
    assert_eq!(orphans, [ShredTarget::Leaf(leaf(60)), ShredTarget::Leaf(leaf(61))]);
}

async fn shredding_what_is_yet_to_come(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    enter(&*catalog, vec![one(&acme, "x1", Part::Request, leaf(1))]).await;
    catalog.mark_shredded(&acme, &exchange_id("x1"), Parts::Both, asked(NOW)).await.unwrap();
    let late = vec![one(&acme, "x1", Part::Response, leaf(2))];
    assert_eq!(catalog.insert_batch(late, NOW).await.unwrap(), [[Entry::Forgotten]]);
    let record = catalog.exchange(&acme, &exchange_id("x1")).await.unwrap();
    assert_eq!(record.captures.len(), 1);
    assert_eq!(record.exchange.trace_id, None);
    let pending = catalog.pending_shreds(None, 10).await.unwrap();
    assert_eq!(pending.last().unwrap().target, ShredTarget::Leaf(leaf(2)));
}

async fn shredding_an_account(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let other = account("other");
    catalog.create_account(&other, NOW).await.unwrap();
    let old = (0..5).map(|n| both(&acme, &format!("x{n}"), NOW, n)).collect();
    enter(&*catalog, old).await;
    enter(&*catalog, vec![both(&other, "y", NOW, 1)]).await;
    catalog.retire_addresses(&acme, vec![leaf(900)], NOW).await.unwrap();

    let shred = catalog.mark_account_shredded(&acme, asked(NOW + 1)).await.unwrap();
    assert_eq!(shred.target, ShredTarget::Account);
    let pending = catalog.pending_shreds(None, 10).await.unwrap();
    assert_eq!(pending, [shred], "the whole tree includes every leaf");
    enter(&*catalog, vec![both(&acme, "new", NOW + 2, 50)]).await;

    // The same before and after the rows are cleared, however the clearing is cut.
    for limit in [0, 3, 1000] {
        if limit > 0 {
            catalog.sweep(limit).await.unwrap();
        }
        for n in 0..5 {
            let id = exchange_id(&format!("x{n}"));
            let record = catalog.exchange(&acme, &id).await.unwrap();
            assert_eq!(record.exchange, Exchange::new(acme.clone(), id, NOW));
            for capture in &record.captures {
                assert_eq!(capture.state, CaptureState::Shredded);
                assert_eq!(capture.forgotten_at, Some(NOW + 1));
                assert_bare(capture);
                assert!(!is_live(&*catalog, &acme, capture.address).await);
            }
        }
        assert_eq!(count(&*catalog, &acme, CaptureState::Shredded).await, 10);
        assert_eq!(count(&*catalog, &acme, CaptureState::Stored).await, 2, "what came after");
        assert_eq!(count(&*catalog, &other, CaptureState::Stored).await, 2, "the neighbour");
        assert!(catalog.exchange(&acme, &exchange_id("new")).await.unwrap().is_live());
    }
    assert_eq!(catalog.sweep(1000).await.unwrap(), 0);
    refused(catalog.mark_account_shredded(&account("nobody"), asked(NOW)), NotFound).await;
}

async fn expiring(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let hours = 500_000..500_006;
    let new = hours.clone().map(|h| both(&acme, &format!("h{h}"), i64::from(h) * HOUR_MS, 1));
    enter(&*catalog, new.collect()).await;

    let mark = |h, now| {
        let nobody = (account("nobody"), hour(h));
        catalog.mark_expired_before(vec![nobody, (acme.clone(), hour(h))], now)
    };
    mark(500_003, NOW + 1).await.unwrap();
    // An earlier hour does not bring anything back.
    mark(500_001, NOW + 2).await.unwrap();
    for limit in [0, 1, 4, 1000] {
        if limit > 0 {
            let swept = catalog.sweep(limit).await.unwrap();
            assert!(swept <= limit);
        }
        for h in hours.clone() {
            let record = catalog.exchange(&acme, &exchange_id(&format!("h{h}"))).await.unwrap();
            let expired = h < 500_003;
            assert_eq!(record.is_live(), !expired, "hour {h}");
            assert_eq!(record.exchange.trace_id.is_none(), expired);
            for capture in record.captures.iter().filter(|_| expired) {
                assert_eq!(capture.state, CaptureState::Expired);
                assert_eq!(capture.forgotten_at, Some(NOW + 1));
                assert_bare(capture);
            }
        }
        assert_eq!(count(&*catalog, &acme, CaptureState::Expired).await, 6);
    }
    assert_eq!(catalog.pending_shreds(None, 10).await.unwrap(), [], "the hour is pruned as one");

    // Too late for its hour, and a shred of what is dead already finds nothing to do.
    let late = vec![one(&acme, "late", Part::Request, leaf_in(500_002, 77))];
    assert_eq!(catalog.insert_batch(late, NOW).await.unwrap(), [[Entry::Forgotten]]);
    let again =
        catalog.mark_shredded(&acme, &exchange_id("h500000"), Parts::Both, asked(NOW)).await;
    assert_eq!(again.unwrap(), []);
}

async fn hours_are_due(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let other = account("other");
    catalog.create_account(&other, NOW).await.unwrap();
    let long = SettingsChange { retention_days: Some(30), ..SettingsChange::default() };
    catalog.change_settings(&other, long, "o", NOW).await.unwrap();
    let due = async |catalog: &dyn Catalog, before, limit| {
        let due = catalog.due_hours(hour(before), limit).await.unwrap();
        due.into_iter().map(|(id, days)| format!("{id} {days}")).collect::<Vec<_>>()
    };
    refused(catalog.note_hour(&account("nobody"), hour(1)), NotFound).await;
    for h in [500_000, 500_002] {
        for _ in 0..2 {
            catalog.note_hour(&acme, hour(h)).await.unwrap();
            catalog.note_hour(&other, hour(h)).await.unwrap();
        }
    }
    // A row is a note, too.
    enter(&*catalog, vec![both(&acme, "x1", 500_001 * HOUR_MS, 1)]).await;
    let catalog = bench.reopen(catalog).await;
    assert_eq!(due(&*catalog, 500_000 + 168, 9).await, [""; 0], "its last hour is not over");
    assert_eq!(due(&*catalog, 500_000 + 169, 9).await, ["acme 7"]);
    assert_eq!(due(&*catalog, 500_003 + 168, 9).await, ["acme 7"; 3]);
    assert_eq!(due(&*catalog, 500_003 + 168, 2).await, ["acme 7"; 2]);
    let all = ["acme 7", "acme 7", "acme 7", "other 30", "other 30"];
    assert_eq!(due(&*catalog, 500_003 + 720, 9).await, all, "the oldest first");

    // A retention works backwards, whether it is shortened or lengthened.
    for (days, wanted) in [(1, vec!["other 1"; 2]), (30, vec![])] {
        let change = SettingsChange { retention_days: Some(days), ..SettingsChange::default() };
        catalog.change_settings(&other, change, "o", NOW).await.unwrap();
        assert_eq!(due(&*catalog, 500_003 + 24, 9).await, wanted);
    }
    let struck = vec![(acme.clone(), hour(500_002)), (account("nobody"), hour(500_009))];
    assert_eq!(catalog.strike_hours(struck.clone()).await.unwrap(), 2);
    assert_eq!(catalog.strike_hours(struck).await.unwrap(), 0);
    let catalog = bench.reopen(catalog).await;
    assert_eq!(due(&*catalog, 500_003 + 720, 9).await, ["acme 7", "other 30", "other 30"]);
    catalog.remove_account(&other, NOW).await.unwrap();
    assert_eq!(due(&*catalog, 600_000, 9).await, ["acme 7"], "nothing is left of it to expire");
}

async fn the_clock_of_expiry(bench: &dyn Bench) {
    let catalog = bench.fresh().await;
    assert_eq!(catalog.expiry_clock().await.unwrap(), None);
    catalog.set_expiry_clock(NOW).await.unwrap();
    catalog.set_expiry_clock(NOW - 1).await.unwrap();
    let catalog = bench.reopen(catalog).await;
    assert_eq!(catalog.expiry_clock().await.unwrap(), Some(NOW), "it never goes back");
    catalog.set_expiry_clock(NOW + 1).await.unwrap();
    assert_eq!(catalog.expiry_clock().await.unwrap(), Some(NOW + 1));
}

async fn the_list_survives(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    enter(&*catalog, vec![both(&acme, "x1", NOW, 1)]).await;
    let addresses = vec![leaf(10), leaf(2), leaf(11), leaf(10)];
    let shreds = catalog.retire_addresses(&acme, addresses, NOW).await.unwrap();
    let targets: Vec<_> = shreds.iter().map(|s| s.target).collect();
    let leaf_target = |n| ShredTarget::Leaf(leaf(n));
    assert_eq!(targets, [10, 11, 10].map(leaf_target), "leaf 2 is alive");
    assert_eq!(shreds[0], shreds[2], "once on the list is enough");
    refused(catalog.retire_addresses(&account("nobody"), vec![leaf(1)], NOW), NotFound).await;

    let catalog = bench.reopen(catalog).await;
    let pending = catalog.pending_shreds(None, 10).await.unwrap();
    assert_eq!(pending, shreds[..2]);
    assert_eq!(catalog.pending_shreds(None, 1).await.unwrap(), shreds[..1]);
    assert_eq!(catalog.pending_shreds(Some(shreds[0].id), 10).await.unwrap(), shreds[1..2]);
    catalog.complete_shreds(vec![shreds[0].id, 999_999]).await.unwrap();
    assert_eq!(catalog.pending_shreds(None, 10).await.unwrap(), shreds[1..2]);

    catalog.complete_shreds(vec![shreds[1].id]).await.unwrap();
    let catalog = bench.reopen(catalog).await;
    assert_eq!(catalog.pending_shreds(None, 10).await.unwrap(), []);
    let next = catalog.retire_addresses(&acme, vec![leaf(12)], NOW).await.unwrap();
    assert!(next[0].id > shreds[1].id, "numbers are never used again");
}

async fn count(catalog: &dyn Catalog, account: &AccountId, state: CaptureState) -> usize {
    let filter = CaptureFilter { state: Some(state), limit: 1000, ..Default::default() };
    catalog.captures(account, filter).await.unwrap().items.len()
}
