//! How much may be in hand at a time. When it is full, what comes is refused at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::error::{Result, ServiceError, ServiceErrorKind};

/// Counts the envelopes in hand and the bytes of their bodies.
///
/// There is no line to stand in: an envelope is either taken in now or refused now, so a gateway is
/// never held up by one that does not fit.
#[derive(Debug)]
pub(crate) struct Queue {
    most_captures: usize,
    most_bytes: usize,
    state: Mutex<State>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    captures: usize,
    bytes: usize,
    closed: bool,
}

/// A place in the queue, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Arc<Queue>,
    bytes: usize,
}

impl Queue {
    pub(crate) fn new(most_captures: usize, most_bytes: usize) -> Self {
        Self { most_captures, most_bytes, state: Mutex::default(), emptied: Notify::new() }
    }

    /// Takes a place, or says at once why there is none.
    pub(crate) fn try_reserve(self: &Arc<Self>, bytes: usize) -> Result<Place> {
        let mut state = self.state();
        if state.closed {
            return Err(ServiceError::unavailable(
                "the service is shutting down; nothing was kept",
            ));
        }
        if bytes > self.most_bytes {
            return Err(ServiceError::new(
                ServiceErrorKind::TooLarge,
                format!(
                    "the bodies have {bytes} bytes, more than the queue of {} can ever hold: \
                     raise queue_bytes or send less",
                    self.most_bytes
                ),
            ));
        }
        if state.captures >= self.most_captures || state.bytes + bytes > self.most_bytes {
            return Err(ServiceError::new(
                ServiceErrorKind::Busy,
                "the capture queue is full: nothing was kept",
            ));
        }
        state.captures += 1;
        state.bytes += bytes;
        Ok(Place { queue: Arc::clone(self), bytes })
    }

    /// Envelopes in hand and the bytes of their bodies.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let state = self.state();
        (state.captures, state.bytes)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Refuses what comes from now on.
    pub(crate) fn close(&self) {
        self.state().closed = true;
    }

    /// Waits until nothing is in hand any more; what is left when the time is over.
    pub(crate) async fn emptied(&self, deadline: Duration) -> usize {
        let empty = async {
            loop {
                let emptied = self.emptied.notified();
                if self.depth().0 == 0 {
                    return;
                }
                emptied.await;
            }
        };
        let _ = tokio::time::timeout(deadline, empty).await; // what is left says the rest
        self.depth().0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each critical section leaves the counts whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.captures -= 1;
        state.bytes -= self.bytes;
        if state.captures == 0 {
            self.queue.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_takes_again_when_there_is_room() {
        let queue = Arc::new(Queue::new(2, 100));
        let first = queue.try_reserve(60).unwrap();
        assert_eq!(queue.try_reserve(41).unwrap_err().kind(), ServiceErrorKind::Busy);
        let second = queue.try_reserve(40).unwrap();
        assert_eq!(queue.try_reserve(0).unwrap_err().kind(), ServiceErrorKind::Busy);
        drop(first);
        assert_eq!(queue.depth(), (1, 40));
        let third = queue.try_reserve(60).unwrap();
        assert_eq!(queue.try_reserve(101).unwrap_err().kind(), ServiceErrorKind::TooLarge);

        queue.close();
        assert_eq!(queue.try_reserve(1).unwrap_err().kind(), ServiceErrorKind::Unavailable);
        assert_eq!(queue.emptied(Duration::from_millis(1)).await, 2);
        let waiting = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.emptied(Duration::from_secs(60)).await }
        });
        drop((second, third));
        assert_eq!(waiting.await.unwrap(), 0);
    }
}
