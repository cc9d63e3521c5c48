//! What computing with a key leaves on the stack.

use std::hint::black_box;

/// Runs `work` and then writes over the `N` bytes of stack below, where it ran.
///
/// Ciphers and hashes move keys and what follows from them through registers and locals, which nobody
/// wipes when they go. Whatever runs next writes over them; but a thread that has nothing to do runs
/// nothing, and the stack of one that has ended is kept for the next: without this, keys of bodies that
/// were shredded long ago are found there. Give it work that computes and returns, with keys that are
/// on the heap, and that needs no more than `N` bytes.
///
/// Costs a fill of `N` bytes: a quarter of a microsecond for 16 KiB.
pub fn without_trace<const N: usize, T>(work: impl FnOnce() -> T) -> T {
    let done = run(work);
    wipe::<N>();
    done
}

/// In a frame of its own, below the one that wipes.
#[inline(never)]
fn run<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn wipe<const N: usize>() {
    black_box(&mut [0_u8; N]);
}

/// Enough for AES-GCM and HKDF as they are without optimisation.
pub const OF_CIPHERS: usize = 16 << 10;
/// Enough for a step or a walk down the tree.
pub(crate) const OF_HASHES: usize = 2 << 10;
