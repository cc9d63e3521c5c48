//! Characters that look like ASCII ones, or like nothing.

/// What becomes of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// A letter, digit or sign that stands for this one.
    To(u8),
    /// An enclosed, raised or lowered one: also used to number things.
    Ornate(u8),
    /// A space, dash or dot that stands for this one.
    Joint(u8),
    /// A sign of CJK text that stands for this one beside values, but mostly for itself.
    Sign(u8),
    /// Invisible.
    Nothing,
}

/// What an ASCII reader takes a character for, if not for itself.
pub(super) fn fold(c: char) -> Option<Fold> {
    let code = u32::from(c);
    let from = |base: u32, first: u8| {
        let offset = u8::try_from(code - base).unwrap_or(0);
        first + offset
    };
    Some(match code {
        0..0x80 => return None,
        // Full-width forms of all of printable ASCII.
        0xFF0D | 0xFF0E => Fold::Joint(from(0xFF01, b'!')),
        0xFF0B | 0xFF10..=0xFF19 | 0xFF20..=0xFF3A | 0xFF3F | 0xFF41..=0xFF5A => {
            Fold::To(from(0xFF01, b'!'))
        }
        0xFF01..=0xFF5E => Fold::Sign(from(0xFF01, b'!')),
        0xFF61 | 0x3002 | 0x2024 | 0xFE52 => Fold::Joint(b'.'),
        0xFE6B => Fold::To(b'@'),
        0xFE63 | 0x2010..=0x2015 | 0x2212 | 0x2043 => Fold::Joint(b'-'),
        0xA0 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => Fold::Joint(b' '),
        0xAD
        | 0x34F
        | 0x61C
        | 0x115F
        | 0x180B..=0x180E
        | 0x200B..=0x200F
        | 0x202A..=0x202E
        | 0x2060..=0x2064
        | 0x2066..=0x206F
        | 0xFE00..=0xFE0F
        | 0xFEFF
        | 0xE0000..=0xE007F
        | 0xE0100..=0xE01EF => Fold::Nothing,
        0x1D400..=0x1D6A3 => Fold::To(letter((code - 0x1D400) % 52)),
        0x1D7CE..=0x1D7FF => Fold::To(from_digit((code - 0x1D7CE) % 10)),
        0xB2 | 0xB3 => Fold::Ornate(from(0xB0, b'0')),
        0xB9 => Fold::Ornate(b'1'),
        0x2070 | 0x2074..=0x2079 => Fold::Ornate(from(0x2070, b'0')),
        0x2080..=0x2089 => Fold::Ornate(from(0x2080, b'0')),
        0x2460..=0x2468 => Fold::Ornate(from(0x2460, b'1')),
        0x24EA => Fold::Ornate(b'0'),
        0x24B6..=0x24CF => Fold::Ornate(from(0x24B6, b'A')),
        0x24D0..=0x24E9 => Fold::Ornate(from(0x24D0, b'a')),
        // The mathematical letters that had a place before the others.
        0x210A..=0x2134 => {
            let (_, folded) = LETTERLIKE.iter().find(|(known, _)| *known == code)?;
            Fold::Ornate(*folded)
        }
        _ => Fold::To(from_digit(digit(code)?)),
    })
}

fn letter(number: u32) -> u8 {
    let number = u8::try_from(number).unwrap_or(0);
    if number < 26 { b'A' + number } else { b'a' + number - 26 }
}

fn from_digit(value: u32) -> u8 {
    b'0' + u8::try_from(value).unwrap_or(0)
}

/// The value of a decimal digit of any script (general category Nd).
fn digit(code: u32) -> Option<u32> {
    let block = code as usize / 16;
    if HAS_DIGITS.get(block / 64).is_none_or(|bits| bits & (1 << (block % 64)) == 0) {
        return None;
    }
    let after = ZEROS.partition_point(|&zero| zero <= code);
    let value = code - ZEROS[after.checked_sub(1)?];
    (value < 10).then_some(value)
}

/// The zeros of all scripts; nine more digits follow each.
const ZEROS: &[u32] = &[
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
    0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90,
    0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0,
    0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0,
    0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50,
    0x11DA0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1E140, 0x1E2F0,
    0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
];

/// A bit for each sixteen code points, set if one of them is a digit: text in a script with digits of its own
/// asks for every letter.
const HAS_DIGITS: [u64; 0x20000 / 16 / 64] = {
    let mut bits = [0u64; 0x20000 / 16 / 64];
    let mut at = 0;
    while at < ZEROS.len() {
        let (first, last) = (ZEROS[at] as usize / 16, (ZEROS[at] as usize + 9) / 16);
        bits[first / 64] |= 1 << (first % 64);
        bits[last / 64] |= 1 << (last % 64);
        at += 1;
    }
    bits
};

