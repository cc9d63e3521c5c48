//! A store in memory, for tests.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::files::{FileStore, check_name};
use super::{
    Check, LifecycleRule, ObjectInfo, ObjectPage, ObjectStore, PAGE, missing, range_len, too_short,
};
use crate::error::StoreError;
use crate::key::ObjectKey;

/// Keeps objects in memory. For tests: nothing survives the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<ObjectKey, Bytes>,
    files: BTreeMap<String, Bytes>,
    rules: Vec<LifecycleRule>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each critical section leaves the maps whole, also when a caller's thread panics.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl FileStore for MemoryStore {
    async fn put_file(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        check_name(name)?;
        self.lock().files.insert(name.to_owned(), bytes);
        Ok(())
    }

    async fn get_file(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        check_name(name)?;
        Ok(self.lock().files.get(name).cloned())
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put(&self, key: &ObjectKey, body: Bytes) -> Result<(), StoreError> {
        self.lock().objects.insert(*key, body);
        Ok(())
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        range_len(&range)?;
        let inner = self.lock();
        let object = inner.objects.get(key).ok_or_else(|| missing(key))?;
        match (usize::try_from(range.start), usize::try_from(range.end)) {
            (Ok(start), Ok(end)) if end <= object.len() => Ok(object.slice(start..end)),
            _ => Err(too_short(key)),
        }
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        self.lock().objects.get(key).map(|o| o.len() as u64).ok_or_else(|| missing(key))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
    ) -> Result<ObjectPage, StoreError> {
        let inner = self.lock();
        let from = after.map_or(Bound::Unbounded, |key| Bound::Excluded(*key));
        let mut found = inner
            .objects
            .range((from, Bound::Unbounded))
            .filter(|(key, _)| key.to_string().starts_with(prefix))
            .map(|(key, body)| ObjectInfo { key: *key, size: body.len() as u64 });
        let objects: Vec<_> = found.by_ref().take(PAGE).collect();
        let next = found.next().and(objects.last()).map(|last| last.key);
        Ok(ObjectPage { objects, next })
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.lock().objects.remove(key);
        Ok(())
    }

    async fn ensure_lifecycle(&self, rules: &[LifecycleRule]) -> Result<(), StoreError> {
        let mut inner = self.lock();
        inner.rules = LifecycleRule::merge(&inner.rules, rules)?;
        Ok(())
    }

    async fn lifecycle(&self) -> Result<Vec<LifecycleRule>, StoreError> {
        Ok(self.lock().rules.clone())
    }

    async fn sweep(&self, unix_seconds: i64) -> Result<u64, StoreError> {
        let mut inner = self.lock();
        let rules = std::mem::take(&mut inner.rules);
        let before = inner.objects.len();
        inner.objects.retain(|key, _| !rules.iter().any(|rule| rule.is_over(key, unix_seconds)));
        inner.rules = rules;
        Ok((before - inner.objects.len()) as u64)
    }

    async fn capabilities(&self, _key: &ObjectKey) -> Vec<Check> {
        Vec::new()
    }
}
