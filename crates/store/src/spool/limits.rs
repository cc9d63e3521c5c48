//! How much the spool may hold, and how long.

use std::time::Duration;

use crate::error::{StoreError, StoreErrorKind};

/// Limits of a [`Spool`](crate::Spool). The default suits a sidecar on a small machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Most bytes that wait on the local disk, indexes included. With the object store away this
    /// is what bounds the time until appends are refused. Default 4 GiB.
    pub max_bytes: u64,
    /// Bytes that must stay free on the disk. Appends are refused before they are used. Default
    /// 512 MiB.
    pub min_free_bytes: u64,
    /// The size at which a segment is finished. One larger record still fits: alone. 8 to 64 MiB
    /// make good objects; default 16 MiB.
    pub segment_bytes: u64,
    /// The time after its first record at which a segment is finished however small it is: what
    /// is lost together with a machine. Default 10 s.
    pub max_age: Duration,
    /// Uploads at the same time. Each holds its segment in memory. Default 2.
    pub concurrent_uploads: usize,
    /// Whether an uploaded segment is read back and compared, byte by byte, before its file goes. A
    /// server that spoils what it is sent is then found out while the bytes are still here. Costs
    /// a GET for each segment; without it only the size is asked for. Default yes.
    pub verify_uploads: bool,
    /// The pause after a first failed upload; it doubles up to `max_backoff`. Default 200 ms.
    pub min_backoff: Duration,
    /// The longest pause between attempts while the object store is away. Default 30 s.
    pub max_backoff: Duration,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self {
            max_bytes: 4 << 30,
            min_free_bytes: 512 << 20,
            segment_bytes: 16 << 20,
            max_age: Duration::from_secs(10),
            concurrent_uploads: 2,
            verify_uploads: true,
            min_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(30),
        }
    }
}

impl SpoolLimits {
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let wrong = |message| Err(StoreError::new(StoreErrorKind::Configuration, message));
        if !(1024..=512 << 20).contains(&self.segment_bytes) {
            return wrong("the spool's segment size must lie between 1 KiB and 512 MiB");
        }
        if self.max_bytes < 2 * self.segment_bytes {
            return wrong("the spool must have room for two segments: raise its size");
        }
        if self.concurrent_uploads == 0 {
            return wrong("the spool needs at least one upload at a time");
        }
        if self.min_backoff.is_zero() || self.max_backoff < self.min_backoff {
            return wrong("the spool's pauses between uploads must grow from more than nothing");
        }
        Ok(())
    }

    /// The pause after this many failures in a row (at least one): doubled each time, capped, and
    /// shortened by up to a half, so that many sidecars do not come back together. `spread` is any
    /// number that differs between them.
    pub(super) fn backoff(&self, failures: u32, spread: u64) -> Duration {
        let doubled = self.min_backoff.saturating_mul(1 << failures.saturating_sub(1).min(20));
        let full = doubled.min(self.max_backoff);
        let jitter = f64::from(u32::try_from(spread % 1000).expect("below 1000")) / 2000.0;
        full.mul_f64(1.0 - jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_are_capped_and_spread() {
        let limits = SpoolLimits::default();
        assert_eq!(limits.backoff(1, 0), Duration::from_millis(200));
        assert_eq!(limits.backoff(3, 0), Duration::from_millis(800));
        assert_eq!(limits.backoff(u32::MAX, 0), Duration::from_secs(30));
        for spread in 0..2000 {
            let pause = limits.backoff(2, spread);
            assert!(pause > Duration::from_millis(200) && pause <= Duration::from_millis(400));
        }
    }

    #[test]
    fn limits_that_cannot_work_are_refused() {
        let good = SpoolLimits::default;
        assert!(good().check().is_ok());
        for bad in [
            SpoolLimits { segment_bytes: 0, ..good() },
            SpoolLimits { max_bytes: good().segment_bytes, ..good() },
            SpoolLimits { concurrent_uploads: 0, ..good() },
            SpoolLimits { min_backoff: Duration::ZERO, ..good() },
            SpoolLimits { max_backoff: Duration::from_millis(1), ..good() },
        ] {
            let error = bad.check().unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Configuration, "{bad:?}");
        }
    }
}