const LETTERLIKE: &[(u32, u8)] = &[
    (0x210A, b'g'),
    (0x210B, b'H'),
    (0x210C, b'H'),
    (0x210D, b'H'),
    (0x210E, b'h'),
    (0x2110, b'I'),
    (0x2111, b'I'),
    (0x2112, b'L'),
    (0x2113, b'l'),
    (0x2115, b'N'),
    (0x2119, b'P'),
    (0x211A, b'Q'),
    (0x211B, b'R'),
    (0x211C, b'R'),
    (0x211D, b'R'),
    (0x2124, b'Z'),
    (0x2128, b'Z'),
    (0x212C, b'B'),
    (0x212D, b'C'),
    (0x212F, b'e'),
    (0x2130, b'E'),
    (0x2131, b'F'),
    (0x2133, b'M'),
    (0x2134, b'o'),
];

/// The well-formed character of more than one byte that starts at `at`, and its length.
pub(super) fn char_at(text: &[u8], at: usize) -> Option<(char, usize)> {
    let tail = |offset: usize| {
        let byte = *text.get(at + offset)?;
        (byte & 0xC0 == 0x80).then_some(u32::from(byte & 0x3F))
    };
    let lead = u32::from(*text.get(at)?);
    let (code, len, least) = match lead {
        0xC2..=0xDF => ((lead & 0x1F) << 6 | tail(1)?, 2, 0x80),
        0xE0..=0xEF => ((lead & 0x0F) << 12 | tail(1)? << 6 | tail(2)?, 3, 0x800),
        0xF0..=0xF4 => {
            let code = (lead & 0x07) << 18 | tail(1)? << 12 | tail(2)? << 6 | tail(3)?;
            (code, 4, 0x10000)
        }
        _ => return None,
    };
    let c = char::from_u32(code).filter(|_| code >= least)?;
    Some((c, len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn look_alikes_fold() {
        let cases = [
            ('４', Fold::To(b'4')),
            ('Ｚ', Fold::To(b'Z')),
            ('ｚ', Fold::To(b'z')),
            ('＠', Fold::To(b'@')),
            ('．', Fold::Joint(b'.')),
            ('：', Fold::Sign(b':')),
            ('。', Fold::Joint(b'.')),
            ('٣', Fold::To(b'3')),
            ('۹', Fold::To(b'9')),
            ('५', Fold::To(b'5')),
            ('๐', Fold::To(b'0')),
            ('𝟗', Fold::To(b'9')),
            ('𝟘', Fold::To(b'0')),
            ('𝐀', Fold::To(b'A')),
            ('𝚣', Fold::To(b'z')),
            ('①', Fold::Ornate(b'1')),
            ('⓪', Fold::Ornate(b'0')),
            ('ⓩ', Fold::Ornate(b'z')),
            ('³', Fold::Ornate(b'3')),
            ('⁹', Fold::Ornate(b'9')),
            ('ℎ', Fold::Ornate(b'h')),
            ('\u{2011}', Fold::Joint(b'-')),
            ('\u{A0}', Fold::Joint(b' ')),
            ('\u{3000}', Fold::Joint(b' ')),
            ('\u{200B}', Fold::Nothing),
            ('\u{FEFF}', Fold::Nothing),
            ('\u{E0041}', Fold::Nothing),
            ('\u{FE0F}', Fold::Nothing),
        ];
        for (c, want) in cases {
            assert_eq!(fold(c), Some(want), "{c:?}");
        }
        for c in ['a', '7', ' ', 'é', 'я', '中', 'ก', '‘', '“', '…', '😀', '\u{10FFFF}']
        {
            assert_eq!(fold(c), None, "{c:?}");
        }
    }

    #[test]
    fn every_zero_is_followed_by_nine_digits() {
        assert!(ZEROS.is_sorted());
        for &zero in ZEROS {
            for value in 0..10 {
                assert_eq!(digit(zero + value), Some(value), "{zero:x} {value}");
                let c = char::from_u32(zero + value).unwrap();
                assert!(c.is_numeric() || zero > 0x10D30, "{zero:x}"); // the newest may be unknown
            }
        }
    }

    proptest! {
        #[test]
        fn characters_are_read_as_the_standard_library_reads_them(
            bytes in prop::collection::vec(any::<u8>(), 0..5), c in any::<char>(), whole in any::<bool>(),
        ) {
            let bytes = if whole { c.to_string().into_bytes() } else { bytes };
            let want = (2..=4).find_map(|len| {
                let text = std::str::from_utf8(bytes.get(..len)?).ok()?;
                text.chars().next().filter(|c| c.len_utf8() == len)
            });
            prop_assert_eq!(char_at(&bytes, 0), want.map(|c| (c, c.len_utf8())));
        }
    }
}
