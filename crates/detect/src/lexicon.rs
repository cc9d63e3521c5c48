//! Thousands of literals looked for where words begin.
//!
//! Nearly every literal that leads to rules holds a word of its own: `passport`, the `live` in `sk_live_`, the
//! `birth` in `date of birth`. The text's words, maximal runs of ASCII letters and digits, are found by vectors; one
//! hash for each word then tells, for all literals together, that it is none of theirs. What a text of some
//! language costs hardly depends on how many literals there are, as its words are nearly all others.
//!
//! A literal is known by one of its words whose ends are its own (*whole*), or else by the first eight bytes, six or
//! four, from where a word begins that the text may continue (*begun*); names also begin at the humps of `camelCase`.
//! Characters beyond ASCII begin no word; a literal that has no word is known by the first bytes of such (*lead*).

use crate::frequency;
use crate::prefilter::{ROOM, Word, Words};
use crate::words::HashBits;

/// Literals, in lower case, by their words.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    /// The [`gate`]s of all literals' words.
    gates: HashBits,
    /// Three bits in one word for each hash (F. Putze, P. Sanders, J. Singler, Cache-, hash- and space-efficient Bloom
    /// filters, 2009).
    bits: Vec<u64>,
    /// How far to shift a hash for the number of a word.
    shift: u32,
    /// From the first bits of a hash to the first of its entries.
    first: Vec<u32>,
    /// How far to shift a hash for these.
    first_shift: u32,
    /// In order of their hashes.
    entries: Vec<Entry>,
    /// The texts of the literals, one after the other.
    texts: Vec<u8>,
    has_humps: bool,
    has_leads: bool,
}

/// As small as it can be, since every look at one may be a miss in the nearest cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    hash: u64,
    /// The literal's bytes, [folded](fold), from where the word begins.
    bytes: u64,
    /// The literal's number.
    literal: u32,
    /// Where its text stands among the texts, how long it is, and how far behind its start the word begins.
    text: u32,
    len: u16,
    offset: u16,
}

/// By what a literal is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Whole { start: usize, end: usize },
    Begun { start: usize, len: usize },
    Lead { start: usize },
}

/// Where a literal counts that begins with a letter or digit of ASCII; the later ones allow more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Starts {
    /// Where a word begins.
    #[default]
    Word,
    /// And at humps.
    Name,
    Anywhere,
}

/// A literal, where it starts, and whether it counts only if a word ends with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Headed<'l> {
    pub(crate) text: &'l [u8],
    pub(crate) starts: Starts,
    pub(crate) ends_word: bool,
}

impl Headed<'_> {
    /// Whether a lexicon can find it.
    pub(crate) fn is_known(&self) -> bool {
        self.key().is_some()
    }

    fn key(&self) -> Option<Key> {
        let text = self.text;
        let mut best: Option<(f32, Key)> = None;
        let mut propose = |chance: f32, key: Key| {
            if best.is_none_or(|(least, _)| chance < least) {
                best = Some((chance, key));
            }
        };
        let mut at = 0;
        while at < text.len() {
            let len = text[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let (start, end) = (at, at + len);
            at += len.max(1);
            let starts = if start > 0 { Starts::Word } else { self.starts };
            if len == 0 || starts == Starts::Anywhere {
                continue;
            }
            if starts == Starts::Word && (end < text.len() || self.ends_word) {
                propose(frequency::of_word(&text[start..end]), Key::Whole { start, end });
            }
            if let Some(len) = BEGUN.into_iter().find(|&len| text.len() - start >= len) {
                propose(frequency::of_start(&text[start..start + len]), Key::Begun { start, len });
            }
        }
        let lead = || {
            let start = (0..text.len().saturating_sub(LEAD - 1)).find(|&at| text[at] >= 0xC0)?;
            Some(Key::Lead { start })
        };
        // What is frequent is better looked for by its rarest bytes, unless it is nothing but a word.
        let is_word = |key| key == Key::Whole { start: 0, end: text.len() };
        best.filter(|&(chance, key)| chance < SELDOM || is_word(key))
            .map(|(_, key)| key)
            .or_else(lead)
    }
}

/// What is as frequent as this, for each byte, is not worth a look.
const SELDOM: f32 = 0.0004;

/// How many bytes from where a word begins count for a literal that has as many.
const BEGUN: [usize; 3] = [8, 6, 4];
/// How many bytes have a [`gate`].
const GATED: usize = BEGUN[2];
/// How many bytes from a character beyond ASCII on count.
const LEAD: usize = 3;
/// How many bytes of a word are hashed, with its length.
const HASHED: usize = 8;

