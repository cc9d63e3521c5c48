//! What keys cost, with the root in a file and the pages in memory.
//!
//! ```sh
//! cargo run --release -p oubliette-keytree --example cost -- 1000000 [FOLDER]
//! ```
//!
//! The folder decides on which disk the root lies; without it, the system's temporary folder.

#![allow(clippy::print_stdout, reason = "it is asked for figures")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oubliette_keytree::{
    AccountTag, FileRootStore, Hour, KeyTree, LeafAddress, MemoryPageStore, Op, OpOutcome,
};

const HOUR: u32 = 498_055;

fn tag(number: u32) -> AccountTag {
    // Tags are keyed hashes, so they are spread like this.
    let spread = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    AccountTag::from_bytes(spread.to_be_bytes())
}

fn leaf(sequence: u32) -> LeafAddress {
    let hour = Hour::new(HOUR).expect("an hour of this century");
    LeafAddress::new(hour, 1, sequence).expect("a small sequence")
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let accounts: u32 = arguments.next().map_or(Ok(1_000), |text| text.parse())?;
    let folder = match arguments.next() {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let root = folder.path().join("root.key");
    let pages = Arc::new(MemoryPageStore::default());
    let tree = KeyTree::open(FileRootStore::open(&root)?, Arc::clone(&pages))?;
    let hour = Hour::new(HOUR - 168).expect("an hour of this century");
    let create: Vec<_> = (0..accounts)
        .flat_map(|n| [Op::CreateAccount(tag(n)), Op::PruneHoursBefore(tag(n), hour)])
        .collect();
    let (_, took) = timed(|| tree.commit(&create));
    let status = tree.status()?;
    println!(
        "{accounts} accounts, made in {took:.1?}: {} entries, {} pages",
        status.entries, status.pages
    );
    println!("state an account          {:>9} bytes", status.bytes / u64::from(accounts));

    let mut lease =
        tree.lease(tag(0), Hour::new(HOUR).expect("this century"), 1)?.ok_or("no lease")?;
    let (_, took) = timed(|| Ok::<_, std::fmt::Error>(lease.by_ref().take(1_000_000).count()));
    println!("a writer's next key       {:>9.2?}", took / 1_000_000);
    let (_, took) = timed(|| {
        (0..20_000).try_for_each(|n| tree.derive_leaf(tag(n % accounts), leaf(n)).map(drop))
    });
    println!("a reader's key            {:>9.2?}", took / 20_000);

    let mut sequence = 0_u32;
    for (together, rounds) in [(1_usize, 200_u32), (100, 20), (10_000, 3)] {
        let (mut times, mut bytes) = (Vec::new(), 0);
        for _ in 0..rounds {
            let ops: Vec<_> = (0..together)
                .map(|_| {
                    sequence += 1;
                    Op::PruneLeaf(tag(sequence.wrapping_mul(7_919) % accounts), leaf(sequence))
                })
                .collect();
            let (outcome, took) = timed(|| tree.commit(&ops));
            let outcome = outcome?;
            assert!(outcome.ops.iter().all(|op| *op == OpOutcome::Pruned));
            bytes += outcome.bytes_written as u64;
            times.push(took);
        }
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        println!(
            "{together:>6} shreds together    {:>9.2?} p50, {:.2?} p99, {:.0} a second, {} KB written",
            at(50),
            at(99),
            together as f64 / at(50).as_secs_f64(),
            bytes / u64::from(rounds) / 1000
        );
    }
    let status = tree.status()?;
    println!("state after {sequence} shreds  {:>9} KB", status.bytes / 1000);
    let mut times = Vec::new();
    for n in 0..50 {
        let (outcome, took) = timed(|| tree.commit(&[Op::PruneAccount(tag(n))]));
        assert_eq!(outcome?.ops, [OpOutcome::Pruned]);
        times.push(took);
    }
    times.sort_unstable();
    println!("an account of any size    {:>9.2?} p50, {:.2?} p99", times[24], times[48]);
    let next = Hour::new(HOUR - 167).expect("an hour of this century");
    let expire: Vec<_> = (0..accounts).map(|n| Op::PruneHoursBefore(tag(n), next)).collect();
    let (_, took) = timed(|| tree.commit(&expire));
    println!("an hour of all accounts   {took:>9.2?}");
    drop(tree);
    let (tree, took) = timed(|| KeyTree::open(FileRootStore::open(&root)?, Arc::clone(&pages)));
    println!("opening                   {took:>9.2?}, {} entries", tree?.status()?.entries);
    Ok(())
}

fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> (Result<T, E>, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}
