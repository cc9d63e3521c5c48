//! Chance that comes the same way for the same seed.

use std::sync::atomic::{AtomicU64, Ordering};

/// SplitMix64 (Steele, Lea and Flood, 2014): good enough to spread faults, and a dependency less. Threads
/// may throw it together; then the order of their throws is chance as well.
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Dice {
    /// Every seed gives a course of its own, also those that are near each other.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5851_f42d_4c95_7f2d))
    }

    /// The next number, any.
    pub fn roll(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number, below `n`; zero below zero.
    pub fn below(&self, n: u64) -> u64 {
        self.roll() % n.max(1)
    }

    /// Whether what happens so many times in a hundred happens now.
    pub fn percent(&self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }
}

impl Clone for Dice {
    /// Goes on from the same place, apart.
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::SeqCst)))
    }
}