impl Lexicon {
    /// Of these literals the ones that are [known](Headed::is_known), by their places in the list.
    pub(crate) fn new<'l>(literals: impl Iterator<Item = Headed<'l>>) -> Self {
        let mut lexicon = Self::default();
        let mut gates = Vec::new();
        for (number, literal) in (0u32..).zip(literals) {
            let Some(key) = literal.key() else { continue };
            let (start, hash) = match key {
                Key::Whole { start, end } => {
                    let (bytes, len) = (first_bytes(&literal.text[start..end]), end - start);
                    gates.push(gate(bytes, len));
                    (start, whole(bytes, len))
                }
                Key::Begun { start, len } => {
                    lexicon.has_humps |= start == 0 && literal.starts == Starts::Name;
                    let bytes = first_bytes(&literal.text[start..]);
                    gates.push(gate(bytes, word_len(&literal.text[start..])));
                    (start, begun(bytes, len))
                }
                Key::Lead { start } => {
                    lexicon.has_leads = true;
                    (start, lead(first_bytes(&literal.text[start..])))
                }
            };
            const SHORT: &str = "literals are short";
            lexicon.entries.push(Entry {
                hash,
                bytes: fold(first_bytes(&literal.text[start..])) & keep(literal.text.len() - start),
                literal: number,
                text: u32::try_from(lexicon.texts.len()).expect("limits keep literals few"),
                len: u16::try_from(literal.text.len()).expect(SHORT),
                offset: u16::try_from(start).expect(SHORT),
            });
            lexicon.texts.extend_from_slice(literal.text);
        }
        lexicon.entries.sort_unstable();
        gates.sort_unstable();
        gates.dedup();
        lexicon.gates = HashBits::new(&gates);
        // Two words for each hash, in at most sixteen kilobytes, half of the nearest cache.
        let log = (2 * lexicon.entries.len()).next_power_of_two().ilog2().clamp(1, 11);
        lexicon.shift = 64 - log;
        lexicon.bits = vec![0; 1 << log];
        let first_log = log + 1;
        lexicon.first_shift = 64 - first_log;
        for entry in &lexicon.entries {
            lexicon.bits[(entry.hash >> lexicon.shift) as usize] |= three_bits(entry.hash);
        }
        let shift = lexicon.first_shift;
        lexicon.first = (0..=1u64 << first_log)
            .map(|bucket| lexicon.entries.partition_point(|entry| entry.hash >> shift < bucket))
            .map(|place| u32::try_from(place).expect("limits keep literals few"))
            .collect();
        lexicon
    }

    /// Calls `found` with the start and the number of every literal that one of the gathered words belongs to.
    ///
    /// Of the words nearly all are let go without a branch that would depend on them: those branches could not be
    /// predicted, and cost more than all else.
    pub(crate) fn find(&self, haystack: &[u8], words: &Words, mut found: impl FnMut(usize, u32)) {
        if self.entries.is_empty() {
            return;
        }
        let mut kept = [0u16; ROOM];
        let mut count = 0;
        for (number, word) in (0..ROOM as u16).zip(words.words()) {
            let bytes = bytes_at(haystack, word.start);
            kept[count % ROOM] = number;
            count += usize::from(self.gates.may_hold(gate(bytes, word.end - word.start)));
        }
        for &number in &kept[..count] {
            self.look_at(haystack, words.word(number.into()), &mut found);
        }
        if self.has_humps {
            let mut count = 0;
            for (number, &at) in (0..ROOM as u16).zip(words.humps()) {
                let bytes = bytes_at(haystack, at);
                kept[count % ROOM] = number;
                count +=
                    usize::from(self.gates.may_hold(gate(bytes, word_len(&bytes.to_le_bytes()))));
            }
            for &number in &kept[..count] {
                let at = words.humps()[usize::from(number)];
                let bytes = bytes_at(haystack, at);
                let hashes = BEGUN.map(|len| begun(bytes, len));
                self.look_for(haystack, (at, bytes), hashes, &mut found);
            }
        }
        if self.has_leads {
            for &at in words.leads() {
                let bytes = bytes_at(haystack, at);
                self.look_for(haystack, (at, bytes), [lead(bytes)], &mut found);
            }
        }
    }

    #[inline]
    fn look_at(&self, haystack: &[u8], word: Word, found: &mut impl FnMut(usize, u32)) {
        let len = word.end - word.start;
        let bytes = bytes_at(haystack, word.start);
        let [eight, six, four] = BEGUN.map(|len| begun(bytes, len));
        let hashes = [whole(bytes & keep(len), len), eight, six, four];
        self.look_for(haystack, (word.start, bytes), hashes, found);
    }

    #[inline(always)]
    fn look_for<const N: usize>(
        &self,
        haystack: &[u8],
        (at, bytes): (usize, u64),
        hashes: [u64; N],
        found: &mut impl FnMut(usize, u32),
    ) {
        // One branch for all of them, as each is seldom there.
        let mut held = 0u32;
        for (number, &hash) in hashes.iter().enumerate() {
            held |= u32::from(self.may_hold(hash)) << number;
        }
        while held != 0 {
            let hash = hashes[held.trailing_zeros() as usize];
            self.look(haystack, (at, bytes), hash, found);
            held &= held - 1;
        }
    }

    #[inline(always)]
    fn may_hold(&self, hash: u64) -> bool {
        let bits = three_bits(hash);
        self.bits[(hash >> self.shift) as usize] & bits == bits
    }

    #[inline(never)]
    fn look(
        &self,
        haystack: &[u8],
        (at, bytes): (usize, u64),
        hash: u64,
        found: &mut impl FnMut(usize, u32),
    ) {
        let bucket = (hash >> self.first_shift) as usize;
        let entries = &self.entries[self.first[bucket] as usize..self.first[bucket + 1] as usize];
        let bytes = fold(bytes);
        for entry in entries.iter().filter(|entry| entry.hash == hash) {
            let ahead = usize::from(entry.len - entry.offset);
            if bytes & keep(ahead) != entry.bytes {
                continue;
            }
            let text = &self.texts[entry.text as usize..][..usize::from(entry.len)];
            let Some(start) = at.checked_sub(entry.offset.into()) else { continue };
            let stands = haystack.get(start..start + text.len());
            if stands.is_some_and(|stands| stands.eq_ignore_ascii_case(text)) {
                found(start, entry.literal);
            }
        }
    }
}

