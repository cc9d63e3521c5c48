//! A store that fails on a seed.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::Dice;
use crate::error::{StoreError, StoreErrorKind};
use crate::key::ObjectKey;
use crate::object::{Check, LifecycleRule, ObjectPage, ObjectStore};

/// How often what goes wrong, in percent of the operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Fails before anything happens.
    pub fail: u8,
    /// Does it and loses the reply: the caller sees an error.
    pub lose_reply: u8,
    /// Alters a byte on the way, of what is written or of what is read, and says that all is well.
    pub corrupt: u8,
    /// Waits up to [`Faults::longest_delay`] first.
    pub delay: u8,
    /// The longest wait.
    pub longest_delay: Duration,
}

/// Wraps a store and makes its operations fail, wait or lose their reply, the same way for the
/// same seed and order of calls.
pub struct FailingStore {
    inner: Arc<dyn ObjectStore>,
    faults: Mutex<Faults>,
    dice: Dice,
    down: AtomicBool,
    injected: AtomicU64,
    calls: AtomicU64,
}

impl FailingStore {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, seed: u64, faults: Faults) -> Self {
        Self {
            inner,
            faults: Mutex::new(faults),
            dice: Dice::new(seed),
            down: AtomicBool::new(false),
            injected: AtomicU64::new(0),
            calls: AtomicU64::new(0),
        }
    }

    /// Switches the whole store off and on: while it is down every operation fails.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Changes what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// How many operations have been made to fail so far.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.injected.load(Ordering::SeqCst)
    }

    /// How many operations have been asked for so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Flips a bit of one byte. Another bit on the way in than on the way out, so that no comparison
    /// is fooled by the same accident twice.
    fn perhaps_altered(&self, bytes: Bytes, bit: u8) -> Bytes {
        let faults = *self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let (happens, at) = (self.dice.percent(faults.corrupt), self.dice.roll());
        if !happens || bytes.is_empty() {
            return bytes;
        }
        self.injected.fetch_add(1, Ordering::SeqCst);
        let mut bytes = bytes.to_vec();
        let at = usize::try_from(at % bytes.len() as u64).expect("below a length");
        bytes[at] ^= bit;
        bytes.into()
    }

    fn fault(&self, message: &'static str) -> StoreError {
        self.injected.fetch_add(1, Ordering::SeqCst);
        StoreError::new(StoreErrorKind::Retry, message)
    }

    async fn disturb<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let faults = *self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        // All are drawn each time, so that one percentage does not shift the course of the others.
        let (fail, lose, delay) = (
            self.dice.percent(faults.fail),
            self.dice.percent(faults.lose_reply),
            self.dice.percent(faults.delay),
        );
        let longest = u64::try_from(faults.longest_delay.as_micros()).unwrap_or(u64::MAX);
        let wait = Duration::from_micros(self.dice.below(longest));
        if delay {
            tokio::time::sleep(wait).await;
        }
        if self.down.load(Ordering::SeqCst) {
            return Err(self.fault("injected: the object store is down"));
        }
        if fail {
            return Err(self.fault("injected: the operation failed"));
        }
        let result = operation.await;
        if lose && result.is_ok() {
            return Err(self.fault("injected: the reply was lost"));
        }
        result
    }
}

impl fmt::Debug for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailingStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl ObjectStore for FailingStore {
    async fn put(&self, key: &ObjectKey, body: Bytes) -> Result<(), StoreError> {
        let body = self.perhaps_altered(body, 0x10);
        self.disturb(self.inner.put(key, body)).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let bytes = self.disturb(self.inner.get_range(key, range)).await?;
        Ok(self.perhaps_altered(bytes, 0x20))
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        self.disturb(self.inner.size(key)).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
    ) -> Result<ObjectPage, StoreError> {
        self.disturb(self.inner.list(prefix, after)).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.disturb(self.inner.delete(key)).await
    }

    async fn ensure_lifecycle(&self, rules: &[LifecycleRule]) -> Result<(), StoreError> {
        self.disturb(self.inner.ensure_lifecycle(rules)).await
    }

    async fn lifecycle(&self) -> Result<Vec<LifecycleRule>, StoreError> {
        self.disturb(self.inner.lifecycle()).await
    }

    async fn sweep(&self, unix_seconds: i64) -> Result<u64, StoreError> {
        self.disturb(self.inner.sweep(unix_seconds)).await
    }

    async fn capabilities(&self, key: &ObjectKey) -> Vec<Check> {
        self.inner.capabilities(key).await
    }
}
