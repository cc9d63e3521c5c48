//! Keccak-256 as Ethereum uses it, for address checksums only; nothing here guards a secret.
//!
//! Written out because the SHA-3 crates are a dependency tree for one checksum, and because this
//! is the padding of before the standard, which they carry as a special case.

/// The Keccak-256 digest of a message of at most one block (135 bytes).
///
/// # Panics
///
/// If the message is longer: callers hash 40 hexadecimal digits.
pub(super) fn keccak256(message: &[u8]) -> [u8; 32] {
    assert!(message.len() < RATE, "one block holds the message");
    let mut block = [0u8; RATE];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 0x01;
    block[RATE - 1] |= 0x80;

    let mut state = [0u64; 25];
    for (lane, bytes) in state.iter_mut().zip(block.as_chunks::<8>().0) {
        *lane = u64::from_le_bytes(*bytes);
    }
    permute(&mut state);

    let mut digest = [0u8; 32];
    for (bytes, lane) in digest.as_chunks_mut::<8>().0.iter_mut().zip(state) {
        *bytes = lane.to_le_bytes();
    }
    digest
}

/// Keccak-f\[1600\] with the lanes at `x + 5 * y`.
fn permute(state: &mut [u64; 25]) {
    for constant in ROUND_CONSTANTS {
        let mut parity = [0u64; 5];
        for (place, lane) in state.iter().enumerate() {
            parity[place % 5] ^= lane;
        }
        for (place, lane) in state.iter_mut().enumerate() {
            *lane ^= parity[(place + 4) % 5] ^ parity[(place + 1) % 5].rotate_left(1);
        }

        let mut moving = state[1];
        for (place, turn) in LANE_ORDER.into_iter().zip(ROTATIONS) {
            moving = std::mem::replace(&mut state[place], moving.rotate_left(turn));
        }

        for row in state.as_chunks_mut::<5>().0 {
            let old = *row;
            for x in 0..5 {
                row[x] = old[x] ^ (!old[(x + 1) % 5] & old[(x + 2) % 5]);
            }
        }
        state[0] ^= constant;
    }
}

/// Bytes absorbed at once: 1600 bits less twice the 256 of the digest.
const RATE: usize = 136;

const LANE_ORDER: [usize; 24] =
    [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];

const ROTATIONS: [u32; 24] =
    [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];

const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_digests() {
        let cases = [
            ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
            ("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
            ("testing", "5f16f4c7f149ac4f9510d9cf8cf384038ad348b3bcdc01915f95de12df9d1b02"),
        ];
        for (message, digest) in cases {
            assert_eq!(hex::encode(keccak256(message.as_bytes())), digest, "{message}");
        }
    }
}
