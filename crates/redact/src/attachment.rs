//! Attachments inside text: data URLs, base64 fields and long runs of base64. They are media, not prose.
//!
//! A naive skip of everything that looks like base64 would be a hiding place, so what is found is
//! decoded: text inside goes the way of all text, and only what is not text is an attachment.

use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use memchr::memmem::{self, Finder};
use zeroize::Zeroizing;

use crate::field::is_opaque_name;
use crate::utf16;

/// A stretch of base64 in a text, decoded, or a part of a body that is no text.
pub(crate) struct Attachment {
    /// What to replace: the data URL with its head, or the bare base64.
    pub(crate) range: Range<usize>,
    /// The base64 itself.
    pub(crate) payload: Range<usize>,
    /// The media type the data URL names or the first bytes give away.
    pub(crate) media_type: String,
    pub(crate) decoded: Zeroizing<Vec<u8>>,
    /// How the payload is written; `None` if it stands as it is.
    pub(crate) base64: Option<Style>,
}

/// How somebody writes base64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Style {
    url_safe: bool,
    unpadded: bool,
    /// The length of lines, and whether they end in CR LF, as MIME has it.
    lines: Option<(usize, bool)>,
    /// Whether the last line has an end as well.
    ends: bool,
}

impl Attachment {
    /// Whether it is a run in prose that is text in base64, but no longer than a key or a part of a token, which
    /// rules know as it stands.
    pub(crate) fn may_be_token(&self) -> bool {
        self.range == self.payload && self.payload.len() < LONG
    }
}

impl Style {
    pub(crate) fn of(text: &[u8]) -> Self {
        let lines = memchr::memchr(b'\n', text).map(|at| {
            let crlf = at > 0 && text[at - 1] == b'\r';
            (at - usize::from(crlf), crlf)
        });
        let signs = text.iter().filter(|b| !b"\r\n".contains(b)).count();
        Self {
            url_safe: memchr::memchr2(b'-', b'_', text).is_some(),
            unpadded: signs % 4 != 0,
            lines: lines.filter(|(length, _)| *length > 0),
            ends: text.ends_with(b"\n"),
        }
    }

    /// Bytes in base64 of this style.
    pub(crate) fn encode(self, bytes: &[u8]) -> Vec<u8> {
        let engine = match (self.url_safe, self.unpadded) {
            (false, false) => general_purpose::STANDARD,
            (false, true) => general_purpose::STANDARD_NO_PAD,
            (true, false) => general_purpose::URL_SAFE,
            (true, true) => general_purpose::URL_SAFE_NO_PAD,
        };
        let encoded = engine.encode(bytes).into_bytes();
        match self.lines {
            None => encoded,
            Some((length, crlf)) => {
                let end: &[u8] = if crlf { b"\r\n" } else { b"\n" };
                let mut lines = encoded.chunks(length).collect::<Vec<_>>().join(end);
                if self.ends {
                    lines.extend_from_slice(end);
                }
                lines
            }
        }
    }
}

/// Whether bytes are text, to be redacted as such. A PDF may look like text but is not: its offsets do not
/// survive an edit, and its text may be compressed or cut into glyphs.
pub(crate) fn holds_text(bytes: &[u8]) -> bool {
    match utf16::detect(bytes, None) {
        Some(utf16) => !is_binary(&utf16.decode(bytes)),
        None => !is_binary(bytes) && sniff(bytes).is_none(),
    }
}

/// Fields that the LLM APIs use for base64.
const BASE64_FIELDS: [&[u8]; 12] = [
    b"data",
    b"file_data",
    b"bytes",
    b"bytesValue",
    b"b64_json",
    b"partial_image_b64",
    b"audio",
    b"image",
    b"image_bytes",
    b"imageBytes",
    b"image_url",
    b"blob",
];

/// Base64 in a field not known for it counts as an attachment from this length on; shorter runs are
/// identifiers and digests. 256 characters hold 192 bytes, the smallest useful icon.
const LONG: usize = 256;

/// In any text, a run this long is looked into: if it is text that somebody has put in base64, it is read. Keys and
/// digests, which are as long, hold no text.
const TELLING: usize = 48;

/// In a field known for base64, anything this long is base64; what is shorter must show it by its
/// padding or by the signature of a media type. In other fields it must show it anyway.
const PLAIN_IN_FIELD: usize = 64;

/// Every text is searched for it, and to prepare that costs more than most of them.
static BASE64_MARKER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b";base64,"));

