//! Entering, finding, listing and replacing.

use std::sync::Arc;

use super::{
    Bench, HOUR_MS, NOW, account, asked, both, enter, exchange, exchange_id, is_live, leaf,
    leaf_in, one, refused, sealed, with_acme,
};
use crate::{
    account::AccountId,
    capture::{
        CaptureState, Entry, LiveSegment, Location, Part, Parts, Relocation, ReplaceOutcome,
        Replacement,
    },
    catalog::Catalog,
    error::CatalogErrorKind::{Conflict, Invalid, NotFound},
    exchange::{Exchange, NewExchange},
    page::{CaptureFilter, Order},
    shred::{ShredReason, ShredTarget},
};

pub(super) async fn all(bench: &dyn Bench) {
    entering(bench).await;
    entering_again(bench).await;
    a_batch_is_one(bench).await;
    the_second_part_later(bench).await;
    replacing(bench).await;
    moving(bench).await;
    listing(bench).await;
    many_at_once(bench).await;
}

async fn entering(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let mut new = both(&acme, "x1", NOW, 1);
    new.exchange.tokens_out = Some(u64::MAX);
    enter(&*catalog, vec![new.clone()]).await;
    catalog.sync().await.unwrap();

    let record = catalog.exchange(&acme, &exchange_id("x1")).await.unwrap();
    assert!(record.is_live());
    let kept = Exchange { tokens_out: record.exchange.tokens_out, ..new.exchange };
    assert_eq!(record.exchange, kept);
    assert!(record.exchange.tokens_out.unwrap() >= u64::MAX / 2, "absurd counts stay absurd");
    let parts: Vec<Part> = record.captures.iter().map(|capture| capture.part).collect();
    assert_eq!(parts, [Part::Request, Part::Response]);
    for (capture, new) in record.captures.iter().zip(&new.captures) {
        assert_eq!(capture.account, acme);
        assert_eq!(capture.exchange, exchange_id("x1"));
        assert_eq!(capture.address, new.address);
        assert_eq!(capture.location.as_ref(), Some(&new.location));
        assert_eq!((capture.captured_at, capture.retention_days), (new.captured_at, 7));
        assert_eq!((capture.state, capture.forgotten_at), (CaptureState::Stored, None));
        assert_eq!((&capture.content_type, &capture.format), (&new.content_type, &new.format));
        assert_eq!((&capture.rule_set, &capture.findings), (&new.rule_set, &new.findings));
        let alone = catalog.capture(&acme, &exchange_id("x1"), capture.part).await.unwrap();
        assert_eq!(&alone, capture);
        assert!(is_live(&*catalog, &acme, new.address).await);
    }
    assert!(!is_live(&*catalog, &acme, leaf(99)).await);

    let other = account("other");
    catalog.create_account(&other, NOW).await.unwrap();
    refused(catalog.exchange(&other, &exchange_id("x1")), NotFound).await;
    refused(catalog.capture(&other, &exchange_id("x1"), Part::Request), NotFound).await;
    assert!(!is_live(&*catalog, &other, leaf(2)).await);
    refused(catalog.exchange(&acme, &exchange_id("x2")), NotFound).await;
    refused(catalog.locations(&account("nobody"), vec![leaf(2)]), NotFound).await;
}

async fn entering_again(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let new = both(&acme, "x1", NOW, 1);
    enter(&*catalog, vec![new.clone()]).await;
    let before = catalog.exchange(&acme, &exchange_id("x1")).await.unwrap();

    let entries = catalog.insert_batch(vec![new.clone()], NOW).await.unwrap();
    let existing = before.captures.iter().cloned().map(|c| Entry::Duplicate(Box::new(c)));
    assert_eq!(entries, [existing.clone().collect::<Vec<_>>()]);
    assert_eq!(catalog.pending_shreds(None, 10).await.unwrap(), [], "the same address is alive");

    // Sealed anew by a gateway that did not hear the answer: the first stays, the second must go.
    let sealed_anew = both(&acme, "x1", NOW, 7);
    let entries = catalog.insert_batch(vec![sealed_anew], NOW + 1).await.unwrap();
    assert_eq!(entries, [existing.collect::<Vec<_>>()]);
    assert_eq!(catalog.exchange(&acme, &exchange_id("x1")).await.unwrap(), before);
    let pending = catalog.pending_shreds(None, 10).await.unwrap();
    let targets: Vec<_> = pending.iter().map(|p| (p.target, p.reason, p.since)).collect();
    let orphan = |n| (ShredTarget::Leaf(leaf(n)), ShredReason::Orphaned, NOW + 1);
    assert_eq!(targets, [orphan(14), orphan(15)]);

    // A record that somebody put on the list meanwhile is not entered any more.
    catalog.retire_addresses(&acme, vec![leaf(40)], NOW).await.unwrap();
    let late = vec![one(&acme, "x9", Part::Request, leaf(40))];
    assert_eq!(catalog.insert_batch(late, NOW).await.unwrap(), [[Entry::Forgotten]]);
    refused(catalog.exchange(&acme, &exchange_id("x9")), NotFound).await;
}

