//! Readers beside a committer.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::{account, hour, in_memory, key_of, leaf};
use crate::Op;

#[test]
fn an_acknowledged_prune_holds_for_every_reader() {
    const LEAVES: u32 = 120;
    let (tree, ..) = in_memory();
    let tag = account(1);
    tree.commit(&[Op::CreateAccount(tag)]).unwrap();
    let survivor = key_of(&tree, tag, leaf(1, 2, 0));
    let acknowledged = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let gone = acknowledged.load(Ordering::SeqCst);
                    if gone > 0 {
                        assert_eq!(key_of(&tree, tag, leaf(1, 1, gone - 1)), None);
                        let first = tree.lease(tag, hour(1), 1).unwrap().unwrap().next().unwrap().0;
                        assert!(first >= leaf(1, 1, gone));
                    }
                    assert_eq!(key_of(&tree, tag, leaf(1, 2, 0)), survivor);
                    if gone == LEAVES {
                        break;
                    }
                }
            });
        }
        for n in 0..LEAVES {
            tree.commit(&[Op::PruneLeaf(tag, leaf(1, 1, n))]).unwrap();
            acknowledged.store(n + 1, Ordering::SeqCst);
        }
    });
}
