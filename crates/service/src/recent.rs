//! Which exchanges were met lately, so that the others need not be looked for.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::mem;
use std::sync::{Mutex, PoisonError};

use oubliette_catalog::Exchange;

/// Exchanges that were handed in since some time, by their hashes.
///
/// Looking an exchange up before its bodies are redacted costs as much as entering it, and nearly all
/// are new. It only spares work: entering tells a repeat in any case, and the key of what was sealed in
/// vain is erased. So this may say of a repeat that it is new, if it is old or its gateway's clock is
/// ahead, and of a new one that it is a repeat.
#[derive(Debug)]
pub(crate) struct Recent {
    hasher: RandomState,
    met: Mutex<Met>,
}

/// Two generations: the older goes when the younger is full.
#[derive(Debug)]
struct Met {
    young: HashSet<u64>,
    young_since: i64,
    old: HashSet<u64>,
    old_since: i64,
}

/// Exchanges of a generation: two of them take less than 5 MB.
const MOST: usize = 128 << 10;

impl Recent {
    /// Nothing is known of what was before now, in Unix milliseconds.
    pub(crate) fn since(now: i64) -> Self {
        let none = HashSet::new;
        let met = Met { young: none(), young_since: now, old: none(), old_since: now };
        Self { hasher: RandomState::new(), met: Mutex::new(met) }
    }

    /// Whether this is surely not a repeat of an exchange of this or an earlier life, by its time and
    /// its id. It is one from now on.
    pub(crate) fn is_new(&self, exchange: &Exchange, now: i64) -> bool {
        let hash = self.hasher.hash_one((exchange.account.as_str(), exchange.id.as_str()));
        // Each change leaves it whole.
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if met.young.len() >= MOST {
            met.old = mem::take(&mut met.young);
            met.old_since = mem::replace(&mut met.young_since, now);
        }
        let is_new = exchange.time >= met.old_since && !met.old.contains(&hash);
        met.young.insert(hash) && is_new
    }
}

#[cfg(test)]
mod tests {
    use oubliette_catalog::{AccountId, ExchangeId};

    use super::*;

    fn exchange(account: &str, id: &str, time: i64) -> Exchange {
        let id = ExchangeId::new(id).unwrap();
        Exchange::new(AccountId::new(account).unwrap(), id, time)
    }

    #[test]
    fn new_is_what_is_young_enough_and_was_not_met() {
        let recent = Recent::since(1000);
        assert!(recent.is_new(&exchange("acme", "a", 1000), 1000));
        assert!(!recent.is_new(&exchange("acme", "a", 1000), 1001), "a repeat");
        assert!(!recent.is_new(&exchange("acme", "a", 5000), 5000), "whatever time it claims");
        assert!(recent.is_new(&exchange("other", "a", 1000), 1000), "of another account");
        assert!(!recent.is_new(&exchange("acme", "b", 999), 1000), "perhaps of an earlier life");
    }

    #[test]
    fn memory_is_bounded_and_what_is_out_of_it_is_not_taken_for_new() {
        let recent = Recent::since(0);
        let all = 3 * i64::try_from(MOST).unwrap();
        for time in 0..all {
            assert!(recent.is_new(&exchange("acme", &time.to_string(), time), time));
        }
        for time in (0..all).step_by(997) {
            assert!(!recent.is_new(&exchange("acme", &time.to_string(), time), all), "{time}");
        }
        let met = recent.met.lock().unwrap();
        assert!(met.young.len() <= MOST && met.old.len() <= MOST);
        assert!(met.old_since > 0);
    }
}