/// All data URLs and long runs of base64 in a text, or the whole text if it is one piece of base64. In order.
pub(crate) fn find(text: &[u8], field: Option<&[u8]>) -> Vec<Attachment> {
    // Nothing shorter than this is one: most strings of most bodies.
    if text.len() < 16 {
        return Vec::new();
    }
    if let Some(whole) = whole_text(text, field) {
        return vec![whole];
    }
    let mut found: Vec<Attachment> = Vec::new();
    for marker in BASE64_MARKER.find_iter(text) {
        let done = found.last().map_or(0, |a| a.range.end);
        if marker < done {
            continue;
        }
        let payload = marker + 8..marker + 8 + base64_length(&text[marker + 8..]);
        // RFC 2397: data:[<mediatype>][;parameters];base64,<data>. A head is short.
        let head = done.max(marker.saturating_sub(128));
        let Some(start) = memmem::rfind(&text[head..marker], b"data:").map(|at| head + at) else {
            continue;
        };
        let media_type = String::from_utf8_lossy(&text[start + 5..marker]).into_owned();
        if !media_type.bytes().all(|b| b.is_ascii_alphanumeric() || b"/+-.;=_".contains(&b)) {
            continue;
        }
        if let Some(decoded) = decode(&text[payload.clone()]) {
            let base64 = Some(Style::of(&text[payload.clone()]));
            found.push(Attachment {
                range: start..payload.end,
                payload,
                media_type,
                decoded,
                base64,
            });
        }
    }
    let urls = found.len();
    for run in long_runs(text) {
        let taken = |a: &Attachment| a.range.start < run.end && run.start < a.range.end;
        if found[..urls].iter().any(taken) || !is_mixed(&text[run.clone()]) {
            continue;
        }
        if let Some(decoded) = decode(&text[run.clone()])
            && (run.len() >= LONG || holds_text(&decoded))
        {
            let media_type = sniff(&decoded).unwrap_or("application/octet-stream").to_owned();
            let base64 = Some(Style::of(&text[run.clone()]));
            found.push(Attachment {
                range: run.clone(),
                payload: run,
                media_type,
                decoded,
                base64,
            });
        }
    }
    found.sort_by_key(|a| a.range.start);
    found
}

/// Whether bytes are something other than text: they hold a NUL, or more than one in ten of the
/// first bytes is a control character or not UTF-8.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    if memchr::memchr(0, bytes).is_some() {
        return true;
    }
    let head = &bytes[..bytes.len().min(4096)];
    let odd: usize = head
        .utf8_chunks()
        .map(|chunk| {
            let controls = chunk
                .valid()
                .bytes()
                .filter(|b| (*b < 0x20 && !b"\t\n\r\x0c\x1b\x08".contains(b)) || *b == 0x7f)
                .count();
            controls + chunk.invalid().len()
        })
        .sum();
    odd * 10 > head.len()
}

/// The media type that the first bytes of a file give away.
pub(crate) fn sniff(bytes: &[u8]) -> Option<&'static str> {
    const SIGNATURES: [(usize, &[u8], &str); 14] = [
        (0, b"\x89PNG\r\n\x1a\n", "image/png"),
        (0, b"\xff\xd8\xff", "image/jpeg"),
        (0, b"GIF8", "image/gif"),
        (8, b"WEBP", "image/webp"),
        (8, b"WAVE", "audio/wav"),
        (0, b"%PDF-", "application/pdf"),
        (0, b"ID3", "audio/mpeg"),
        (0, b"\xff\xfb", "audio/mpeg"),
        (0, b"OggS", "audio/ogg"),
        (0, b"fLaC", "audio/flac"),
        (4, b"ftyp", "video/mp4"),
        (0, b"\x1aE\xdf\xa3", "video/webm"),
        (0, b"PK\x03\x04", "application/zip"),
        (0, b"\x1f\x8b", "application/gzip"),
    ];
    SIGNATURES
        .iter()
        .find(|(at, magic, _)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
        .map(|(_, _, media_type)| *media_type)
}

fn whole_text(text: &[u8], field: Option<&[u8]>) -> Option<Attachment> {
    let known = field.is_some_and(|name| BASE64_FIELDS.contains(&name) || is_opaque_name(name));
    if text.len() < if known { 16 } else { PLAIN_IN_FIELD } || base64_length(text) != text.len() {
        return None;
    }
    if text.iter().all(u8::is_ascii_hexdigit) || !(known || is_mixed(text)) {
        return None;
    }
    let decoded = decode(text)?;
    let media_type = sniff(&decoded);
    let evident = media_type.is_some()
        || text.len() >= if known { PLAIN_IN_FIELD } else { LONG }
        || (known && (text.ends_with(b"=") || holds_text(&decoded)));
    evident.then(|| Attachment {
        range: 0..text.len(),
        payload: 0..text.len(),
        media_type: media_type.unwrap_or("application/octet-stream").to_owned(),
        decoded,
        base64: Some(Style::of(text)),
    })
}

