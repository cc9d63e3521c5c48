//! The task that takes finished segments to the object store, however long that takes.

use std::future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::recovery::restore;
use super::state::{Phase, Shared, file_path};
use crate::error::{StoreError, StoreErrorKind};
use crate::fs::blocking;
use crate::key::ObjectKey;
use crate::segment::SegmentIndex;

/// Uploads what waits, until it is told to stop.
///
/// After a failure the store is given a pause that grows, and is then tried with one segment at a
/// time until one succeeds.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut running = JoinSet::new();
    let mut failures = 0_u32;
    let mut pause: Option<Instant> = None;
    loop {
        let most = if failures > 0 { 1 } else { shared.limits.concurrent_uploads };
        while pause.is_none() && running.len() < most {
            let Some(key) = shared.lock().next_upload() else { break };
            let shared = Arc::clone(&shared);
            running.spawn(async move {
                let result = bring(&shared, key).await;
                settle(&shared, key, &result).await;
                (key, result)
            });
        }
        tokio::select! {
            Some(done) = running.join_next() => {
                match done {
                    Ok((_, Ok(()))) => (failures, pause) = (0, None),
                    Ok((key, Err(error))) => {
                        failures = failures.saturating_add(1);
                        let wait = shared.limits.backoff(failures, spread(key, failures));
                        tracing::warn!(%key, %error, failures, ?wait, "an upload failed");
                        pause = Some(Instant::now() + wait);
                    }
                    Err(error) => tracing::error!(%error, "an upload ended badly"),
                }
            }
            () = shared.waiting.notified() => {}
            () = shared.hurry.notified() => pause = None,
            () = until(pause) => pause = None,
            () = shared.stopped() => break,
        }
    }
    // They notice by themselves, and none is cut off while it changes files.
    while running.join_next().await.is_some() {}
}

/// Ids are random, and so differ between sidecars.
fn spread(key: ObjectKey, failures: u32) -> u64 {
    let id = key.segment().to_bytes();
    u64::from_be_bytes(*id.last_chunk().expect("16 bytes")).rotate_left(failures * 7)
}

