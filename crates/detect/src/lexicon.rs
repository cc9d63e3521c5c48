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
//!
//! Nearly all words are let go by a [`Sieve`]. Of what is left, each way to be known by has a hash of its own, held
//! against three bits of a word (F. Putze, P. Sanders, J. Singler, Cache-, hash- and space-efficient Bloom filters,
//! 2009), again without branches. Only then are literals compared.

use crate::frequency;
use crate::prefilter::sieve::{
    HASHED, Sieve, Stands, begun, bytes_at, first_bytes, fold, keep, whole,
};
use crate::prefilter::{Kernel, ROOM, Words};

/// Literals, in lower case, by their words.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    sieve: Sieve,
    /// Three bits in one word for the hash of each literal.
    bits: Vec<u64>,
    /// How far to shift a hash for the number of a word.
    shift: u32,
    /// From the first bits of a hash to the first of its entries.
    first: Vec<u32>,
    /// How far to shift a hash for these.
    first_shift: u32,
    /// In order of their hashes.
    entries: Vec<Entry>,
    /// Of the entries, the literals.
    literals: Vec<Known>,
    /// The texts of the literals, one after the other.
    texts: Vec<u8>,
    has_words: bool,
    has_humps: bool,
    has_leads: bool,
}

/// What stands around the place that a literal is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// The literal's bytes, [folded](fold), from that place on, and how many there are.
    bytes: u64,
    /// The same of those before.
    before: u32,
    ahead: u8,
    behind: u8,
    /// How long the word is, or nothing if it may go on.
    len: u8,
}

/// A literal that is known by a place within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    /// The literal's number.
    literal: u32,
    /// Where its text stands among the texts, how long it is, and how far behind its start the place is.
    text: u32,
    len: u16,
    offset: u16,
}

/// By what a literal is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Whole { start: usize, end: usize },
    Begun { start: usize, len: usize },
    Lead { start: usize, len: usize },
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
            let start = text.iter().position(|&byte| byte >= 0xC0)?;
            let len = BEGUN.into_iter().find(|&len| text.len() - start >= len)?;
            Some(Key::Lead { start, len })
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
/// How many bytes from a character beyond ASCII on count.
const LEAD: usize = 3;
/// How many bytes before a word are compared first.
const BEHIND: usize = 4;

/// How many words are hashed at a time.
const MANY: usize = 64;
/// In how many ways a literal may be known.
const WAYS: usize = 1 + BEGUN.len();