async fn a_batch_is_one(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let none = NewExchange { exchange: exchange(&acme, "x0", NOW), captures: vec![] };
    let first = || one(&acme, "x1", Part::Request, leaf(1));
    refused(catalog.insert_batch(vec![first(), none], NOW), Invalid).await;
    let mut twice = first();
    twice.captures.push(sealed(Part::Request, leaf(2), NOW));
    refused(catalog.insert_batch(vec![twice], NOW), Invalid).await;
    let reused = one(&acme, "x2", Part::Request, leaf(1));
    refused(catalog.insert_batch(vec![first(), reused], NOW), Conflict).await;
    refused(catalog.exchange(&acme, &exchange_id("x1")), NotFound).await;

    // An unknown account is no reason to refuse the others.
    let nobody = account("nobody");
    let batch = vec![both(&nobody, "y", NOW, 3), first()];
    let entries = catalog.insert_batch(batch, NOW).await.unwrap();
    assert_eq!(entries, [vec![Entry::NoAccount, Entry::NoAccount], vec![Entry::Inserted]]);
    assert_eq!(catalog.insert_batch(vec![], NOW).await.unwrap(), [] as [Vec<Entry>; 0]);
}

async fn the_second_part_later(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let mut request = one(&acme, "x1", Part::Request, leaf(1));
    request.exchange.status = None;
    request.exchange.tokens_out = None;
    enter(&*catalog, vec![request]).await;
    let mut response = one(&acme, "x1", Part::Response, leaf(2));
    response.exchange.model = Some("another".into());
    response.exchange.tokens_out = Some(5);
    enter(&*catalog, vec![response]).await;
    let record = catalog.exchange(&acme, &exchange_id("x1")).await.unwrap();
    assert_eq!(record.captures.len(), 2);
    assert_eq!((record.exchange.status, record.exchange.tokens_out), (Some(200), Some(5)));
    assert_eq!(record.exchange.model.as_deref(), Some("gpt"), "what is known stays");
}

async fn replacing(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    enter(&*catalog, vec![both(&acme, "x1", NOW, 1)]).await;
    let mut new = sealed(Part::Request, leaf(50), NOW + 77);
    new.rule_set = Some("57r1c7e2".into());
    new.location.segment = "01JNEWER".into();
    let replacement = Replacement {
        account: acme.clone(),
        exchange: exchange_id("x1"),
        old_address: leaf(2),
        new,
    };
    let again = || catalog.replace_location(replacement.clone(), NOW + 1);
    assert_eq!(again().await.unwrap(), ReplaceOutcome::Replaced);
    let capture = catalog.capture(&acme, &exchange_id("x1"), Part::Request).await.unwrap();
    assert_eq!(capture.address, leaf(50));
    assert_eq!(capture.location.as_ref().unwrap().segment, "01JNEWER");
    assert_eq!(capture.rule_set.as_deref(), Some("57r1c7e2"));
    assert_eq!(capture.captured_at, NOW, "it does not get younger");
    let pending = |reason| {
        let catalog = Arc::clone(&catalog);
        async move {
            let all = catalog.pending_shreds(None, 100).await.unwrap();
            let leaves = all.into_iter().filter(|p| p.reason == reason).map(|p| p.target);
            leaves.collect::<Vec<_>>()
        }
    };
    assert_eq!(pending(ShredReason::Replaced).await, [ShredTarget::Leaf(leaf(2))]);

    // The reply was lost: said again, nothing moves, and nothing alive is put on the list.
    assert_eq!(again().await.unwrap(), ReplaceOutcome::AlreadyReplaced);
    assert_eq!(catalog.pending_shreds(None, 100).await.unwrap().len(), 1);

    // Two jobs: the second finds the address changed, and its own record must go.
    let mut slower = replacement.clone();
    slower.new.address = leaf(51);
    assert_eq!(catalog.replace_location(slower, NOW + 2).await.unwrap(), ReplaceOutcome::Lost);
    assert_eq!(pending(ShredReason::Orphaned).await, [ShredTarget::Leaf(leaf(51))]);
    let kept = catalog.capture(&acme, &exchange_id("x1"), Part::Request).await.unwrap();
    assert_eq!(kept, capture);

    // Shredded while it was being redacted anew: it stays dead.
    catalog.mark_shredded(&acme, &exchange_id("x1"), Parts::Both, asked(NOW + 3)).await.unwrap();
    let mut late = replacement.clone();
    (late.old_address, late.new.address) = (leaf(50), leaf(52));
    assert_eq!(catalog.replace_location(late, NOW + 4).await.unwrap(), ReplaceOutcome::Lost);
    assert!(pending(ShredReason::Orphaned).await.contains(&ShredTarget::Leaf(leaf(52))));
    let dead = catalog.capture(&acme, &exchange_id("x1"), Part::Request).await.unwrap();
    assert_eq!(dead.state, CaptureState::Shredded);

    let mut gone = replacement.clone();
    (gone.exchange, gone.new.address) = (exchange_id("never"), leaf(53));
    assert_eq!(catalog.replace_location(gone, NOW + 4).await.unwrap(), ReplaceOutcome::Lost);
    let mut same = replacement.clone();
    same.new.address = same.old_address;
    refused(catalog.replace_location(same, NOW), Invalid).await;
    let mut another_hour = replacement.clone();
    another_hour.new.address = leaf_in(500_001, 1);
    refused(catalog.replace_location(another_hour, NOW), Invalid).await;
}

