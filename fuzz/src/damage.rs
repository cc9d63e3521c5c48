//! Fuzz input read as damage to bytes that were good.
//!
//! Random bytes never get past a checksum or a tag. Good bytes with a few changes get everywhere.

/// Reads `script` as edits and makes them.
///
/// One edit is four bytes: where (two bytes, little-endian, modulo the length), what, and a byte
/// to do it with. What remains, shorter than an edit, is appended.
pub(crate) fn damage(good: &[u8], script: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let (edits, rest) = script.as_chunks::<4>();
    for &[low, high, what, with] in edits {
        if bytes.is_empty() {
            break;
        }
        let at = usize::from(u16::from_le_bytes([low, high])) % bytes.len();
        match what % 4 {
            0 | 1 => bytes[at] ^= with,
            2 => bytes.truncate(at),
            _ => {
                // A piece of the bytes once more, somewhere else: the lie that checksums believe.
                let end = (at + usize::from(with)).min(bytes.len());
                bytes.extend_from_within(at..end);
            }
        }
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// The number of bytes at the start that are still the same.
pub(crate) fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}
