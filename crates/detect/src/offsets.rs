//! From byte offsets to those that other languages count in.

/// Translates byte offsets of one haystack into Unicode code points (Python, Presidio) and UTF-16 code units
/// (JavaScript, Java).
///
/// It remembers where it was last: asked in rising or nearly rising order it reads the haystack once. In
/// bytes that are not UTF-8, every byte that does not continue a character counts as one.
///
/// ```
/// use oubliette_detect::Offsets;
///
/// let text = "né 😀 x";
/// let mut offsets = Offsets::new(text.as_bytes());
/// assert_eq!(offsets.code_point(text.find('x').unwrap()), 5);
/// assert_eq!(offsets.utf16(text.find('x').unwrap()), 6);
/// ```
#[derive(Debug, Clone)]
pub struct Offsets<'h> {
    haystack: Opaque<'h>,
    byte: usize,
    code_points: usize,
    utf16: usize,
}

impl<'h> Offsets<'h> {
    /// For a haystack.
    #[must_use]
    pub fn new(haystack: &'h [u8]) -> Self {
        Self { haystack: Opaque(haystack), byte: 0, code_points: 0, utf16: 0 }
    }

    /// The number of code points before the byte offset.
    ///
    /// # Panics
    ///
    /// If the offset lies beyond the haystack.
    #[must_use]
    pub fn code_point(&mut self, byte: usize) -> usize {
        self.go(byte);
        self.code_points
    }

    /// The number of UTF-16 code units before the byte offset.
    ///
    /// # Panics
    ///
    /// If the offset lies beyond the haystack.
    #[must_use]
    pub fn utf16(&mut self, byte: usize) -> usize {
        self.go(byte);
        self.utf16
    }

    fn go(&mut self, byte: usize) {
        let (code_points, utf16) =
            count(&self.haystack.0[self.byte.min(byte)..self.byte.max(byte)]);
        if byte >= self.byte {
            self.code_points += code_points;
            self.utf16 += utf16;
        } else {
            self.code_points -= code_points;
            self.utf16 -= utf16;
        }
        self.byte = byte;
    }
}

/// Code points and UTF-16 units that start in these bytes: a sum over bytes, so that it can be taken back.
fn count(bytes: &[u8]) -> (usize, usize) {
    let mut code_points = 0;
    let mut astral = 0;
    for &byte in bytes {
        code_points += usize::from(byte & 0xC0 != 0x80);
        astral += usize::from(byte >= 0xF0);
    }
    (code_points, code_points + astral)
}

/// A haystack that `Debug` does not print.
#[derive(Clone)]
struct Opaque<'h>(&'h [u8]);

impl std::fmt::Debug for Opaque<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn offsets_agree_with_the_standard_library_in_any_order(
            text in "[aé€😀]{0,20}",
            picks in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
        ) {
            let mut bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            bounds.push(text.len());
            let mut offsets = Offsets::new(text.as_bytes());
            for pick in picks {
                let byte = *pick.get(&bounds);
                prop_assert_eq!(offsets.code_point(byte), text[..byte].chars().count());
                prop_assert_eq!(offsets.utf16(byte), text[..byte].encode_utf16().count());
            }
        }
    }

    #[test]
    fn debug_does_not_print_the_haystack() {
        assert!(!format!("{:?}", Offsets::new(b"s3cret")).contains("115"));
    }
}