async fn moving(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let other = account("other");
    catalog.create_account(&other, NOW).await.unwrap();
    let id = "01JSEGMENT";
    enter(&*catalog, vec![both(&acme, "x1", NOW, 1), both(&other, "x1", NOW, 2)]).await;
    enter(&*catalog, vec![both(&acme, "old", NOW - 3 * HOUR_MS, 3)]).await;
    let live = |captures, bytes| LiveSegment { captures, bytes };
    let segments = catalog.live_segments().await.unwrap();
    assert_eq!(segments, [(id.to_owned(), live(6, 6000))].into());

    let before = catalog.locations(&acme, vec![leaf(2), leaf(99), leaf(3)]).await.unwrap();
    let [Some(from), None, Some(_)] = &before[..] else { panic!("{before:?}") };
    let to = Location {
        segment: "01JANOTHER".into(),
        object: "r7/2027/01/15/09/01JANOTHER.seg".into(),
        offset: 64,
        len: 1000,
    };
    let relocation = |account: &AccountId, address, from: &Location| Relocation {
        account: account.clone(),
        address,
        from: from.clone(),
        to: to.clone(),
    };
    let moves = vec![
        relocation(&acme, leaf(2), from),
        relocation(&acme, leaf(3), &to),   // it does not lie there
        relocation(&acme, leaf(99), from), // there is none
        relocation(&account("nobody"), leaf(2), from),
    ];
    assert_eq!(catalog.relocate(moves.clone()).await.unwrap(), 1);
    assert_eq!(catalog.relocate(moves).await.unwrap(), 0, "done already");
    let moved = catalog.capture(&acme, &exchange_id("x1"), Part::Request).await.unwrap();
    assert_eq!((moved.location.as_ref(), moved.address), (Some(&to), leaf(2)));
    let segments = catalog.live_segments().await.unwrap();
    assert_eq!(segments[id], live(5, 5000));
    assert_eq!(segments["01JANOTHER"], live(1, 1000));

    // However they die, they no longer count.
    catalog.mark_shredded(&acme, &exchange_id("x1"), Parts::Response, asked(NOW)).await.unwrap();
    catalog.mark_expired_before(vec![(acme.clone(), leaf(0).hour())], NOW).await.unwrap();
    assert_eq!(catalog.live_segments().await.unwrap()[id], live(2, 2000));
    assert_eq!(catalog.locations(&acme, vec![leaf(3)]).await.unwrap(), [None]);
    catalog.mark_account_shredded(&other, asked(NOW)).await.unwrap();
    assert!(!catalog.live_segments().await.unwrap().contains_key(id));
    catalog.remove_account(&acme, NOW).await.unwrap();
    assert!(catalog.live_segments().await.unwrap().is_empty());
    refused(catalog.locations(&acme, vec![leaf(2)]), NotFound).await;
    let again = vec![relocation(&acme, leaf(2), &to)];
    assert_eq!(catalog.relocate(again).await.unwrap(), 0);
}

