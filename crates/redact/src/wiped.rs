//! Buffers that hold plaintext for a moment.

use std::fmt;
use std::ops::{Deref, DerefMut};

use zeroize::optimization_barrier;

/// A buffer that is wiped when it goes, spare room included.
///
/// `Zeroizing<Vec<u8>>` does the same byte by byte, which is a tenth of the time it takes to seal a
/// body of 4 KiB. This fills and then has the compiler believe that somebody looks: the way
/// `zeroize` documents for such types.
#[derive(Default)]
pub struct Wiped(Vec<u8>);

impl Wiped {
    /// An empty buffer. It must not be made to grow: what it leaves behind then is not wiped.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// What is in it, as something that is not wiped any more.
    #[must_use]
    pub fn take(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    fn wipe(&mut self) {
        self.0.clear();
        let all = self.0.spare_capacity_mut();
        all.fill(std::mem::MaybeUninit::new(0));
        optimization_barrier(all);
    }
}

impl From<Vec<u8>> for Wiped {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl Deref for Wiped {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl fmt::Debug for Wiped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wiped(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_in_the_buffer_or_told_of_it() {
        let mut buffer = Wiped::with_capacity(64);
        buffer.extend_from_slice(&[7; 40]);
        assert_eq!(format!("{buffer:?}"), "Wiped(..)");
        buffer.truncate(10);
        buffer.wipe();
        assert!(buffer.is_empty() && buffer.capacity() >= 64);
        // What was cut off and what was there: all of the allocation, seen again as content.
        buffer.resize(64, 1);
        assert!(buffer.iter().all(|&byte| byte == 1));
        assert_eq!(Wiped::from(vec![1, 2]).take(), [1, 2]);
    }
    /// Looked at from outside, where the buffer was.
    #[test]
    #[cfg(target_os = "linux")]
    fn what_was_dropped_is_not_in_memory() {
        use std::os::unix::fs::FileExt;
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        let mut seen = [0; 1000];
        let mut buffer = Wiped::with_capacity(seen.len());
        buffer.extend((0..seen.len()).map(|n| u8::try_from(n % 251).unwrap() | 1));
        let at = u64::try_from(buffer.as_ptr().addr()).unwrap();
        // What lies beyond the length was plaintext, too.
        buffer.truncate(10);
        memory.read_exact_at(&mut seen, at).unwrap();
        assert!(seen.iter().all(|byte| *byte != 0), "it is seen while it is there");
        drop(buffer);
        memory.read_exact_at(&mut seen, at).unwrap();
        // The allocator writes over the first bytes of what it was given back.
        assert!(seen[64..].iter().all(|byte| *byte == 0));
    }
}
