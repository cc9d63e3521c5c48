//! How much of what callers send is held in memory at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that requests may take up together while they are read and parsed.
///
/// The service's queue bounds what comes after; without this, as many envelopes as there are
/// connections would be in memory before it could say that it is full.
#[derive(Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(units(bytes).min(Semaphore::MAX_PERMITS))))
    }

    /// A share for one request, empty at first, given back when it is dropped.
    pub(crate) fn share(&self) -> Share {
        Share { of: Arc::clone(&self.0), held: None }
    }
}

/// What one request has taken of a [`Budget`].
#[derive(Debug)]
pub(crate) struct Share {
    of: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Takes as much as is missing to hold `bytes`; `false` if there is not that much left.
    #[must_use]
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more @ 1..) = units(bytes).checked_sub(held) else { return true };
        let Ok(more) = u32::try_from(more) else { return false };
        match Arc::clone(&self.of).try_acquire_many_owned(more) {
            Ok(more) => {
                match &mut self.held {
                    Some(held) => held.merge(more),
                    none => *none = Some(more),
                }
                true
            }
            Err(_) => false,
        }
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT)
}

/// A semaphore is asked for at most 2^32 units at a time: 4 TiB of these.
const UNIT: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_holds_another_cannot_until_it_is_given_back() {
        let budget = Budget::new(10 * UNIT);
        let (mut one, mut two) = (budget.share(), budget.share());
        assert!(one.hold(UNIT) && one.hold(6 * UNIT) && one.hold(2 * UNIT));
        assert!(!two.hold(5 * UNIT));
        assert!(two.hold(4 * UNIT));
        assert!(!one.hold(6 * UNIT + 1));
        drop(two);
        assert!(one.hold(10 * UNIT));
        assert!(!budget.share().hold(1) && budget.share().hold(0));
    }
}