async fn until(pause: Option<Instant>) {
    match pause {
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}

/// Brings one segment to the object store, and waits until nobody needs its file any more.
async fn bring(shared: &Arc<Shared>, key: ObjectKey) -> Result<(), StoreError> {
    upload(shared, key).await?;
    shared.phase(key.segment(), Phase::Leaving);
    tokio::select! {
        result = shared.keeper.let_go(&key) => result,
        () = shared.stopped() => Err(StoreError::closed()),
    }
}

/// Brings one segment to the object store and makes sure that it is there.
async fn upload(shared: &Arc<Shared>, key: ObjectKey) -> Result<(), StoreError> {
    let Some((segment, rebuilt)) = load(shared, key).await? else { return Ok(()) };
    tokio::select! {
        result = send(shared, key, segment, rebuilt) => result,
        () = shared.stopped() => Err(StoreError::closed()),
    }
}

async fn send(
    shared: &Shared,
    key: ObjectKey,
    segment: Bytes,
    rebuilt: bool,
) -> Result<(), StoreError> {
    let size = segment.len() as u64;
    if rebuilt && is_whole(shared, key).await? {
        return Ok(()); // uploaded before its spool file was damaged, and better than what is left
    }
    shared.store.put(&key, segment.clone()).await?;
    if shared.limits.verify_uploads {
        return compare(shared, key, &segment).await;
    }
    let stored = shared.store.size(&key).await?;
    if stored != size {
        return Err(StoreError::new(
            StoreErrorKind::Retry,
            format!("{key} has {stored} bytes in the object store and {size} in the spool"),
        ));
    }
    Ok(())
}

/// Reads a segment back from the object store, piece by piece.
async fn compare(shared: &Shared, key: ObjectKey, segment: &Bytes) -> Result<(), StoreError> {
    for (number, piece) in segment.chunks(COMPARED_TOGETHER).enumerate() {
        let from = (number * COMPARED_TOGETHER) as u64;
        let stored = shared.store.get_range(&key, from..from + piece.len() as u64).await?;
        if stored != piece {
            return Err(StoreError::new(
                StoreErrorKind::Retry,
                format!("{key} comes back from the object store other than it was sent"),
            ));
        }
    }
    Ok(())
}

/// Bytes of a segment that are in memory a second time while they are compared.
const COMPARED_TOGETHER: usize = 4 << 20;

/// Reads a finished file and checks every byte of it, and whether it was rebuilt. A file that is
/// damaged is kept, and what is whole in it goes on; `None` if that is nothing.
async fn load(shared: &Arc<Shared>, key: ObjectKey) -> Result<Option<(Bytes, bool)>, StoreError> {
    let shared = Arc::clone(shared);
    blocking(move || {
        let path = file_path(&shared.dir, key, "seg");
        let read = || {
            let bytes = (shared.disk.read(&path))
                .map_err(|error| StoreError::disk("a spool file cannot be read", error))?;
            let index = SegmentIndex::parse(&bytes).ok().filter(|i| i.object_key() == key);
            Ok::<_, StoreError>(index.map(|index| (Bytes::from(bytes), index.is_rebuilt())))
        };
        if let Some(whole) = read()? {
            return Ok(Some(whole));
        }
        let restored = restore(&*shared.disk, &shared.dir, key, "seg", None)?;
        shared.lock().damaged += u64::from(restored.damaged.is_some());
        match restored.segment {
            None => Ok(None),
            Some((size, _)) => {
                shared.update(key.segment(), Phase::Sealed { uploading: true }, size);
                read()
            }
        }
    })
    .await
}

/// Whether the object store has a whole segment under this key.
async fn is_whole(shared: &Shared, key: ObjectKey) -> Result<bool, StoreError> {
    let fetch = async {
        let size = shared.store.size(&key).await?;
        let bytes = shared.store.get_range(&key, 0..size).await?;
        SegmentIndex::parse(&bytes)
    };
    match fetch.await {
        Ok(index) => Ok(index.object_key() == key && !index.is_rebuilt()),
        Err(error) => match error.kind() {
            StoreErrorKind::NotFound | StoreErrorKind::Damaged | StoreErrorKind::Invalid => {
                Ok(false)
            }
            _ => Err(error),
        },
    }
}

/// Books the result. Only a segment that is known to be uploaded loses its file.
async fn settle(shared: &Arc<Shared>, key: ObjectKey, result: &Result<(), StoreError>) {
    if let Err(error) = result {
        let mut state = shared.lock();
        if error.kind() != StoreErrorKind::Closed {
            state.upload_failures += 1;
            state.last_upload_error = Some(error.clone());
        }
        if let Some(local) = state.segments.get_mut(&key.segment()) {
            local.phase = Phase::Sealed { uploading: false };
            local.attempts = local.attempts.saturating_add(1);
        }
        return;
    }
    {
        let mut state = shared.lock();
        state.uploaded += 1;
        state.last_upload_error = None;
    }
    // Off the books first: a reader that still finds the file reads it, and one that does not asks
    // the books again and goes to the object store.
    shared.forget(key.segment());
    let remove = Arc::clone(shared);
    let removed = blocking(move || {
        (remove.disk.remove(&file_path(&remove.dir, key, "seg")))
            .and_then(|()| remove.disk.sync_folder(&remove.dir))
            .map_err(|error| StoreError::disk("an uploaded spool file stays", error))
    });
    if let Err(error) = removed.await {
        // It will be uploaded once more at the next start, which does no harm.
        tracing::warn!(%key, %error, "an uploaded spool file could not be removed");
    }
    shared.tell();
}

/// Waits until none of these segments is in the spool any more, or the time is over. Returns how
/// many still are.
pub(super) async fn wait_for_uploads(shared: &Shared, deadline: Duration) -> usize {
    let mut changed = shared.subscribe();
    let mine: Vec<_> = {
        let state = shared.lock();
        let waiting = |phase| !matches!(phase, Phase::Open);
        state.segments.iter().filter(|(_, l)| waiting(l.phase)).map(|(id, _)| *id).collect()
    };
    let left = || {
        let state = shared.lock();
        mine.iter().filter(|id| state.segments.contains_key(id)).count()
    };
    shared.hurry.notify_one();
    let all = async {
        while left() > 0 {
            if changed.changed().await.is_err() {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(deadline, all).await; // what is left is counted below
    left()
}
