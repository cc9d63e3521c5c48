//! The pass with AVX-512 and AVX2. The only unsafe code of this crate.
//!
//! Two things are unsafe about it: running instructions that the processor may not have, and loading or storing
//! through a pointer. The first is settled by the types: a value of [`Avx512`] or [`Avx2`] exists only if the
//! processor was asked. The second by taking arrays and slices whose length was checked. Everything else
//! is plain arithmetic. The tests of the parent module and a fuzz target hold both against the portable twin.
#![allow(unsafe_code, reason = "SIMD: measured at 20 times the portable pass")]

use std::arch::x86_64::*;

use super::windows::{Group, PLACES};
use super::{BLOCK, Both, Hits, Masks, Sieve, padded, sieve};

/// Proof that AVX-512 with byte permutations is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512(());

/// Proof that AVX2 is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        there.then_some(Self(()))
    }

    #[inline]
    pub(super) fn classify(self, haystack: &[u8], each: impl FnMut(usize, Masks)) {
        // SAFETY: a value of this type exists only if the processor has the features.
        unsafe { classify_512(haystack, each) }
    }

    #[inline]
    pub(super) fn hits(self, haystack: &[u8], tables: Both<'_>, each: impl FnMut(usize, Hits)) {
        // SAFETY: as above.
        unsafe { hits_512(tables, haystack, each) }
    }

    pub(super) fn places(self, at: usize, masks: &[u64], list: &mut [usize]) -> usize {
        // SAFETY: as above.
        unsafe { places_512(at, masks, list) }
    }

    pub(super) fn sift(
        self,
        sieve: &Sieve,
        haystack: &[u8],
        words: (&[usize], &[usize]),
        kept: &mut [u16],
    ) -> usize {
        // SAFETY: as above.
        unsafe { sift_512(sieve, haystack, words, kept) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi1,bmi2")]
fn classify_512(haystack: &[u8], mut each: impl FnMut(usize, Masks)) {
    let blocks = haystack.chunks_exact(BLOCK);
    let rest = blocks.remainder();
    let mut at = 0;
    for block in blocks {
        each(at, masks_512(load_512(block)));
        at += BLOCK;
    }
    if !rest.is_empty() {
        each(at, masks_512(load_512(&padded(rest))));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
fn masks_512(block: __m512i) -> Masks {
    let within = |bytes: __m512i, first: u8, count: i8| {
        let offset = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first.cast_signed()));
        _mm512_cmplt_epu8_mask(offset, _mm512_set1_epi8(count))
    };
    let is = |byte: u8| _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(byte.cast_signed()));
    let digits = within(block, b'0', 10);
    let letters = within(_mm512_or_si512(block, _mm512_set1_epi8(0x20)), b'a', 26);
    let hyphen = is(b'-');
    let alphanumeric = digits | letters;
    Masks {
        digits,
        token: alphanumeric | is(b'_') | hyphen,
        separators: is(b' ') | hyphen | within(block, b'.', 2), // `.` and `/` are neighbours
        alphanumeric,
        upper: within(block, b'A', 26),
        lead: _mm512_cmpge_epu8_mask(block, _mm512_set1_epi8(0xC0u8.cast_signed())),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2")]
fn places_512(at: usize, masks: &[u64], list: &mut [usize]) -> usize {
    const NUMBERS: [u8; 64] = {
        let mut numbers = [0; 64];
        let mut at = 0;
        while at < numbers.len() {
            numbers[at] = at as u8;
            at += 1;
        }
        numbers
    };
    let numbers = load_512(&NUMBERS);
    let mut len = 0;
    let mut block_at = at;
    for &mask in masks {
        let count = mask.count_ones() as usize;
        let mut places = _mm512_maskz_compress_epi8(mask, numbers);
        let mut next = len;
        let base = _mm512_set1_epi64(block_at.cast_signed() as i64);
        // Sixteen words in a block are many.
        loop {
            let two = _mm512_castsi512_si128(places);
            let halves = [two, _mm_unpackhi_epi64(two, two)];
            for half in halves {
                let whole = _mm512_add_epi64(_mm512_cvtepu8_epi64(half), base);
                let eight = list[next..].first_chunk_mut::<8>().expect("room for a block's more");
                // SAFETY: the array is 64 bytes long, as `usize` is here, and the store asks for no alignment.
                unsafe { _mm512_storeu_si512(eight.as_mut_ptr().cast(), whole) };
                next += 8;
            }
            if next >= len + count {
                break;
            }
            places = _mm512_alignr_epi64::<2>(_mm512_setzero_si512(), places);
        }
        len += count;
        block_at += BLOCK;
    }
    len
}

/// As [`Sieve::sift`], eight words at a time. What has to be looked up is, one by one: the processor's own way to gather
/// takes longer.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vbmi,avx512vbmi2,bmi1,bmi2")]
fn sift_512(
    sieve: &Sieve,
    haystack: &[u8],
    (starts, ends): (&[usize], &[usize]),
    kept: &mut [u16],
) -> usize {
    const MANY: usize = 64;
    let all = |value: u64| _mm512_set1_epi64(value.cast_signed());
    let (one, low) = (all(1), all(u64::from(u32::MAX)));
    let slot_shift = _mm_cvtsi32_si128(sieve.shift.cast_signed());
    let mut numbers = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    let mut count = 0;
    let (mut bytes, mut lens, mut slots) = ([0; MANY], [0; MANY], [0; MANY]);
    for (starts, ends) in starts.chunks(MANY).zip(ends.chunks(MANY)) {
        let words = starts.iter().zip(ends);
        let places = bytes.iter_mut().zip(&mut lens);
        for ((&start, &end), (bytes, len)) in words.zip(places) {
            (*bytes, *len) = (sieve::bytes_at(haystack, start), (end - start) as u64);
        }
        let word = |bytes: &[u64; 8], len: &[u64; 8]| {
            let (bytes, len) = (load_words(bytes), load_words(len));
            let bytes = _mm512_or_si512(bytes, all(sieve::FOLD));
            let bits = _mm512_slli_epi64::<3>(_mm512_min_epu64(len, all(sieve::HASHED as u64)));
            // A shift by 64 leaves nothing, less one of which is all ones.
            let keep = _mm512_sub_epi64(_mm512_sllv_epi64(one, bits), one);
            (bytes, len, _mm512_and_si512(bytes, keep))
        };
        let groups = bytes.as_chunks::<8>().0.iter().zip(lens.as_chunks::<8>().0);
        for ((bytes, len), slots) in groups.clone().zip(slots.as_chunks_mut::<8>().0) {
            let (_, _, word) = word(bytes, len);
            let first = _mm512_mul_epu32(word, all(sieve::SLOT.into()));
            let slot = _mm512_srl_epi64(_mm512_and_si512(first, low), slot_shift);
            // SAFETY: the array is 64 bytes long, and the store asks for no alignment.
            unsafe { _mm512_storeu_si512(slots.as_mut_ptr().cast(), slot) };
        }
        for slot in &mut slots {
            *slot = sieve.slots[*slot as usize];
        }
        let mut left = starts.len();
        for ((bytes, len), slot) in groups.zip(slots.as_chunks::<8>().0) {
            let (bytes, len, word) = word(bytes, len);
            let slot = load_words(slot);
            let hash = |bytes: __m512i, len: __m512i, by: u64| {
                let hash = _mm512_mullo_epi64(_mm512_xor_si512(bytes, len), all(by));
                _mm512_srlv_epi64(slot, _mm512_srli_epi64::<{ sieve::TOP }>(hash))
            };
            let whole = hash(word, _mm512_slli_epi64::<{ sieve::WHOLE_LEN }>(len), sieve::WHOLE);
            let eight = hash(bytes, all(sieve::begun_len(8)), sieve::BEGUN);
            let six = _mm512_and_si512(bytes, all(sieve::keep(6)));
            let six = hash(six, all(sieve::begun_len(6)), sieve::BEGUN);
            let bit = |bytes| _mm512_srlv_epi64(slot, _mm512_and_si512(bytes, all(63)));
            let fifth = bit(_mm512_srli_epi64::<32>(bytes));
            let fourth = bit(_mm512_srli_epi64::<24>(bytes));
            let asked = _mm512_ternarylogic_epi64::<OR>(whole, eight, six);
            let asked = _mm512_ternarylogic_epi64::<OR>(asked, fifth, fourth);
            let there = ((1u32 << left.min(8)) - 1) as u8;
            let passes = _mm512_mask_test_epi64_mask(there, asked, one);
            let passed = _mm512_cvtepi64_epi16(_mm512_maskz_compress_epi64(passes, numbers));
            let room = kept[count..].first_chunk_mut::<8>().expect("room for eight more");
            // SAFETY: the array is 16 bytes long, and the store asks for no alignment.
            unsafe { _mm_storeu_si128(room.as_mut_ptr().cast(), passed) };
            count += passes.count_ones() as usize;
            numbers = _mm512_add_epi64(numbers, all(8));
            left = left.saturating_sub(8);
        }
    }
    count
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_words(words: &[u64; 8]) -> __m512i {
    // SAFETY: the array is 64 bytes long, and the load asks for no alignment.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi1,bmi2")]
fn hits_512(tables: Both<'_>, haystack: &[u8], mut each: impl FnMut(usize, Hits)) {
    let class_of = tables.map(|tables| tables.classes.as_chunks::<64>().0);
    let class_of = class_of.map(|of| [load_512(&of[0]), load_512(&of[1])]);
    let look = |blocks: [__m512i; PLACES]| {
        std::array::from_fn(|which| {
            let (tables, [low, high]) = (tables[which], class_of[which]);
            let classes = blocks.map(|block| _mm512_permutex2var_epi8(low, block, high));
            let mut any = _mm512_setzero_si512();
            for group in &tables.groups {
                let place =
                    |at: usize| _mm512_permutexvar_epi8(classes[at], load_512(&group.classes[at]));
                let mut all = place(0);
                for at in (1..PLACES - 1).step_by(2) {
                    all = _mm512_ternarylogic_epi64::<AND>(all, place(at), place(at + 1));
                }
                // any | all & last
                any = _mm512_ternarylogic_epi64::<OR_AND>(any, all, place(PLACES - 1));
            }
            _mm512_test_epi8_mask(any, any)
        })
    };
    let mut at = 0;
    while at + BLOCK + PLACES <= haystack.len() {
        let bits = look(std::array::from_fn(|place| load_512(&haystack[at + place..])));
        each(at, bits);
        at += BLOCK;
    }
    while at < haystack.len() {
        let rest = &haystack[at..];
        let rest = padded(&rest[..rest.len().min(BLOCK + PLACES)]);
        let bits = look(std::array::from_fn(|place| load_512(&rest[place..])));
        each(at, bits);
        at += BLOCK;
    }
}

const _: () = assert!(size_of::<usize>() == 8, "places are stored as eight bytes");
/// The truth table of the and of three.
const AND: i32 = 0x80;
/// That of the or.
const OR: i32 = 0xFE;
/// That of the first, or the second and the third.
const OR_AND: i32 = 0xF8;
const _: () =
    assert!(PLACES.is_multiple_of(2), "the places between first and last are taken two by two");

#[target_feature(enable = "avx512f")]
#[inline]
fn load_512(bytes: &[u8]) -> __m512i {
    let bytes: &[u8; 64] = bytes[..64].try_into().expect("64 bytes");
    // SAFETY: the array is 64 bytes long, and the load asks for no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    #[inline]
    pub(super) fn classify(self, haystack: &[u8], each: impl FnMut(usize, Masks)) {
        // SAFETY: a value of this type exists only if the processor has the feature.
        unsafe { classify_256(haystack, each) }
    }

    #[inline]
    pub(super) fn hits(self, haystack: &[u8], tables: Both<'_>, each: impl FnMut(usize, Hits)) {
        // SAFETY: as above.
        unsafe { hits_256(tables, haystack, each) }
    }
}

#[target_feature(enable = "avx2")]
fn classify_256(haystack: &[u8], mut each: impl FnMut(usize, Masks)) {
    let blocks = haystack.chunks_exact(BLOCK);
    let rest = blocks.remainder();
    let mut at = 0;
    for block in blocks {
        each(at, masks_256(block));
        at += BLOCK;
    }
    if !rest.is_empty() {
        each(at, masks_256(&padded(rest)));
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn masks_256(block: &[u8]) -> Masks {
    let halves = [half_256(load_256(block)), half_256(load_256(&block[32..]))];
    let whole = |of: fn(&Masks) -> u64| of(&halves[0]) | of(&halves[1]) << 32;
    Masks {
        digits: whole(|masks| masks.digits),
        token: whole(|masks| masks.token),
        separators: whole(|masks| masks.separators),
        alphanumeric: whole(|masks| masks.alphanumeric),
        upper: whole(|masks| masks.upper),
        lead: whole(|masks| masks.lead),
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn half_256(half: __m256i) -> Masks {
    let bits = |mask: __m256i| u64::from(_mm256_movemask_epi8(mask).cast_unsigned());
    // Unsigned `offset < count`, as a minimum that is the offset itself.
    let within = |bytes: __m256i, first: u8, count: i8| {
        let offset = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first.cast_signed()));
        bits(_mm256_cmpeq_epi8(_mm256_min_epu8(offset, _mm256_set1_epi8(count - 1)), offset))
    };
    let is = |byte: u8| bits(_mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte.cast_signed())));
    let digits = within(half, b'0', 10);
    let letters = within(_mm256_or_si256(half, _mm256_set1_epi8(0x20)), b'a', 26);
    let hyphen = is(b'-');
    let alphanumeric = digits | letters;
    Masks {
        digits,
        token: alphanumeric | is(b'_') | hyphen,
        separators: is(b' ') | hyphen | within(half, b'.', 2),
        alphanumeric,
        upper: within(half, b'A', 26),
        lead: within(half, 0xC0, 0x40),
    }
}

#[target_feature(enable = "avx2")]
fn hits_256(tables: Both<'_>, haystack: &[u8], mut each: impl FnMut(usize, Hits)) {
    let twice = |table: &[u8; 16]| {
        // SAFETY: the array is 16 bytes long, and the load asks for no alignment.
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(table.as_ptr().cast()) })
    };
    let rows: [Vec<[[__m256i; 2]; PLACES]>; 2] = tables.map(|tables| {
        let row = |group: &Group| {
            std::array::from_fn(|at| [twice(&group.low[at]), twice(&group.high[at])])
        };
        tables.groups.iter().map(row).collect()
    });
    let nibble = _mm256_set1_epi8(15);
    let look = |text: &[u8]| {
        let blocks: [[__m256i; 2]; PLACES] = std::array::from_fn(|place| {
            let bytes = load_256(&text[place..]);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
            [_mm256_and_si256(bytes, nibble), high]
        });
        rows.each_ref().map(|rows| {
            let mut none = _mm256_set1_epi8(-1);
            for row in rows {
                let mut all = _mm256_set1_epi8(-1);
                for (tables, nibbles) in row.iter().zip(&blocks) {
                    for (table, index) in tables.iter().zip(nibbles) {
                        all = _mm256_and_si256(all, _mm256_shuffle_epi8(*table, *index));
                    }
                }
                none = _mm256_and_si256(none, _mm256_cmpeq_epi8(all, _mm256_setzero_si256()));
            }
            u64::from(!_mm256_movemask_epi8(none).cast_unsigned())
        })
    };
    let whole = |text: &[u8]| {
        let halves = [look(text), look(&text[32..])];
        std::array::from_fn(|which| halves[0][which] | halves[1][which] << 32)
    };
    let mut at = 0;
    while at < haystack.len() {
        let rest = &haystack[at..];
        let bits = if rest.len() >= BLOCK + PLACES {
            whole(rest)
        } else {
            let rest = padded(&rest[..rest.len().min(BLOCK + PLACES)]);
            whole(&rest)
        };
        each(at, bits);
        at += BLOCK;
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_256(bytes: &[u8]) -> __m256i {
    let bytes: &[u8; 32] = bytes[..32].try_into().expect("32 bytes");
    // SAFETY: the array is 32 bytes long, and the load asks for no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}