async fn listing(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let other = account("other");
    catalog.create_account(&other, NOW).await.unwrap();
    // Two at each time, so that the cursor has to tell equal times apart.
    let times: Vec<i64> = (0..10).map(|n| NOW + (n / 2) * 1000).collect();
    let new =
        |(n, time): (usize, &i64)| both(&acme, &format!("x{n}"), *time, u32::try_from(n).unwrap());
    enter(&*catalog, times.iter().enumerate().map(new).collect()).await;
    enter(&*catalog, vec![both(&other, "y", NOW, 1)]).await;

    for order in [Order::Oldest, Order::Newest] {
        for limit in [1, 3, 7, 20, 1000] {
            let filter = CaptureFilter { order, limit, ..Default::default() };
            let mut expected: Vec<String> = (0..10).map(|n| format!("x{n}")).collect();
            if order == Order::Newest {
                expected.reverse();
            }
            assert_eq!(exchanges(&*catalog, &acme, filter.clone()).await, expected);
            let captures = captures(&*catalog, &acme, filter).await;
            assert_eq!(captures.len(), 20);
            let times: Vec<i64> = captures.iter().map(|(_, _, at)| *at).collect();
            let rising = times.is_sorted();
            assert_eq!(rising, order == Order::Oldest, "{times:?}");
        }
    }

    let some = |filter| exchanges(&*catalog, &acme, filter);
    let range = CaptureFilter {
        from: Some(NOW + 1000),
        to: Some(NOW + 3000),
        order: Order::Oldest,
        ..Default::default()
    };
    assert_eq!(some(range.clone()).await, ["x2", "x3", "x4", "x5"]);
    let found =
        captures(&*catalog, &acme, CaptureFilter { part: Some(Part::Request), ..range }).await;
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|(_, part, _)| *part == Part::Request));

    catalog.mark_shredded(&acme, &exchange_id("x3"), Parts::Request, asked(NOW)).await.unwrap();
    let dead = CaptureFilter { state: Some(CaptureState::Shredded), ..Default::default() };
    assert_eq!(some(dead.clone()).await, ["x3"]);
    let neither = CaptureFilter { part: Some(Part::Response), ..dead };
    assert_eq!(some(neither).await, [] as [String; 0], "the part and the state of one capture");
    let alive = CaptureFilter { state: Some(CaptureState::Stored), ..Default::default() };
    assert_eq!(captures(&*catalog, &acme, alive).await.len(), 19);
    refused(catalog.exchanges(&account("nobody"), CaptureFilter::default()), NotFound).await;
}

async fn exchanges(
    catalog: &dyn Catalog,
    account: &AccountId,
    mut filter: CaptureFilter,
) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let page = catalog.exchanges(account, filter.clone()).await.unwrap();
        assert!(page.items.len() <= usize::try_from(filter.limit).unwrap());
        seen.extend(page.items.into_iter().map(|record| record.exchange.id.to_string()));
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            return seen;
        }
    }
}

async fn captures(
    catalog: &dyn Catalog,
    account: &AccountId,
    mut filter: CaptureFilter,
) -> Vec<(String, Part, i64)> {
    let mut seen = Vec::new();
    loop {
        let page = catalog.captures(account, filter.clone()).await.unwrap();
        assert!(page.items.len() <= usize::try_from(filter.limit).unwrap());
        seen.extend(
            page.items.into_iter().map(|c| (c.exchange.to_string(), c.part, c.captured_at)),
        );
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            return seen;
        }
    }
}

/// Many writers and readers at once: each call is atomic, and each exchange is entered once.
async fn many_at_once(bench: &dyn Bench) {
    const EXCHANGES: u32 = 60;
    let (catalog, acme) = with_acme(bench).await;
    let enter_all = |shift: u32| {
        let (catalog, acme) = (Arc::clone(&catalog), acme.clone());
        tokio::spawn(async move {
            let mut inserted = 0;
            for n in 0..EXCHANGES {
                // Each writer seals for itself, so that only one address of each can win.
                let n = (n + shift * 7) % EXCHANGES;
                let time = NOW + i64::from(n) * HOUR_MS / 100;
                let mut new = both(&acme, &format!("x{n}"), time, shift * EXCHANGES + n);
                for (capture, place) in new.captures.iter_mut().zip(0..) {
                    capture.address = leaf((shift * EXCHANGES + n) * 2 + place);
                }
                let entries = catalog.insert_batch(vec![new], NOW).await.unwrap();
                let new = entries[0].iter().filter(|entry| **entry == Entry::Inserted).count();
                assert!(new == 0 || new == 2, "both parts or none");
                inserted += new;
                let record = catalog.exchange(&acme, &exchange_id(&format!("x{n}"))).await.unwrap();
                assert_eq!(record.captures.len(), 2, "a reader never sees half an exchange");
            }
            inserted
        })
    };
    let writers: Vec<_> = (0..4).map(enter_all).collect();
    let mut inserted = 0;
    for writer in writers {
        inserted += writer.await.unwrap();
    }
    assert_eq!(inserted, 2 * 60);
    let orphans = catalog.pending_shreds(None, 1000).await.unwrap();
    assert_eq!(orphans.len(), 3 * 2 * 60, "what lost is to be erased, all of it");
    assert!(orphans.is_sorted_by_key(|shred| shred.id));
    for shred in orphans {
        let ShredTarget::Leaf(address) = shred.target else { panic!("{shred:?}") };
        assert!(!is_live(&*catalog, &acme, address).await);
    }
}
