//! What keys cost: a writer's next key, a reader's derivation, and forgetting, with one account and
//! with many. Pages are in memory and the root too, so this is the work without the disk.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use oubliette_keytree::{
    AccountTag, Hour, KeyTree, LeafAddress, MemoryPageStore, MemoryRootStore, Op, OpOutcome,
};

fn tag(number: u32) -> AccountTag {
    // Tags are keyed hashes, so they are spread like this.
    let spread = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    AccountTag::from_bytes(spread.to_be_bytes())
}

fn tree(accounts: u32) -> KeyTree {
    let tree = KeyTree::open(MemoryRootStore::default(), MemoryPageStore::default())
        .expect("an empty tree opens");
    let ops: Vec<_> = (0..accounts).map(|number| Op::CreateAccount(tag(number))).collect();
    tree.commit(&ops).expect("memory does not fail");
    tree
}

fn keys(criterion: &mut Criterion) {
    let hour = Hour::from_unix_seconds(1_793_000_000);
    let address = |sequence: u32| LeafAddress::new(hour, 1, sequence % (1 << 24)).expect("24 bits");

    let mut group = criterion.benchmark_group("keytree");
    let one = tree(1);
    let leaf = one.derive_leaf(tag(0), address(5)).expect("open").expect("alive");
    let mut lease = one.lease(tag(0), hour, 1).expect("open").expect("alive");
    let (_, sixth) = lease.nth(5).expect("a lease has 2^24 leaves");
    assert_eq!(leaf.expose_secret(), sixth.expose_secret(), "a lease's keys are the tree's");

    group.bench_function("lease-1000-keys", |bencher| {
        bencher.iter_batched(
            || one.lease(tag(0), hour, 2).expect("open").expect("alive"),
            |lease| lease.take(1000).map(|(at, _)| at.sequence()).sum::<u32>(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("derive", |bencher| {
        let mut sequence = 0;
        bencher.iter(|| {
            sequence += 1;
            one.derive_leaf(tag(0), black_box(address(sequence))).expect("open")
        });
    });
    for accounts in [1_000, 100_000] {
        let tree = tree(accounts);
        // One count for both benches: no leaf can be pruned twice.
        let mut sequence = 0_u32;
        for together in [1_u32, 100] {
            group.throughput(Throughput::Elements(u64::from(together)));
            let id = BenchmarkId::new(format!("shred-{together}"), accounts);
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let ops: Vec<_> = (0..together)
                        .map(|_| {
                            sequence += 1;
                            let account = tag(sequence.wrapping_mul(7919) % accounts);
                            Op::PruneLeaf(account, address(sequence))
                        })
                        .collect();
                    let outcome = tree.commit(&ops).expect("memory does not fail");
                    assert!(outcome.ops.iter().all(|op| *op == OpOutcome::Pruned));
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, keys);
criterion_main!(benches);
