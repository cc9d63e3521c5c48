//! Threads for redaction and sealing, so that the async threads never wait for either.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use oubliette_seal::{Limits, Opener, Sealer};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

use crate::error::{Result, ServiceError};

/// A pool of threads that work on bodies.
#[derive(Debug)]
pub(crate) struct Workers {
    pool: ThreadPool,
}

/// A job panicked. What it said is not kept: it may quote the body it stumbled over.
#[derive(Debug)]
pub(crate) struct Panicked;

impl Workers {
    pub(crate) fn start(threads: usize) -> Result<Self> {
        hush_panics_about_bodies();
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("oubliette-work-{number}"))
            .build()
            .map_err(|cause| {
                ServiceError::unavailable("the worker threads cannot be started").with_source(cause)
            })?;
        Ok(Self { pool })
    }

    /// How many jobs can run at the same time.
    pub(crate) fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs a job on one of the threads. It runs to its end even if nobody waits for it any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (done, answer) = oneshot::channel();
        self.pool.spawn(move || {
            let _ = done.send(caught(job));
        });
        answer.await.unwrap_or(Err(Panicked))
    }
}

/// A sealer that is kept for the next body of this thread. One that was in use while its thread
/// panicked is thrown away.
pub(crate) fn with_sealer<T>(work: impl FnOnce(&mut Sealer) -> T) -> T {
    thread_local!(static KEPT: RefCell<Option<Sealer>> = const { RefCell::new(None) });
    let mut sealer = KEPT.take().unwrap_or_else(|| Sealer::with_limits(LIMITS));
    let made = work(&mut sealer);
    KEPT.set(Some(sealer));
    made
}

/// An opener that is kept for the next record of this thread.
pub(crate) fn with_opener<T>(work: impl FnOnce(&mut Opener) -> T) -> T {
    thread_local!(static KEPT: RefCell<Option<Opener>> = const { RefCell::new(None) });
    let mut opener = KEPT.take().unwrap_or_else(|| Opener::new(LIMITS));
    let made = work(&mut opener);
    KEPT.set(Some(opener));
    made
}

/// What may be sealed must be possible to open. The largest body an account may allow is 1 GiB, and
/// placeholders can make it longer.
const LIMITS: Limits = Limits { max_payload_len: 2 << 30 };

thread_local!(static AT_A_BODY: Cell<bool> = const { Cell::new(false) });

fn caught<T>(job: impl FnOnce() -> T) -> Result<T, Panicked> {
    AT_A_BODY.set(true);
    // What the job had in hand goes with it, so nothing half done is seen afterwards.
    let outcome = panic::catch_unwind(AssertUnwindSafe(job));
    AT_A_BODY.set(false);
    outcome.map_err(|_| Panicked)
}

/// A panic about a slice of text quotes the text, and the default hook prints it. While a thread
/// works on a body only the place of a panic is logged; all others go to the hook that was there.
fn hush_panics_about_bodies() {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if AT_A_BODY.get() {
                let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
                tracing::error!(place, "a worker panicked; the body is dropped");
            } else {
                before(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_its_own_job_only() {
        let workers = Workers::start(1).unwrap();
        let text = String::from("é");
        assert!(workers.run(move || text[1..].len()).await.is_err());
        assert_eq!(workers.run(|| 7).await.unwrap(), 7);
    }
}