/// Runs of base64 in a text, at least [`TELLING`]. A look at the end of each window passes over most of a text:
/// words are short.
fn long_runs(text: &[u8]) -> Vec<Range<usize>> {
    let is_sign = |b: &u8| SIGNS[usize::from(*b)];
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(window) = text.get(at..at + TELLING) {
        match window.iter().rposition(|b| !is_sign(b)) {
            Some(other) => at += other + 1,
            None => {
                let more = text[at + TELLING..].iter().take_while(|b| is_sign(b)).count();
                let end = at + TELLING + more;
                let padding = text[end..].iter().take(2).take_while(|b| **b == b'=').count();
                runs.push(at..end + padding);
                at = end + padding;
            }
        }
    }
    runs
}

/// The signs of base64, of either alphabet.
static SIGNS: [bool; 256] = {
    let mut signs = [false; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        signs[at] = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
        at += 1;
    }
    signs
};

/// Whether a run looks like base64 rather than like a line of dashes, a path or a long word.
fn is_mixed(run: &[u8]) -> bool {
    let head = &run[..run.len().min(LONG)];
    head.iter().any(u8::is_ascii_uppercase)
        && head.iter().any(u8::is_ascii_lowercase)
        && head.iter().any(u8::is_ascii_digit)
}

/// The length of the base64 at the start of a text: of either alphabet, with padding, and with the
/// line breaks that MIME puts in.
fn base64_length(text: &[u8]) -> usize {
    let body =
        text.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+/-_\r\n".contains(b)).count();
    let padding = text[body..].iter().take(2).take_while(|b| **b == b'=').count();
    // MIME ends the last line, too.
    let end = text[body + padding..].iter().take(2).take_while(|b| b"\r\n".contains(b)).count();
    body + padding + end
}

/// Undoes base64 of either alphabet, padded or not, whole or cut off.
pub(crate) fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    let standard: Zeroizing<Vec<u8>> = Zeroizing::new(
        text.iter()
            .filter(|b| !b"\r\n=".contains(b))
            .map(|b| match b {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            })
            .collect(),
    );
    // A body that was cut off may leave one character over, which holds no whole byte.
    let whole = if standard.len() % 4 == 1 { standard.len() - 1 } else { standard.len() };
    ENGINE.decode(&standard[..whole]).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg==";

    #[test]
    fn data_urls_are_found_in_prose() {
        let text = format!("see ![](data:image/png;base64,{PNG}) and data:;base64,aGVsbG8= too");
        let found = find(text.as_bytes(), None);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].media_type, "image/png");
        assert!(!holds_text(&found[0].decoded));
        assert!(holds_text(&found[1].decoded));
        assert_eq!(&found[1].decoded[..], b"hello");
        assert_eq!(&text[found[1].range.clone()], "data:;base64,aGVsbG8=");
    }

    #[test]
    fn base64_is_known_by_field_or_by_shape() {
        let long = "QUJD".repeat(80);
        for (text, field, expected) in [
            (PNG, "data", true),
            (PNG, "title", true),
            (&long, "title", false),
            (&"QU1D".repeat(80), "title", false),
            (&"QUpD0a".repeat(80), "title", true),
            (&"-".repeat(300), "title", false),
            ("UklGRiQAAABXQVZFZm10IBAAAAABAAEA", "data", true),
            ("internationalize", "data", false),
            ("a text with spaces in it", "data", false),
            (&"0123456789abcdef".repeat(20), "digest", false),
        ] {
            let found = find(text.as_bytes(), Some(field.as_bytes()));
            assert_eq!(!found.is_empty(), expected, "{field}: {text}");
        }
    }

    #[test]
    fn base64_in_prose_is_found_and_written_again_as_it_was() {
        let bytes: Vec<u8> = (0..400_u16).map(|n| (n * 7 % 251) as u8).collect();
        for style in [
            Style::default(),
            Style { unpadded: true, ..Style::default() },
            Style { url_safe: true, unpadded: true, ..Style::default() },
        ] {
            let base64 = String::from_utf8(style.encode(&bytes)).unwrap();
            let text = format!("the picture is {base64} and no more, {} neither", "-".repeat(400));
            let found = find(text.as_bytes(), None);
            assert_eq!(found.len(), 1);
            assert_eq!(&text[found[0].range.clone()], base64);
            assert_eq!(&found[0].decoded[..], bytes);
            assert_eq!(found[0].base64, Some(style));
        }
        for ends in [true, false] {
            let lines = Style { lines: Some((76, true)), ends, ..Style::default() };
            let text = lines.encode(&bytes);
            assert_eq!(Style::of(&text), lines);
            assert_eq!(find(&text, Some(b"data"))[0].range, 0..text.len());
        }
    }

    #[test]
    fn text_is_told_from_media() {
        for (bytes, binary) in [
            (&b"plain text\r\n"[..], false),
            ("Gr\u{fc}\u{df}e".as_bytes(), false),
            (b"cut in a character \xc3", false),
            (b"", false),
            (b"\x89PNG\r\n\x1a\n\0\0", true),
            (b"\xff\xfe\xfd\xfc", true),
        ] {
            assert_eq!(is_binary(bytes), binary);
        }
    }
}