impl Lexicon {
    /// Of these literals the ones that are [known](Headed::is_known), by their places in the list.
    pub(crate) fn new<'l>(literals: impl Iterator<Item = Headed<'l>>) -> Self {
        const SHORT: &str = "literals are short";
        const FEW: &str = "limits keep literals few";
        let mut lexicon = Self::default();
        let mut gathered: Vec<(u64, Entry, Known)> = Vec::new();
        let mut sifted = Vec::new();
        for (number, literal) in (0u32..).zip(literals) {
            let Some(key) = literal.key() else { continue };
            let (Key::Whole { start, .. } | Key::Begun { start, .. } | Key::Lead { start, .. }) =
                key;
            let (behind, ahead) = literal.text.split_at(start);
            let bytes = fold(first_bytes(ahead));
            let begun_by = |len, word| {
                (begun(bytes, len), Stands::Begun { bytes: ahead.len(), word: word as u64 }, 0)
            };
            let (hash, stands, len) = match key {
                Key::Whole { end, .. } => {
                    lexicon.has_words = true;
                    let len = (end - start) as u64;
                    (whole(bytes, len), Stands::Whole(len), u8::try_from(len).unwrap_or(0))
                }
                Key::Begun { len, .. } => {
                    lexicon.has_words = true;
                    lexicon.has_humps |= start == 0 && literal.starts == Starts::Name;
                    begun_by(len, word_len(ahead))
                }
                Key::Lead { len, .. } => {
                    lexicon.has_leads = true;
                    begun_by(len, LEAD)
                }
            };
            sifted.push((bytes, stands));
            let entry = Entry {
                bytes: bytes & keep(ahead.len() as u64),
                before: last_bytes(behind),
                ahead: ahead.len().min(HASHED) as u8,
                behind: behind.len().min(BEHIND) as u8,
                len,
            };
            let known = Known {
                literal: number,
                text: u32::try_from(lexicon.texts.len()).expect(FEW),
                len: u16::try_from(literal.text.len()).expect(SHORT),
                offset: u16::try_from(start).expect(SHORT),
            };
            gathered.push((hash, entry, known));
            lexicon.texts.extend_from_slice(literal.text);
        }
        gathered.sort_unstable();
        let log = gathered.len().next_power_of_two().ilog2();

        lexicon.sieve = Sieve::new(&sifted);
        // Two words for each hash, in at most sixteen kilobytes, half of the nearest cache.
        let bits_log = (log + 1).clamp(1, 11);
        lexicon.shift = u64::BITS - bits_log;
        lexicon.bits = vec![0; 1 << bits_log];
        for &(hash, ..) in &gathered {
            lexicon.bits[(hash >> lexicon.shift) as usize] |= three_bits(hash);
        }
        let first_log = log + 1;
        lexicon.first_shift = u64::BITS - first_log;
        lexicon.first = (0..=1u64 << first_log)
            .map(|bucket| {
                gathered.partition_point(|(hash, ..)| hash >> lexicon.first_shift < bucket)
            })
            .map(|place| u32::try_from(place).expect(FEW))
            .collect();
        (lexicon.entries, lexicon.literals) =
            gathered.into_iter().map(|(_, entry, known)| (entry, known)).unzip();
        lexicon
    }

    /// Calls `found` with the start and the number of every literal that one of the gathered words belongs to.
    pub(crate) fn find(
        &self,
        haystack: &[u8],
        words: &Words,
        kernel: Kernel,
        mut found: impl FnMut(usize, u32),
    ) {
        if self.has_words {
            let (starts, ends) = (words.starts(), words.ends());
            self.find_at(haystack, (&starts[..ends.len()], ends), kernel, &mut found);
        }
        let mut ends = [0; ROOM];
        let mut find = |starts: &[usize], len: fn(&[u8]) -> usize| {
            for (end, &start) in ends.iter_mut().zip(starts) {
                *end = start + len(&haystack[start..]);
            }
            self.find_at(haystack, (starts, &ends[..starts.len()]), kernel, &mut found);
        };
        if self.has_humps && !words.humps().is_empty() {
            // More than is hashed does not matter, and a word may have a thousand humps.
            find(words.humps(), |text| word_len(&text[..text.len().min(HASHED)]));
        }
        if self.has_leads && !words.leads().is_empty() {
            find(words.leads(), |_| LEAD);
        }
    }

    /// The same of words, given where they start and end.
    fn find_at(
        &self,
        haystack: &[u8],
        (starts, ends): (&[usize], &[usize]),
        kernel: Kernel,
        found: &mut impl FnMut(usize, u32),
    ) {
        let mut kept = [0; ROOM + 8];
        let count = kernel.sift(&self.sieve, haystack, (starts, ends), &mut kept);
        for kept in kept[..count].chunks(MANY) {
            let mut left = [(0u16, 0u16); MANY * WAYS];
            let mut hashes = [[0; WAYS]; MANY];
            let mut count = 0;
            for ((place, &number), hashes) in (0..).zip(kept).zip(&mut hashes) {
                let (start, end) = (starts[usize::from(number)], ends[usize::from(number)]);
                let bytes = fold(bytes_at(haystack, start));
                let [eight, six, four] = BEGUN.map(|len| begun(bytes, len));
                *hashes = [whole(bytes, (end - start) as u64), eight, six, four];
                for (way, &hash) in (0..).zip(&*hashes) {
                    left[count % (MANY * WAYS)] = (place, way);
                    count += usize::from(self.may_hold(hash));
                }
            }
            for &(place, way) in &left[..count] {
                let number = usize::from(kept[usize::from(place)]);
                let hash = hashes[usize::from(place)][usize::from(way)];
                self.look(haystack, (starts[number], ends[number]), hash, found);
            }
        }
    }

    #[inline(always)]
    fn may_hold(&self, hash: u64) -> bool {
        let bits = three_bits(hash);
        self.bits[(hash >> self.shift) as usize] & bits == bits
    }

    /// Compares the literals that have a hash with what stands around a word.
    #[inline(never)]
    fn look(
        &self,
        haystack: &[u8],
        (at, end): (usize, usize),
        hash: u64,
        found: &mut impl FnMut(usize, u32),
    ) {
        let bytes = fold(bytes_at(haystack, at));
        let bucket = (hash >> self.first_shift) as usize;
        let range = self.first[bucket] as usize..self.first[bucket + 1] as usize;
        let before =
            match at.checked_sub(BEHIND).and_then(|from| haystack[from..at].try_into().ok()) {
                Some(before) => u32::from_be_bytes(before) | 0x2020_2020,
                None => last_bytes(&haystack[..at]),
            };
        for (entry, known) in self.entries[range.clone()].iter().zip(&self.literals[range]) {
            let stands = bytes & keep(entry.ahead.into()) == entry.bytes
                && before & keep(entry.behind.into()) as u32 == entry.before
                && (entry.len == 0 || usize::from(entry.len) == end - at);
            if !stands {
                continue;
            }
            let text = &self.texts[known.text as usize..][..usize::from(known.len)];
            let Some(start) = at.checked_sub(known.offset.into()) else { continue };
            let stands = haystack.get(start..start + text.len());
            if stands.is_some_and(|stands| stands.eq_ignore_ascii_case(text)) {
                found(start, known.literal);
            }
        }
    }
}

#[inline(always)]
fn three_bits(hash: u64) -> u64 {
    1 << (hash >> 40 & 63) | 1 << (hash >> 34 & 63) | 1 << (hash >> 28 & 63)
}

/// The last four bytes, or as many as there are, [folded](fold), the last one lowest.
fn last_bytes(bytes: &[u8]) -> u32 {
    let last = bytes.iter().rev().take(BEHIND).zip(0..);
    last.fold(0, |all, (&byte, place)| all | u32::from(byte | 0x20) << (8 * place))
}

/// How many letters and digits there are before anything else.
fn word_len(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::boundary::Boundary;
    use crate::prefilter::Kernel;

    fn found(lexicon: &Lexicon, text: &[u8]) -> Vec<(usize, u32)> {
        let kernel = Kernel::best();
        let mut words = Words::new(kernel);
        let mut all = Vec::new();
        words.begin();
        kernel.classify(text, |_, masks| {
            if words.push(masks) {
                words.gather();
                lexicon.find(text, &words, kernel, |start, literal| all.push((start, literal)));
                words.go_on();
            }
        });
        words.finish(text.len());
        lexicon.find(text, &words, kernel, |start, literal| all.push((start, literal)));
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
        assert_eq!(key("паспорт", Word, true), Some(Key::Lead { start: 0, len: 8 }));
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