#[inline(always)]
fn three_bits(hash: u64) -> u64 {
    1 << (hash >> 40 & 63) | 1 << (hash >> 34 & 63) | 1 << (hash >> 28 & 63)
}

/// All ones in the first so many bytes.
const KEEP: [u64; HASHED + 1] = {
    let mut keep = [u64::MAX; HASHED + 1];
    let mut len = 0;
    while len < HASHED {
        keep[len] = (1 << (8 * len)) - 1;
        len += 1;
    }
    keep
};

/// All ones in as many bytes as there are of `len`.
#[inline(always)]
fn keep(len: usize) -> u64 {
    KEEP[len.min(HASHED)]
}

/// Letters in lower case. Digits stay what they are, some signs become others.
#[inline(always)]
fn fold(bytes: u64) -> u64 {
    bytes | 0x2020_2020_2020_2020
}

/// Eight bytes from `at` on, or as many as there are.
#[inline(always)]
fn bytes_at(haystack: &[u8], at: usize) -> u64 {
    match haystack.get(at..at + HASHED) {
        Some(bytes) => u64::from_le_bytes(bytes.try_into().expect("eight bytes")),
        None => first_bytes(&haystack[at..]),
    }
}

#[cold]
fn first_bytes(bytes: &[u8]) -> u64 {
    bytes.iter().take(HASHED).rev().fold(0, |all, &byte| all << 8 | u64::from(byte))
}

