//! Warm scanners. A scanner fills its caches as it goes, and a cold one spends most of a small body's
//! time on that, so they are lent out and given back. A pool is of one rule set and one policy.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oubliette_detect::{RuleSet, Scanner};

use crate::field::CleanNames;

/// The idle scanners of one rule set.
pub(crate) struct Pool {
    rules: RuleSet,
    digest: String,
    standard: bool,
    idle: Mutex<Vec<Warm>>,
}

/// More idle scanners than a machine has cores are of no use to anyone.
const MOST_IDLE: usize = 64;

impl Pool {
    pub(crate) fn new(rules: RuleSet) -> Arc<Self> {
        let standard = rules.digest() == RuleSet::standard().digest();
        let digest = rules.digest().to_string();
        Arc::new(Self { rules, digest, standard, idle: Mutex::default() })
    }

    /// The digest of the rules, in hex.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether these are the standard rules and no others, of which it is known how far they reach.
    pub(crate) fn is_standard(&self) -> bool {
        self.standard
    }

    pub(crate) fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Lends the scanner that was used last, or a new one.
    pub(crate) fn lend(self: &Arc<Self>) -> Lent {
        let idle = self.idle().pop();
        let warm = idle.unwrap_or_else(|| Warm {
            scanner: Scanner::new(&self.rules),
            names: CleanNames::default(),
        });
        Lent { warm: Some(warm), pool: Arc::clone(self) }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Warm>> {
        // Pushing and popping leave the list whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A scanner, and the common names in which it found nothing.
pub(crate) struct Warm {
    pub(crate) scanner: Scanner,
    pub(crate) names: CleanNames,
}

/// A scanner on loan; it goes back when this is dropped.
pub(crate) struct Lent {
    /// `None` only while it is being given back.
    warm: Option<Warm>,
    pool: Arc<Pool>,
}

impl Deref for Lent {
    type Target = Warm;

    fn deref(&self) -> &Warm {
        self.warm.as_ref().expect("there until it is dropped")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Warm {
        self.warm.as_mut().expect("there until it is dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // What a panic interrupted may be in any state.
        if !std::thread::panicking()
            && let Some(warm) = self.warm.take()
        {
            let mut idle = self.pool.idle();
            if idle.len() < MOST_IDLE {
                idle.push(warm);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scanners_come_back_and_are_lent_again() {
        let pool = Pool::new(RuleSet::standard());
        let (one, two) = (pool.lend(), pool.lend());
        assert_eq!(pool.idle().len(), 0);
        drop(one);
        drop(two);
        assert_eq!(pool.idle().len(), 2);
        let again = pool.lend();
        assert_eq!(pool.idle().len(), 1);
        assert!(
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _again = again;
                panic!("while scanning");
            }))
            .is_err()
        );
        assert_eq!(pool.idle().len(), 1);
    }
}
