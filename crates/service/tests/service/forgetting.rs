//! Shredding and expiry.

use oubliette_catalog::{CaptureState, Part, Parts, SettingsChange};
use oubliette_service::{DropReason, PartOutcome, ServiceErrorKind};

use crate::support::*;

const GONE: Result<String, ServiceErrorKind> = Err(ServiceErrorKind::Forgotten);

#[tokio::test]
async fn one_part_is_shredded_and_its_neighbours_stay() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    world.capture("acme", "ex-2").await;
    let agent = world.agent_for("acme").await;
    let (owner, acme, first) = (owner("acme"), account("acme"), exchange("ex-1"));
    let shred = |parts| world.service.shred(&owner, &acme, &first, parts);

    let done = shred(Parts::Request).await.unwrap();
    assert_eq!(done.shredded, 1);
    assert_eq!(done.generation.to.number(), done.generation.from.number() + 1);
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Request).await, GONE);
    assert!(world.read(&agent, "acme", "ex-1", Part::Response).await.is_ok());
    assert!(world.read(&agent, "acme", "ex-2", Part::Request).await.is_ok());

    let again = shred(Parts::Request).await.unwrap();
    assert_eq!((again.shredded, again.generation.from), (0, done.generation.to));
    assert_eq!(again.generation.to, done.generation.to);
    assert_eq!(shred(Parts::Both).await.unwrap().shredded, 1, "what was left of it");
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Response).await, GONE);
    let unknown = world.service.shred(&owner, &acme, &exchange("no-such"), Parts::Both).await;
    assert_eq!(unknown.unwrap_err().kind(), ServiceErrorKind::NotFound);
    let status = world.service.status(&operator()).await.unwrap();
    assert_eq!((status.counters.shredded, status.pending_shreds), (2, Some(0)));
}

#[tokio::test]
async fn many_shreds_at_once_share_generations() {
    let world = World::opted_in().await;
    let captures = (0..24).map(|number| {
        let (world, id) = (&world, format!("ex-{number}"));
        async move { world.capture("acme", &id).await }
    });
    futures::future::join_all(captures).await;
    let before = world.service.key_status(&operator()).unwrap().generation;
    let shreds = (0..24).map(|number| {
        let service = world.service.clone();
        async move {
            let id = exchange(&format!("ex-{number}"));
            service.shred(&owner("acme"), &account("acme"), &id, Parts::Both).await.unwrap()
        }
    });
    let done = futures::future::join_all(shreds).await;
    assert!(done.iter().all(|done| done.shredded == 2));
    let after = world.service.key_status(&operator()).unwrap().generation;
    assert!(after.number() - before.number() < 24, "{before} to {after}");
}

#[tokio::test]
async fn an_account_is_shredded_whole_and_can_begin_anew() {
    let world = World::opted_in().await;
    world.opt_in("other").await;
    world.capture("acme", "ex-1").await;
    world.capture("other", "ex-1").await;
    let agent = world.agent_for("acme").await;
    let others = world.agent_for("other").await;
    let pouring: Vec<_> = (0..20)
        .map(|number| {
            let service = world.service.clone();
            let envelope = envelope("acme", &format!("p-{number}"), START);
            tokio::spawn(async move { service.capture(&gateway(), envelope).await })
        })
        .collect();
    let done = world.service.shred_account(&owner("acme"), &account("acme")).await.unwrap();
    assert!(done.generation.to > done.generation.from);
    for capture in pouring {
        let outcome = capture.await.unwrap().unwrap();
        let id = outcome.id.as_str().to_owned();
        if matches!(outcomes(&outcome)[0], PartOutcome::Stored { .. }) {
            assert_eq!(world.read(&agent, "acme", &id, Part::Request).await, GONE, "{id}");
        }
    }
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Request).await, GONE);
    assert!(world.read(&others, "other", "ex-1", Part::Request).await.is_ok());
    let dropped = PartOutcome::Dropped { reason: DropReason::NotOptedIn };
    assert_eq!(outcomes(&world.capture("acme", "ex-2").await), [dropped; 2]);

    // In the same hour, under the account's new tree.
    world.set("acme", SettingsChange { capture: Some(true), ..Default::default() }).await;
    assert_eq!(outcomes(&world.capture("acme", "ex-1").await), [PartOutcome::Forgotten; 2]);
    world.capture("acme", "ex-3").await;
    assert!(world.read(&agent, "acme", "ex-3", Part::Request).await.is_ok());
    let world = world.crash_and_restart().await;
    assert!(world.read(&agent, "acme", "ex-3", Part::Request).await.is_ok());
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Request).await, GONE);
}

#[tokio::test]
async fn a_closed_account_is_gone_and_its_name_is_taken() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    let agent = world.agent_for("acme").await;
    let accounts = world.service.key_status(&operator()).unwrap().accounts;
    world.service.close_account(&operator(), &account("acme")).await.unwrap();
    assert_eq!(world.service.key_status(&operator()).unwrap().accounts, accounts - 1);
    assert_eq!(
        world.try_capture("acme", "ex-2").await.unwrap_err().kind(),
        ServiceErrorKind::NotFound
    );
    let read = world.read(&agent, "acme", "ex-1", Part::Request).await;
    assert_eq!(read, Err(ServiceErrorKind::Forbidden));
    let again = world.service.create_account(&operator(), &account("acme")).await;
    assert_eq!(again.unwrap_err().kind(), ServiceErrorKind::Conflict);
    assert!(world.actions("acme").await.contains(&"account.close".to_owned()));
    let world = world.crash_and_restart().await;
    assert_eq!(
        world.try_capture("acme", "ex-2").await.unwrap_err().kind(),
        ServiceErrorKind::NotFound
    );
}

