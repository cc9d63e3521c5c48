//! What keys cost: a writer's next key, a reader's derivation, forgetting, and opening, with few accounts
//! and with many. Pages are in memory and the root in a file, so forgetting waits twice for the disk of
//! the temporary folder: once for the next root, once for the one in force.
//!
//! Each bench asserts its answer before it is timed. A million accounts take a minute to make and are left
//! out unless measured: `cargo bench --bench keytree`.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group,
    criterion_main, measurement::WallTime,
};
use oubliette_keytree::{
    AccountTag, FileRootStore, Hour, KeyTree, LeafAddress, MemoryPageStore, Op, OpOutcome,
};
use tempfile::TempDir;

const HOUR: u32 = 498_055;

fn tag(number: u32) -> AccountTag {
    // Tags are keyed hashes, so they are spread like this.
    let spread = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    AccountTag::from_bytes(spread.to_be_bytes())
}

fn hour(number: u32) -> Hour {
    Hour::new(number).expect("an hour of this century")
}

fn leaf(sequence: u32) -> LeafAddress {
    LeafAddress::new(hour(HOUR), 1, sequence % (1 << 24)).expect("24 bits")
}

/// Accounts with a week of hours.
struct World {
    tree: KeyTree,
    pages: Arc<MemoryPageStore>,
    folder: TempDir,
    accounts: u32,
    /// No leaf can be pruned twice, whichever bench does it.
    sequence: u32,
    /// Nor an hour.
    first_kept: u32,
}

impl World {
    fn new(accounts: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pages = Arc::new(MemoryPageStore::default());
        let tree = Self::open(&folder, &pages);
        let create: Vec<_> = (0..accounts)
            .flat_map(|n| {
                [Op::CreateAccount(tag(n)), Op::PruneHoursBefore(tag(n), hour(HOUR - 168))]
            })
            .collect();
        tree.commit(&create).expect("nothing fails");
        let status = tree.status().expect("in order");
        assert_eq!(status.accounts, u64::from(accounts));
        assert!(status.bytes / status.accounts < 4096, "a busy account's state");
        Self { tree, pages, folder, accounts, sequence: 0, first_kept: HOUR - 168 }
    }

    fn open(folder: &TempDir, pages: &Arc<MemoryPageStore>) -> KeyTree {
        let root = FileRootStore::open(folder.path().join("root.key")).expect("a root file");
        KeyTree::open(root, Arc::clone(pages)).expect("it opens")
    }

    fn commit(&self, ops: &[Op]) {
        let outcome = self.tree.commit(ops).expect("nothing fails");
        assert!(outcome.ops.iter().all(|op| *op == OpOutcome::Pruned));
    }

    fn leaves(&mut self, count: u32) -> Vec<Op> {
        let from = self.sequence;
        self.sequence += count;
        let account = |sequence: u32| tag(sequence.wrapping_mul(7919) % self.accounts);
        (from..from + count).map(|n| Op::PruneLeaf(account(n), leaf(n))).collect()
    }

    /// Gives the accounts new trees, so that the state does not grow from round to round.
    fn renew(&self, ops: &[Op]) {
        let tags: BTreeSet<_> = ops
            .iter()
            .filter_map(|op| if let Op::PruneLeaf(tag, _) = op { Some(*tag) } else { None })
            .collect();
        let week = hour(HOUR - 168);
        let ops: Vec<_> = tags
            .into_iter()
            .flat_map(|tag| {
                let anew = Op::CreateAccount(tag);
                [Op::PruneAccount(tag), anew, Op::PruneHoursBefore(tag, week)]
            })
            .collect();
        self.tree.commit(&ops).expect("nothing fails");
    }

    fn hours(&mut self, accounts: u32) -> Vec<Op> {
        self.first_kept += 1;
        let hour = hour(self.first_kept);
        (0..accounts.min(self.accounts)).map(|n| Op::PruneHoursBefore(tag(n), hour)).collect()
    }
}

fn reading(group: &mut BenchmarkGroup<'_, WallTime>, world: &World) {
    let (tree, accounts) = (&world.tree, world.accounts);
    let key = tree.derive_leaf(tag(0), leaf(5)).expect("open").expect("alive");
    let mut lease = tree.lease(tag(0), hour(HOUR), 1).expect("open").expect("alive");
    let (_, sixth) = lease.nth(5).expect("a lease has 2^24 leaves");
    assert_eq!(key.expose_secret(), sixth.expose_secret(), "a lease's keys are the tree's");

    group.throughput(Throughput::Elements(1000));
    group.bench_function(BenchmarkId::new("lease-1000-keys", accounts), |bencher| {
        bencher.iter_batched(
            || tree.lease(tag(0), hour(HOUR), 2).expect("open").expect("alive"),
            |lease| lease.take(1000).map(|(at, _)| at.sequence()).sum::<u32>(),
            BatchSize::SmallInput,
        );
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("derive", accounts), |bencher| {
        let mut sequence = 0;
        bencher.iter(|| {
            sequence += 1;
            tree.derive_leaf(tag(sequence % accounts), black_box(leaf(sequence))).expect("open")
        });
    });
}

/// A baseline is the shred of one: shreds that come together share its waiting.
fn forgetting(group: &mut BenchmarkGroup<'_, WallTime>, world: &mut World) {
    let accounts = world.accounts;
    for together in [1, 100, 10_000] {
        group.throughput(Throughput::Elements(u64::from(together)));
        group.bench_function(BenchmarkId::new(format!("shred-{together}"), accounts), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut took = std::time::Duration::ZERO;
                for _ in 0..rounds {
                    let ops = world.leaves(together);
                    took += timed(|| world.commit(&ops));
                    world.renew(&ops);
                }
                took
            });
        });
    }
    // In proportion to accounts that were active, however many there are.
    for active in [1, 1000] {
        group.throughput(Throughput::Elements(u64::from(active)));
        let id = BenchmarkId::new(format!("expire-an-hour-of-{active}"), accounts);
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|rounds| {
                let mut took = std::time::Duration::ZERO;
                for _ in 0..rounds {
                    let ops = world.hours(active);
                    took += timed(|| world.commit(&ops));
                }
                took
            });
        });
    }
}

fn opening(group: &mut BenchmarkGroup<'_, WallTime>, world: World) {
    let World { tree, pages, folder, accounts, .. } = world;
    let before = tree.status().expect("in order");
    drop(tree);
    assert_eq!(World::open(&folder, &pages).status().expect("in order"), before, "nothing is lost");
    group.throughput(Throughput::Elements(before.entries));
    group.bench_function(BenchmarkId::new("open", accounts), |bencher| {
        bencher.iter(|| World::open(&folder, &pages));
    });
}

#[allow(clippy::disallowed_methods, reason = "it measures time")]
fn timed(work: impl FnOnce()) -> std::time::Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keytree");
    // A commit takes what a disk takes, and ten of them say it.
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    // In a smoke run nothing is timed, and a million accounts prove no more than a thousand.
    let is_smoke = std::env::args().any(|argument| argument == "--test");
    for accounts in if is_smoke { vec![1000] } else { vec![1000, 1_000_000] } {
        let mut world = World::new(accounts);
        reading(&mut group, &world);
        forgetting(&mut group, &mut world);
        opening(&mut group, world);
    }
    group.finish();
}

criterion_group!(benches, keys);
criterion_main!(benches);