/// The hash of a word of `len` bytes, given its first ones and zeros. Letters and digits alike have the bit that
/// makes letters small.
#[inline(always)]
fn whole(bytes: u64, len: usize) -> u64 {
    let folded = fold(bytes) & keep(len);
    (folded ^ (len as u64) << 57).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The hash of the first `len` bytes from where a word begins.
#[inline(always)]
fn begun(bytes: u64, len: usize) -> u64 {
    let folded = fold(bytes) & KEEP[len];
    (folded ^ (len as u64) << 56).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// The hash for [`HashBits`] of a word of `len` bytes, given its first ones and any others: of the first four.
/// Whatever a literal is known by says these, since none that is begun has fewer.
#[inline(always)]
fn gate(bytes: u64, len: usize) -> u32 {
    let first = (bytes | 0x2020_2020) & KEEP[len.min(GATED)];
    (first as u32).wrapping_mul(0x9E37_79B1)
}

/// How many letters and digits there are before anything else.
fn word_len(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

/// The hash of the first bytes of a character beyond ASCII and what follows.
#[inline(always)]
fn lead(bytes: u64) -> u64 {
    // What follows may be a letter in either case.
    let folded = (bytes & 0x00FF_FFFF) | 0x0020_0000;
    (folded ^ 1 << 45).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::boundary::Boundary;
    use crate::prefilter::Kernel;

    fn found(lexicon: &Lexicon, text: &[u8]) -> Vec<(usize, u32)> {
        let mut words = Words::new(Kernel::best());
        let mut all = Vec::new();
        words.begin();
        Kernel::best().classify(text, |_, masks| {
            if words.push(masks) {
                words.gather();
                lexicon.find(text, &words, |start, literal| all.push((start, literal)));
                words.go_on();
            }
        });
        words.finish(text.len());
        lexicon.find(text, &words, |start, literal| all.push((start, literal)));
        all.sort_unstable();
        all
    }

    #[test]
    fn a_literal_is_known_by_its_most_telling_word() {
        use Starts::{Anywhere, Name, Word};
        let key = |text: &'static str, starts, ends_word| {
            Headed { text: text.as_bytes(), starts, ends_word }.key()
        };
        let begun = |start, len| Some(Key::Begun { start, len });
        assert_eq!(key("date of birth", Word, true), begun(5, 8));
        assert_eq!(key("passport", Word, true), Some(Key::Whole { start: 0, end: 8 }));
        assert_eq!(key("the pin", Word, false), begun(0, 6));
        assert_eq!(key("sk_live_", Anywhere, false), Some(Key::Whole { start: 3, end: 7 }));
        assert_eq!(key("github", Word, false), begun(0, 6));
        assert_eq!(key("github", Name, true), begun(0, 6));
        assert_eq!(key("tfp_", Name, false), begun(0, 4));
        assert_eq!(key("github", Anywhere, false), None);
        assert_eq!(key("a.b.n", Word, true), begun(0, 4));
        assert_eq!(key("-----begin ", Anywhere, false), begun(5, 6));
        assert_eq!(key("паспорт", Word, true), Some(Key::Lead { start: 0 }));
        assert_eq!(key("://", Word, true), None);
        assert_eq!(key("pat", Word, false), None);
        assert_eq!(key("$1$", Word, false), None);
    }

    proptest! {
        #[test]
        fn what_is_known_is_found_and_nothing_else(
            literals in prop::collection::btree_set("[ab_é ]{1,9}", 0..30),
            text in "[abAB_é ]{0,150}",
        ) {
            let literals: Vec<String> = literals.into_iter().collect();
            let starts = [Starts::Word, Starts::Name, Starts::Anywhere];
            let flags = |number: usize| (starts[number % 3], number.is_multiple_of(2));
            let headed = |number: usize| {
                let (starts, ends_word) = flags(number);
                Headed { text: literals[number].as_bytes(), starts, ends_word }
            };
            let lexicon = Lexicon::new((0..literals.len()).map(headed));
            let text = text.as_bytes();
            let joins = |inner: u8, outer: Option<&u8>| {
                inner.is_ascii_alphanumeric() && outer.is_some_and(u8::is_ascii_alphanumeric)
            };
            let found = found(&lexicon, text);
            for (start, number) in &found {
                let literal = literals[*number as usize].as_bytes();
                prop_assert!(text[*start..*start + literal.len()].eq_ignore_ascii_case(literal));
            }
            for start in 0..text.len() {
                for (number, literal) in literals.iter().enumerate() {
                    let end = start + literal.len();
                    let stands = text.get(start..end).is_some_and(|t| t.eq_ignore_ascii_case(literal.as_bytes()));
                    let (starts, ends_word) = flags(number);
                    let joined = start > 0 && joins(text[start], text.get(start - 1));
                    let starts_here = !joined || match starts {
                        Starts::Word => false,
                        Starts::Name => Boundary::Name.admits_start(text, start),
                        Starts::Anywhere => true,
                    };
                    let kept = starts_here
                        && !(ends_word && stands && joins(text[end - 1], text.get(end)));
                    if stands && kept && headed(number).is_known() {
                        prop_assert!(found.contains(&(start, number as u32)), "{} at {}", literal, start);
                    }
                }
            }
        }
    }
}
