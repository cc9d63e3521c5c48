//! Matches that are accidents of encoded binary data.
//!
//! A megabyte of base64 holds every word of four letters and many longer shapes. A match is taken for such an
//! accident if all of these hold, so that a key is not hidden by what it is glued to:
//!
//! - it is itself made of letters of base64 and has one of them directly before it *and* directly after it. What
//!   begins or ends its token counts, whatever it is glued to on the other side;
//! - the run around it has [`MIN_BLOB`] letters, of one of the two base64 alphabets, mixed as chance mixes them,
//!   or of hexadecimal digits; a long path, name or word is none;
//! - the run does not decode to text where the match stands (then a view shows what the text says).

use crate::finding::{Finding, Span};

/// Removes the findings that are accidents.
pub(super) fn drop_accidents(text: &[u8], findings: &mut Vec<Finding>) {
    findings.retain(|finding| !is_accident(text, finding.span));
}

/// Keys are shorter.
const MIN_BLOB: usize = 200;
/// How far a run is looked at on each side of a match.
const REACH: usize = 256;

fn is_accident(text: &[u8], span: Span) -> bool {
    let inside = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|&b| is_letter(b));
    if !inside(span.start.checked_sub(1)) || !inside(Some(span.end)) {
        return false;
    }
    if !text[span.range()].iter().all(|&byte| is_letter(byte)) {
        return false;
    }
    let before = &text[span.start.saturating_sub(REACH)..span.start];
    let after = &text[span.end..text.len().min(span.end + REACH)];
    let left = before.iter().rev().take_while(|&&byte| is_letter(byte)).count();
    let right = after.iter().take_while(|&&byte| is_letter(byte)).count();
    let run = &text[span.start - left..span.end + right];
    run.len() >= MIN_BLOB && left + right >= MIN_BLOB / 2 && is_mixed(run) && !is_coded_text(run)
}

fn is_letter(byte: u8) -> bool {
    super::encoded::is_letter(byte)
}

/// Whether the letters of a run are mixed as encoding mixes them.
fn is_mixed(run: &[u8]) -> bool {
    let count = |is: fn(&u8) -> bool| run.iter().filter(|byte| is(byte)).count();
    let (upper, lower) = (count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    let (digits, hex) = (count(u8::is_ascii_digit), count(u8::is_ascii_hexdigit));
    let url_safe = count(|byte| matches!(byte, b'-' | b'_'));
    let standard = count(|byte| matches!(byte, b'+' | b'/'));
    // Ten of sixteen digits are decimal: half is far below what chance does to two hundred.
    if hex == run.len() {
        return 2 * digits >= run.len() && 8 * (hex - digits) >= run.len();
    }
    // Of 64 letters 26 are upper case, 26 lower case and 10 digits; a third of each share is asked for.
    let share = |of: usize, least: usize| 64 * of >= least * run.len();
    (url_safe == 0 || standard == 0) && share(upper, 9) && share(lower, 9) && share(digits, 3)
}

/// Whether a run is text in base64, wherever its quanta begin.
fn is_coded_text(run: &[u8]) -> bool {
    (0..4).any(|shift| super::encoded::holds_text(&run[shift..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AKIAQYLPMN5HNXAB2CDE";

    /// Letters as encoded random bytes have them.
    fn noise(len: usize) -> String {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            letters[(state >> 58) as usize] as char
        };
        (0..len).map(|_| next()).collect()
    }

    fn accident(text: &str) -> bool {
        let start = text.find(KEY).unwrap();
        is_accident(text.as_bytes(), Span { start, end: start + KEY.len() })
    }

    #[test]
    fn matches_inside_binary_data_are_accidents() {
        let blob = noise(150);
        assert!(accident(&format!("{blob}{KEY}{blob}")));
        assert!(accident(&format!("\"{}{KEY}{blob}{blob}\"", &blob[..30])));
    }

    #[test]
    fn matches_at_an_edge_of_their_token_are_none() {
        let blob = noise(400);
        for text in [
            format!("{KEY}{blob}"),
            format!("\"{KEY}{blob}\""),
            format!("{blob}{KEY}"),
            format!("{blob}{KEY}\""),
            format!("{blob}={KEY}{blob}"),
            format!("{blob}.{KEY}.{blob}"),
        ] {
            assert!(!accident(&text), "{text}");
        }
    }

    #[test]
    fn matches_in_words_and_short_runs_are_none() {
        let words = "some/long/path/without/any/spaces/".repeat(8);
        assert!(!accident(&format!("{words}{KEY}{words}")));
        assert!(!accident(&format!("{0}{KEY}{0}", "x".repeat(300))));
        assert!(!accident(&format!("{0}{KEY}{0}", noise(60))));
        let text = "dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZyAwMTIz".repeat(3);
        assert!(!accident(&format!("{text}{KEY}{text}")));
    }

    #[test]
    fn digits_inside_long_hexadecimal_are_accidents() {
        let hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".repeat(2);
        let text = format!("{hex}4111111111111111{hex}");
        let span = Span { start: hex.len(), end: hex.len() + 16 };
        assert!(is_accident(text.as_bytes(), span));
    }
}