#[tokio::test]
async fn what_is_over_is_refused_at_once_and_then_forgotten() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    let agent = world.agent_for("acme").await;
    let hour = START / HOUR * HOUR; // what began in this hour goes with its first moment
    world.clock.advance_ms(hour + 7 * DAY - START);
    assert!(world.read(&agent, "acme", "ex-1", Part::Request).await.is_ok());
    world.clock.advance_ms(1);
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Request).await, GONE, "before any expiry");
    assert_eq!(world.rows("acme").await[0].state, CaptureState::Stored);

    // The round in the background may come first; between them they do it once.
    let before = world.service.key_status(&operator()).unwrap().generation;
    let done = world.service.expire(&operator()).await.unwrap();
    assert!(done.accounts <= 1 && done.rows <= 2, "{done:?}");
    assert!(done.accounts == 0 || done.generation.to > before);
    let again = world.service.expire(&operator()).await.unwrap();
    assert_eq!((again.accounts, again.rows), (0, 0));
    assert_eq!(again.generation.to, again.generation.from);
    // The key is gone, not only the clock: turning it back does not help.
    world.clock.set(START);
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Request).await, GONE);
    assert_eq!(
        world.service.status(&operator()).await.unwrap().last_expiry,
        Some(hour + 7 * DAY + 1)
    );
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_forgets_nothing_until_it_is_accepted() {
    let mut world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    let agent = world.agent_for("acme").await;
    world.service.expire(&operator()).await.unwrap();
    for restart in [false, true] {
        // A dead battery, a wrong time server: years, and no time has passed.
        world.clock.set(START + 3000 * DAY);
        if restart {
            world = world.crash_and_restart().await;
        }
        let done = world.service.expire(&operator()).await.unwrap();
        assert_eq!((done.accounts, done.rows, done.objects), (0, 0, 0));
        assert!(done.clock_ahead_seconds > 2999 * 86_400, "{done:?}");
        let status = world.service.status(&operator()).await.unwrap();
        assert!(status.clock_ahead_ms.unwrap() > 2999 * DAY);
        let read = world.read(&agent, "acme", "ex-1", Part::Request).await;
        assert!(read.is_err(), "nobody is given what may be over");
        // An account that is made or emptied meanwhile is not pruned up to there.
        world.opt_in(if restart { "other" } else { "new" }).await;
        world.clock.set(START + HOUR);
        assert!(world.read(&agent, "acme", "ex-1", Part::Request).await.is_ok(), "nothing is lost");
    }
    let owner = account("other");
    let outcome = world.capture("other", "ex-9").await;
    assert!(outcomes(&outcome).iter().all(|part| matches!(part, PartOutcome::Stored { .. })));
    assert_eq!(outcome.account, owner);

    // So much time has really passed: the machine was off.
    world.clock.set(START + 8 * DAY);
    let done = world.service.expire(&operator()).await.unwrap();
    assert!(done.accounts == 0 && done.clock_ahead_seconds > 0, "{done:?}");
    let error = world.service.accept_clock(&gateway()).await.unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::Forbidden);
    world.service.accept_clock(&operator()).await.unwrap();
    let done = world.service.expire(&operator()).await.unwrap();
    assert_eq!((done.accounts, done.clock_ahead_seconds), (2, 0), "{done:?}");
    world.clock.set(START);
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Request).await, GONE);
    // What was accepted holds in the next life, too.
    world.clock.set(START + 8 * DAY + HOUR);
    let world = world.crash_and_restart().await;
    assert_eq!(world.service.expire(&operator()).await.unwrap().clock_ahead_seconds, 0);
}

#[tokio::test]
async fn a_new_tree_holds_nothing_that_would_expire_at_once() {
    let mut world = World::opted_in().await;
    for shred in [false, true] {
        if shred {
            world.service.shred_account(&owner("acme"), &account("acme")).await.unwrap();
        }
        let before = world.service.key_status(&operator()).unwrap().generation;
        // A new process does not know how far the one before had come with expiring.
        world = world.crash_and_restart().await;
        world.service.expire(&operator()).await.unwrap();
        assert_eq!(world.service.key_status(&operator()).unwrap().generation, before);
    }
}

#[tokio::test]
async fn a_shorter_retention_works_backwards() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    let agent = world.agent_for("acme").await;
    world.clock.advance_ms(2 * DAY);
    world.capture("acme", "ex-2").await;
    world.set("acme", SettingsChange { retention_days: Some(1), ..Default::default() }).await;
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Request).await, GONE);
    assert!(world.read(&agent, "acme", "ex-2", Part::Request).await.is_ok());
    world.service.expire(&operator()).await.unwrap();
    // Longer again does not bring it back.
    world.set("acme", SettingsChange { retention_days: Some(30), ..Default::default() }).await;
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Request).await, GONE);
    assert!(world.read(&agent, "acme", "ex-2", Part::Request).await.is_ok());
}

#[tokio::test]
async fn a_rotation_erases_the_root_and_keeps_the_bodies() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    let agent = world.agent_for("acme").await;
    let before = std::fs::read(world.folder.path().join("keys/root.key")).unwrap();
    let change = world.service.rotate_keys(&operator()).await.unwrap();
    assert_eq!(change.to.number(), change.from.number() + 1);
    assert_ne!(std::fs::read(world.folder.path().join("keys/root.key")).unwrap(), before);
    let world = world.crash_and_restart().await;
    assert!(world.read(&agent, "acme", "ex-1", Part::Request).await.is_ok());
}
