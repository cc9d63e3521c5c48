//! How often words, and bytes side by side, stand in the text that is mostly scanned: prompts, documentation, code.
//!
//! What is looked for in every text is known by some part of it. Which part, these estimates decide: a poor choice costs
//! time, never a finding. They rest on fifteen hundred words in the order of their frequency, counted over manuals and
//! the source code of libraries in several languages, of which the `r`th is about `0.14 / (r + 5)` of all words (Zipf's law, and what the counts say).

use std::collections::HashMap;
use std::sync::LazyLock;

/// Small letters, the most frequent first.
const FREQUENT: &str = include_str!("frequent.txt");

/// How many bytes there are for each word.
const BYTES_A_WORD: f32 = 7.0;
/// As many first bytes of a word are told apart.
const LONGEST: usize = 8;
/// How many bytes side by side are counted.
pub(crate) const GRAM: usize = 4;

struct Frequencies {
    words: HashMap<&'static [u8], f32>,
    starts: HashMap<&'static [u8], f32>,
    ends: HashMap<&'static [u8], f32>,
    inside: HashMap<&'static [u8], f32>,
}

static FREQUENCIES: LazyLock<Frequencies> = LazyLock::new(|| {
    let [mut words, mut starts, mut ends, mut inside] = [(); 4].map(|()| HashMap::new());
    for (rank, word) in (0u16..).zip(FREQUENT.split_ascii_whitespace()) {
        let share = 0.14 / (f32::from(rank) + 6.0) / BYTES_A_WORD;
        let word = word.as_bytes();
        words.insert(word, share);
        for len in 1..=word.len().min(LONGEST) {
            *starts.entry(&word[..len]).or_default() += share;
        }
        for len in 1..=word.len().min(GRAM) {
            *ends.entry(&word[word.len() - len..]).or_default() += share;
        }
        for gram in word.windows(GRAM) {
            *inside.entry(gram).or_default() += share;
        }
    }
    Frequencies { words, starts, ends, inside }
});

/// About how often a word of letters and digits in lower case stands in text, for each byte.
pub(crate) fn of_word(word: &[u8]) -> f32 {
    of(&FREQUENCIES.words, word) + 0.2 * of_any(word)
}

/// The same of some bytes from where a word begins.
pub(crate) fn of_start(bytes: &[u8]) -> f32 {
    let len = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if len == bytes.len() {
        return of(&FREQUENCIES.starts, &bytes[..len.min(LONGEST)]) + of_any(bytes);
    }
    let sign = of_sign(bytes[len]);
    let rest: f32 = bytes[len + 1..].iter().copied().map(of_byte).product();
    (of(&FREQUENCIES.words, &bytes[..len]) * sign * rest).max(of_any(bytes))
}

/// The same of four bytes anywhere.
pub(crate) fn of_gram(gram: &[u8; GRAM]) -> f32 {
    let all = &*FREQUENCIES;
    let by_itself: f32 = gram.iter().copied().map(of_byte).product();
    let space = |byte: &u8| !byte.is_ascii_alphanumeric();
    let around = match gram.iter().position(space) {
        None => of(&all.inside, gram),
        Some(at) if gram[at + 1..].iter().any(space) => 0.0,
        Some(at) => {
            let (before, after) = (&gram[..at], &gram[at + 1..]);
            let before = if before.is_empty() { 1.0 / BYTES_A_WORD } else { of(&all.ends, before) };
            let after = if after.is_empty() { 1.0 / BYTES_A_WORD } else { of(&all.starts, after) };
            before * after * BYTES_A_WORD * of_sign(gram[at])
        }
    };
    around + by_itself
}

fn of(shares: &HashMap<&'static [u8], f32>, bytes: &[u8]) -> f32 {
    shares.get(bytes).copied().unwrap_or(0.0)
}

/// A guess at what is no frequent word.
fn of_any(bytes: &[u8]) -> f32 {
    bytes.iter().copied().map(of_byte).product::<f32>() / 5.0
}

/// About how often a byte follows others.
fn of_byte(byte: u8) -> f32 {
    match byte {
        b'a'..=b'z' => 1.0 / 12.0,
        b'0'..=b'9' => 1.0 / 20.0,
        b' ' => 1.0 / 5.0,
        _ => 1.0 / 40.0,
    }
}

/// The share of a sign among what stands between words.
fn of_sign(sign: u8) -> f32 {
    match sign {
        b' ' => 0.6,
        b'_' | b'.' | b'\n' | b'(' | b'"' | b',' | b':' | b'-' => 0.05,
        _ => 0.01,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_are_small_letters_and_stand_once() {
        let words: Vec<&str> = FREQUENT.split_ascii_whitespace().collect();
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
        assert_eq!(words.iter().collect::<std::collections::BTreeSet<_>>().len(), words.len());
    }

    #[test]
    fn what_is_frequent_is_told_from_what_is_rare() {
        assert!(of_word(b"version") > 20.0 * of_word(b"passport"));
        assert!(of_start(b"for ") > 20.0 * of_start(b"kenn"));
        assert!(of_start(b"conver") > 3.0 * of_start(b"kennwo"));
        assert!(of_gram(b"a fo") > 2.0 * of_gram(b"enha"));
        assert!(of_gram(b"tion") > 20.0 * of_gram(b"nnwo"));
    }
}
