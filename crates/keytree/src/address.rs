//! Leaf addresses: `capture hour (24 bits) ‖ lease (16) ‖ sequence (24)`.

use std::fmt;

/// An hour since the Unix epoch, in 24 bits: enough until the year 3883.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(u32);

impl Hour {
    /// The last hour that has an address.
    pub const MAX: Hour = Hour((1 << 24) - 1);

    /// The hour with this number since the Unix epoch; `None` beyond [`Hour::MAX`].
    #[must_use]
    pub const fn new(hours_since_epoch: u32) -> Option<Self> {
        if hours_since_epoch <= Self::MAX.0 { Some(Self(hours_since_epoch)) } else { None }
    }

    /// The hour in which a Unix time (seconds) falls; times outside the range are clamped to it.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Self {
        let hour = seconds.div_euclid(3600).clamp(0, i64::from(Self::MAX.0));
        Self(u32::try_from(hour).expect("clamped to 24 bits"))
    }

    /// The number of hours since the Unix epoch.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hour({})", self.0)
    }
}

/// The address of one leaf, that is of one payload, in an account's key tree.
///
/// Addresses sort by time of capture first, which is what makes expiry a prefix operation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafAddress(u64);

impl LeafAddress {
    /// The number of leaves under one lease: 2^24.
    pub const SEQUENCES: u32 = 1 << 24;

    /// Puts an address together; `None` if the sequence does not fit in 24 bits.
    #[must_use]
    pub const fn new(hour: Hour, lease: u16, sequence: u32) -> Option<Self> {
        if sequence < Self::SEQUENCES {
            Some(Self(((hour.0 as u64) << 40) | ((lease as u64) << 24) | sequence as u64))
        } else {
            None
        }
    }

    /// The address as its 64 bits.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The address with these 64 bits. Every value is an address.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The hour of capture.
    #[must_use]
    pub const fn hour(self) -> Hour {
        Hour((self.0 >> 40) as u32)
    }

    /// The lease under which the leaf was taken.
    #[must_use]
    pub const fn lease(self) -> u16 {
        (self.0 >> 24) as u16
    }

    /// The place of the leaf in its lease.
    #[must_use]
    pub const fn sequence(self) -> u32 {
        (self.0 & 0xff_ffff) as u32
    }
}

impl fmt::Debug for LeafAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeafAddress({self})")
    }
}

impl fmt::Display for LeafAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.hour().0, self.lease(), self.sequence())
    }
}

/// A keyed hash of an account's name: what stands for the account where names must not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountTag([u8; 16]);

impl AccountTag {
    /// Wraps a tag that was computed elsewhere; this crate knows no account names.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The tag's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for AccountTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountTag({})", hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_sequences_end_where_their_bits_do() {
        assert_eq!(Hour::MAX.number(), 0xff_ffff);
        assert_eq!(Hour::new(0xff_ffff), Some(Hour::MAX));
        assert_eq!(Hour::new(0x100_0000), None);
        assert_eq!(Hour::from_unix_seconds(i64::MAX), Hour::MAX);
        assert_eq!(Hour::from_unix_seconds(-1).number(), 0);
        assert_eq!(Hour::from_unix_seconds(3600).number(), 1);
        assert_eq!(LeafAddress::new(Hour::MAX, 7, 0x100_0000), None);
        let last = LeafAddress::new(Hour::MAX, 0xffff, 0xff_ffff).unwrap();
        assert_eq!(last.to_bits(), u64::MAX);
        assert_eq!((last.hour(), last.lease(), last.sequence()), (Hour::MAX, 0xffff, 0xff_ffff));
        let other = LeafAddress::from_bits(0x0000_0100_0200_0003);
        assert_eq!((other.hour().number(), other.lease(), other.sequence()), (1, 2, 3));
    }
}
