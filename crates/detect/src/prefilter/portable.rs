//! The pass in plain Rust: what runs where nothing better does, and what the others are held against.

use super::runs::SEPARATORS;
use super::windows::{PLACES, Tables};
use super::{BLOCK, Both, Hits, Masks, is_token_byte, padded};

const DIGIT: u8 = 1;
const TOKEN: u8 = 2;
const SEPARATOR: u8 = 4;
const ALPHANUMERIC: u8 = 8;
const LEAD: u8 = 16;
const UPPER: u8 = 32;

/// The classes of every byte.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_digit() {
            classes[byte] |= DIGIT;
        }
        if is_token_byte(b) {
            classes[byte] |= TOKEN;
        }
        if b.is_ascii_alphanumeric() {
            classes[byte] |= ALPHANUMERIC;
        }
        if b.is_ascii_uppercase() {
            classes[byte] |= UPPER;
        }
        if b >= 0xC0 {
            classes[byte] |= LEAD;
        }
        byte += 1;
    }
    let mut at = 0;
    while at < SEPARATORS.len() {
        classes[SEPARATORS[at] as usize] |= SEPARATOR;
        at += 1;
    }
    classes
};

pub(super) fn classify(haystack: &[u8], mut each: impl FnMut(usize, Masks)) {
    let blocks = haystack.chunks_exact(BLOCK);
    let rest = blocks.remainder();
    let mut at = 0;
    for block in blocks {
        each(at, masks(block));
        at += BLOCK;
    }
    if !rest.is_empty() {
        each(at, masks(&padded(rest)[..BLOCK]));
    }
}

fn masks(block: &[u8]) -> Masks {
    let mut masks = Masks::default();
    for (place, &byte) in block.iter().enumerate() {
        let class = u64::from(CLASSES[usize::from(byte)]);
        masks.digits |= (class & 1) << place;
        masks.token |= (class >> 1 & 1) << place;
        masks.separators |= (class >> 2 & 1) << place;
        masks.alphanumeric |= (class >> 3 & 1) << place;
        masks.lead |= (class >> 4 & 1) << place;
        masks.upper |= (class >> 5 & 1) << place;
    }
    masks
}

/// Eight places at a time: a loop that stops where the bits end would be mispredicted for nearly every block
/// (G. Langdale, D. Lemire, simdjson).
pub(super) fn places(at: usize, masks: &[u64], list: &mut [usize]) -> usize {
    let mut len = 0;
    for (&mask, block) in masks.iter().zip(0..) {
        let mut bits = mask;
        let mut next = len;
        while bits != 0 {
            for place in &mut list[next..next + 8] {
                *place = at + block * BLOCK + bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
            }
            next += 8;
        }
        len += mask.count_ones() as usize;
    }
    len
}

pub(super) fn hits(haystack: &[u8], tables: Both<'_>, mut each: impl FnMut(usize, Hits)) {
    let mut at = 0;
    // Each place looks at the bytes after it as well.
    while at + BLOCK + PLACES <= haystack.len() {
        let block = &haystack[at..at + BLOCK + PLACES];
        each(at, tables.map(|tables| hits_in(block, tables)));
        at += BLOCK;
    }
    while at < haystack.len() {
        let rest = &haystack[at..];
        let block = padded(&rest[..rest.len().min(BLOCK + PLACES)]);
        each(at, tables.map(|tables| hits_in(&block, tables)));
        at += BLOCK;
    }
}

fn hits_in(block: &[u8], tables: &Tables) -> u64 {
    let mut bits = 0;
    for place in 0..BLOCK {
        bits |= u64::from(tables.buckets_at(&block[place..place + PLACES]) != 0) << place;
    }
    bits
}
