//! The thief test on the whole service: random lives of captures, reads, shreds, expiries, changes of
//! retention, closed accounts, restarts and crashes, and a thief who keeps every byte ever written.
//!
//! What the thief has: every version of every file below the data folder as it was after each step
//! (catalog, write-ahead log, spool, segments and what became of them), every key page ever handed to
//! the page store whether or not the call came to its end, every log line, the service key, and the
//! root key in force. What the thief does: find every sealed record in those bytes, and open each with
//! each key that any page yields that any key opens. `OUBLIETTE_THIEF_SERVICE_HISTORIES` says how many
//! lives (`cargo xtask thief`).

#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]

mod life;
mod loot;
mod world;

use oubliette_keytree::sabotage::Sabotage;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

use crate::life::{Over, a_life, live};

/// Enough for minutes of the continuous integration, not hours.
const HISTORIES: u32 = 200;

fn histories() -> u32 {
    let asked = std::env::var("OUBLIETTE_THIEF_SERVICE_HISTORIES").ok();
    asked.map_or(HISTORIES, |text| text.parse().expect("a number of histories"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_thief_opens_nothing_that_was_forgotten() {
    let mut runner = TestRunner::new(Config::default());
    let (mut dead, mut alive, mut crashes) = (0, 0, 0);
    for number in 0..histories() {
        let steps = a_life().new_tree(&mut runner).unwrap().current();
        match live(&steps, None, number % 8 == 0).await {
            Ok(told) => {
                dead += told.dead;
                alive += told.alive;
                crashes += told.crashes;
            }
            Err(over) => panic!("{over}\nin history {number}: {steps:#?}"),
        }
    }
    println!("{dead} forgotten, {alive} kept, {crashes} crashes");
    let least = u64::from(histories());
    assert!(dead > least && alive > least && crashes > least / 4, "these lives were too quiet");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_thief_notices_what_is_broken() {
    // What leases keep lies in memory only, and a page that is never written again holds none of the
    // accounts made here: the key tree's own thief tests have these two.
    for broken in [Sabotage::NoRotation, Sabotage::PageKeyKept] {
        let mut runner = TestRunner::deterministic();
        let mut caught = 0;
        for _ in 0..6 {
            let steps = a_life().new_tree(&mut runner).unwrap().current();
            caught +=
                u32::from(matches!(live(&steps, Some(broken), false).await, Err(Over::Theft(_))));
        }
        assert!(caught >= 2, "{broken:?} was caught in {caught} of 6 lives only");
    }
}
