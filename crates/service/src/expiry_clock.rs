//! The time that expiry goes by: the clock of the machine, as far as it can be believed.
//!
//! Expiry destroys keys for good. A machine that wakes up in the year 2036, because its battery is dead
//! or its time server is wrong, must not forget everything before somebody has looked. So the clock is
//! believed if it is ahead of where time was seen last, and of what a steady clock has counted since, by
//! no more than a bound. If it is further ahead, expiry goes on by the steady clock alone until the
//! clock is right again, or until an operator says that so much time has really passed.
//!
//! Reads go by the clock of the machine all the same: nobody is given what may be over.

/// Where expiry stands in time. Unix milliseconds, and milliseconds of a steady clock.
#[derive(Debug)]
pub(crate) struct ExpiryClock {
    at: i64,
    steady: i64,
    most_ahead: i64,
    held: Option<i64>,
}

impl ExpiryClock {
    /// A clock that was last seen at this time, or that begins now.
    pub(crate) fn new(seen: Option<i64>, now: i64, steady: i64, most_ahead: i64) -> Self {
        let mut clock = Self { at: seen.unwrap_or(now), steady, most_ahead, held: None };
        clock.advance(now, steady);
        clock
    }

    /// Moves on to now, or as far as it may. It never goes back: for a clock that was set back time
    /// stands still until it has caught up.
    pub(crate) fn advance(&mut self, now: i64, steady: i64) -> i64 {
        let passed = steady.saturating_sub(self.steady).max(0);
        self.steady = steady;
        let counted = self.at.saturating_add(passed);
        let ahead = now.saturating_sub(counted);
        if ahead > self.most_ahead {
            self.at = counted;
            self.held = Some(ahead);
        } else {
            self.at = self.at.max(now);
            self.held = None;
        }
        self.at
    }

    /// Takes the clock of the machine for right.
    pub(crate) fn accept(&mut self, now: i64) {
        self.at = self.at.max(now);
        self.held = None;
    }

    /// Where expiry stands.
    pub(crate) fn at(&self) -> i64 {
        self.at
    }

    /// By how much the clock of the machine is further ahead than can be believed, in milliseconds.
    pub(crate) fn held(&self) -> Option<i64> {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn clock() -> ExpiryClock {
        ExpiryClock::new(Some(1000 * HOUR), 1000 * HOUR, 7, 24 * HOUR)
    }

    #[test]
    fn what_is_within_the_bound_is_believed() {
        let mut clock = clock();
        assert_eq!(clock.advance(1024 * HOUR, 7), 1024 * HOUR, "a day without a steady clock");
        assert_eq!(clock.advance(1100 * HOUR, 7 + 60 * HOUR), 1100 * HOUR, "or with one");
        assert_eq!(clock.held(), None);
    }

    #[test]
    fn a_jump_is_held_until_it_is_accepted_or_undone() {
        let mut clock = clock();
        assert_eq!(clock.advance(1025 * HOUR, 7), 1000 * HOUR);
        assert_eq!(clock.held(), Some(25 * HOUR));
        // Time goes on by the steady clock, however often the jump is looked at.
        for n in 1..=50 {
            let now = clock.advance((1025 + n) * HOUR, 7 + n * HOUR);
            assert_eq!(now, (1000 + n) * HOUR);
            assert_eq!(clock.held(), Some(25 * HOUR));
        }
        assert_eq!(clock.advance(1051 * HOUR, 7 + 51 * HOUR), 1051 * HOUR, "it was put right");
        assert_eq!(clock.held(), None);
        clock.advance(9000 * HOUR, 7 + 51 * HOUR);
        clock.accept(9000 * HOUR);
        assert_eq!((clock.at(), clock.held()), (9000 * HOUR, None));
    }

    #[test]
    fn a_clock_that_goes_back_brings_nothing_back() {
        let mut clock = clock();
        assert_eq!(clock.advance(900 * HOUR, 7 + HOUR), 1000 * HOUR);
        assert_eq!(clock.advance(1000 * HOUR + 1, 7 + 101 * HOUR), 1000 * HOUR + 1);
        clock.accept(1);
        assert_eq!(clock.at(), 1000 * HOUR + 1);
    }

    #[test]
    fn without_a_time_before_it_begins_now() {
        let clock = ExpiryClock::new(None, 5, 0, 0);
        assert_eq!((clock.at(), clock.held()), (5, None));
        let far = ExpiryClock::new(Some(i64::MIN), i64::MAX, i64::MIN, 0);
        assert_eq!(far.at(), i64::MIN);
    }

    proptest! {
        /// Whatever the clock of the machine shows: expiry never goes back, and is never further ahead of the
        /// steady clock than the jumps that were small enough to be believed.
        #[test]
        fn expiry_is_never_ahead_by_more_than_the_bound_at_a_time(
            steps in prop::collection::vec((any::<i32>(), 0..10_000_i64), 1..50),
        ) {
            let mut clock = ExpiryClock::new(Some(0), 0, 0, 1000);
            let (mut steady, mut before) = (0, 0);
            for (now, passed) in steps {
                steady += passed;
                let at = clock.advance(now.into(), steady);
                prop_assert!(at >= before && at <= before + passed + 1000);
                prop_assert_eq!(clock.held().is_some(), i64::from(now) > before + passed + 1000);
                before = at;
            }
        }
    }
}
