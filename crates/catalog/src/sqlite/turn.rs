//! Whose turn it is to write.
//!
//! SQLite lets one connection write at a time; the others poll. Under load the writer thread takes
//! the lock again the moment it lets go, and a shred, which commits key pages through its own
//! connection, could poll for seconds. So connections of one process queue here first, and key pages
//! come next. Other processes are left to SQLite's own lock.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    taken: bool,
    urgent: usize,
}

/// Somebody's turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits until nobody writes and nobody urgent waits.
    pub(super) fn wait(&self) -> Turn<'_> {
        let (_, changed) = &*self.0;
        let mut state = self.state();
        while state.taken || state.urgent > 0 {
            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.taken = true;
        Turn(self)
    }

    /// Waits only until nobody writes.
    pub(super) fn wait_urgently(&self) -> Turn<'_> {
        let (_, changed) = &*self.0;
        let mut state = self.state();
        state.urgent += 1;
        while state.taken {
            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.urgent -= 1;
        state.taken = true;
        Turn(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing between lock and unlock can panic half way.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().taken = false;
        self.0.0.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn one_at_a_time_and_the_urgent_first() {
        let turns = Turns::default();
        let held = turns.wait();
        let (said, heard) = mpsc::channel();
        let spawn = |name: &'static str, urgent: bool| {
            let (turns, said) = (turns.clone(), said.clone());
            thread::spawn(move || {
                let _turn = if urgent { turns.wait_urgently() } else { turns.wait() };
                said.send(name).unwrap();
            })
        };
        let patient = spawn("patient", false);
        let urgent = spawn("urgent", true);
        while turns.state().urgent == 0 {
            thread::yield_now();
        }
        assert!(heard.try_recv().is_err(), "nobody comes in while it is taken");
        drop(held);
        assert_eq!([heard.recv().unwrap(), heard.recv().unwrap()], ["urgent", "patient"]);
        patient.join().unwrap();
        urgent.join().unwrap();
    }
}
