//! Metadata taken out of media: where a photograph was taken, who wrote a document, what a camera is called.
//!
//! What is shown or heard stays bit for bit. Only what is known to be needed for that is kept; formats that
//! cannot be taken apart safely are refused, and their attachments dropped.

use memchr::memmem;

/// Media without its metadata; `None` if that cannot be told from the rest.
pub(crate) fn strip(bytes: &[u8]) -> Option<Vec<u8>> {
    match crate::attachment::sniff(bytes)? {
        "image/png" => png(bytes),
        "image/jpeg" => jpeg(bytes),
        "image/gif" => gif(bytes),
        "image/webp" => riff(bytes, &[b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"]),
        "audio/wav" => riff(bytes, &[b"fmt ", b"data", b"fact"]),
        "audio/flac" => flac(bytes),
        "audio/mpeg" => mp3(bytes),
        "application/pdf" => pdf(bytes),
        _ => None,
    }
}

fn big(bytes: &[u8], at: usize) -> Option<usize> {
    let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u32::from_be_bytes(four) as usize)
}

/// PNG, third edition (W3C): the chunks that decide what is shown; text, EXIF, times and profiles go.
fn png(bytes: &[u8]) -> Option<Vec<u8>> {
    const SHOWN: [&[u8]; 16] = [
        b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD",
        b"pHYs", b"hIST", b"cICP", b"acTL", b"fcTL", b"fdAT",
    ];
    let mut out = bytes.get(..8)?.to_vec();
    let mut at = 8;
    loop {
        let length = big(bytes, at)?;
        let kind = bytes.get(at + 4..at + 8)?;
        let end = at.checked_add(length)?.checked_add(12)?;
        let chunk = bytes.get(at..end)?;
        if SHOWN.contains(&kind) {
            out.extend_from_slice(chunk);
        }
        if kind == b"IEND" {
            return Some(out);
        }
        at = end;
    }
}

/// JPEG (ITU-T T.81): tables, frames and scans stay, and of the application segments JFIF's, without its
/// thumbnail, and Adobe's, which says what the colours are.
fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = bytes.get(..2)?.to_vec();
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        let marker = *bytes.get(at + 1)?;
        match marker {
            // Filling.
            0xff => {
                at += 1;
                continue;
            }
            0xd9 => {
                out.extend_from_slice(&[0xff, 0xd9]);
                return Some(out);
            }
            0x01 | 0xd0..=0xd8 => return None,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(bytes.get(at + 2..at + 4)?.try_into().ok()?));
        let end = at + 2 + length;
        let segment = bytes.get(at..end).filter(|_| length >= 2)?;
        match marker {
            0xe0 if segment[4..].starts_with(b"JFIF\0") && length >= 16 => {
                out.extend_from_slice(&[0xff, 0xe0, 0, 16]);
                out.extend_from_slice(&segment[4..16]);
                out.extend_from_slice(&[0, 0]);
            }
            0xee if segment[4..].starts_with(b"Adobe") => out.extend_from_slice(segment),
            0xe0..=0xef | 0xfe => {}
            _ => out.extend_from_slice(segment),
        }
        at = end;
        if marker == 0xda {
            // A scan goes on until a marker that is no restart and no escaped 0xff.
            let start = at;
            loop {
                at += memchr::memchr(0xff, bytes.get(at..)?)?;
                match bytes.get(at + 1)? {
                    0 | 0xd0..=0xd7 => at += 2,
                    _ => break,
                }
            }
            out.extend_from_slice(&bytes[start..at]);
        }
    }
}

/// GIF89a: comments, plain text and applications other than the animation's go.
fn gif(bytes: &[u8]) -> Option<Vec<u8>> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let head = 13 + table(*bytes.get(10)?);
    let mut out = bytes.get(..head)?.to_vec();
    let mut at = head;
    let blocks = |mut at: usize| -> Option<usize> {
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                return Some(at);
            }
        }
    };
    loop {
        let (end, kept) = match *bytes.get(at)? {
            0x3b => {
                out.push(0x3b);
                return Some(out);
            }
            0x2c => (blocks(at + 10 + table(*bytes.get(at + 9)?) + 1)?, true),
            0x21 => {
                let label = *bytes.get(at + 1)?;
                let name = bytes.get(at + 3..at + 14).unwrap_or_default();
                let animates = name == b"NETSCAPE2.0" || name == b"ANIMEXTS1.0";
                (blocks(at + 2)?, label == 0xf9 || (label == 0xff && animates))
            }
            _ => return None,
        };
        let block = bytes.get(at..end)?;
        if kept {
            out.extend_from_slice(block);
        }
        at = end;
    }
}

/// RIFF, of WebP and WAV: the chunks named stay.
fn riff(bytes: &[u8], kept: &[&[u8; 4]]) -> Option<Vec<u8>> {
    let mut out = bytes.get(..12)?.to_vec();
    let mut at = 12;
    while at < bytes.len() {
        let kind: &[u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        let length = u32::from_le_bytes(bytes.get(at + 4..at + 8)?.try_into().ok()?) as usize;
        // A stream may have been written before its length was known.
        let end = (at + 8).checked_add(length)?.min(bytes.len());
        if kept.contains(&kind) {
            let start = out.len();
            out.extend_from_slice(&bytes[at..end]);
            if kind == b"VP8X" && length >= 1 {
                // Neither profile, EXIF nor XMP follow any more.
                out[start + 8] &= !0b0010_1100;
            }
            if length % 2 == 1 {
                out.push(0);
            }
        }
        at = end + length % 2;
    }
    let length = u32::try_from(out.len() - 8).ok()?;
    out[4..8].copy_from_slice(&length.to_le_bytes());
    Some(out)
}

/// FLAC (RFC 9639): the stream's description and its seek table stay.
fn flac(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = bytes.get(..4)?.to_vec();
    let mut at = 4;
    let mut last_kept = None;
    loop {
        let head = *bytes.get(at)?;
        let length = big(bytes, at)? & 0xff_ffff;
        let end = at + 4 + length;
        let block = bytes.get(at..end)?;
        if matches!(head & 0x7f, 0 | 3) {
            last_kept = Some(out.len());
            out.extend_from_slice(block);
            let start = out.len() - block.len();
            out[start] &= 0x7f;
        }
        at = end;
        if head & 0x80 != 0 {
            break;
        }
    }
    out[last_kept?] |= 0x80;
    out.extend_from_slice(&bytes[at..]);
    Some(out)
}

/// MP3: the tags before and after the sound go.
fn mp3(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut sound = bytes;
    if sound.starts_with(b"ID3") {
        let size = sound.get(6..10)?.iter().fold(0, |n, b| n << 7 | usize::from(b & 0x7f));
        let footer = if sound[5] & 0x10 != 0 { 10 } else { 0 };
        sound = sound.get(10 + size + footer..)?;
    }
    // 128 bytes at the end, fewer if it broke off.
    let last = sound.len().saturating_sub(128);
    if let Some(tag) = memmem::find(&sound[last..], b"TAG") {
        sound = &sound[..last + tag];
    }
    let begins = matches!(sound, [0xff, next, ..] if next & 0xe0 == 0xe0);
    (begins && memmem::find(sound, b"APETAGEX").is_none()).then(|| sound.to_vec())
}

/// PDF (ISO 32000): what its information dictionary and its XMP say is overwritten with spaces, so that no offset
/// changes. Files that keep objects compressed or encrypted may have more of it where it cannot be seen.
fn pdf(bytes: &[u8]) -> Option<Vec<u8>> {
    let hides = |what: &[u8]| memmem::find(bytes, what).is_some();
    if hides(b"/ObjStm") || hides(b"/Encrypt") || hides(b"/EmbeddedFile") {
        return None;
    }
    let mut out = bytes.to_vec();
    for at in memmem::find_iter(bytes, b"/Info") {
        let rest = bytes[at + 5..].trim_ascii_start();
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            // The dictionary itself, or the name of something else.
            if rest.starts_with(b"<<") {
                let start = bytes.len() - rest.len();
                blank_strings(&mut out, start, dictionary_end(bytes, start));
            }
            continue;
        }
        let number = &rest[..digits];
        for object in memmem::find_iter(bytes, b" obj") {
            // "12 0 obj": number and generation stand before.
            let head = &bytes[object.saturating_sub(16)..object];
            let mut words = head.rsplit(|b| !b.is_ascii_digit()).filter(|word| !word.is_empty());
            if words.nth(1) == Some(number) {
                let end =
                    memmem::find(&bytes[object..], b"endobj").map_or(bytes.len(), |e| object + e);
                blank_strings(&mut out, object, end);
            }
        }
    }
    for object in memmem::find_iter(bytes, b"/Metadata") {
        let start = memmem::rfind(&bytes[..object], b" obj").unwrap_or(0);
        let end = memmem::find(&bytes[object..], b"endobj").map_or(bytes.len(), |e| object + e);
        let here = &bytes[start..end];
        if let Some(stream) = memmem::find(here, b"stream")
            && memmem::find(&here[..stream], b"/Filter").is_some()
            && memmem::find(&here[..stream], b"/XML").is_some()
        {
            return None;
        }
    }
    for (open, close) in
        [(&b"<?xpacket begin"[..], &b"<?xpacket end"[..]), (b"<x:xmpmeta", b"</x:xmpmeta>")]
    {
        for start in memmem::find_iter(bytes, open) {
            let end = memmem::find(&bytes[start..], close).map_or(bytes.len(), |e| start + e);
            let inside = start + memchr::memchr(b'>', &bytes[start..end]).map_or(0, |at| at + 1);
            for byte in &mut out[inside..end] {
                if !byte.is_ascii_whitespace() {
                    *byte = b' ';
                }
            }
        }
    }
    Some(out)
}

/// Where the dictionary that opens at `start` closes.
fn dictionary_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"<<" => depth += 1,
            b">>" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    bytes.len()
}

/// Overwrites the strings of a stretch of a PDF: `(text)` with spaces, `<hex>` with those of spaces.
fn blank_strings(out: &mut [u8], start: usize, end: usize) {
    let mut at = start;
    while at < end {
        match out[at] {
            b'(' => {
                let mut depth = 1_usize;
                at += 1;
                while at < end {
                    match out[at] {
                        b'\\' => {
                            out[at] = b' ';
                            at += 1;
                        }
                        b'(' => depth += 1,
                        b')' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                    if at < end {
                        out[at] = b' ';
                    }
                    at += 1;
                }
            }
            b'<' if out.get(at + 1) == Some(&b'<') => at += 1,
            b'<' => {
                at += 1;
                let mut high = true;
                while at < end && out[at] != b'>' {
                    if out[at].is_ascii_hexdigit() {
                        out[at] = if high { b'2' } else { b'0' };
                        high = !high;
                    }
                    at += 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"jo@example.com";

    fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
        let mut out = u32::try_from(data.len()).unwrap().to_be_bytes().to_vec();
        let body = [kind, data].concat();
        out.extend_from_slice(&body);
        out.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
        out
    }

    fn riff_of(kind: &[u8], chunks: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut body = kind.to_vec();
        for (name, data) in chunks {
            body.extend_from_slice(name);
            body.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
            body.extend_from_slice(data);
            body.extend_from_slice(&vec![0; data.len() % 2]);
        }
        [b"RIFF", &u32::try_from(body.len()).unwrap().to_le_bytes()[..], &body].concat()
    }

    fn samples() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
        let png = |extra: &[u8]| {
            let magic = b"\x89PNG\r\n\x1a\n".to_vec();
            [
                magic,
                chunk(b"IHDR", &[0; 13]),
                extra.to_vec(),
                chunk(b"IDAT", b"x"),
                chunk(b"IEND", b""),
            ]
            .concat()
        };
        let text =
            [chunk(b"tEXt", SECRET), chunk(b"eXIf", SECRET), chunk(b"iTXt", SECRET)].concat();
        let segment = |marker: u8, data: &[u8]| {
            let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
            [&[0xff, marker][..], &length, data].concat()
        };
        let jpeg = |extra: &[u8], tail: &[u8]| {
            let scan =
                [&segment(0xda, &[1, 2])[..], b"data\xff\x00more\xff\xd0and\xff\xd9"].concat();
            [b"\xff\xd8", extra, &segment(0xdb, &[0; 65]), &scan, tail].concat()
        };
        let exif = [
            segment(0xe1, &[b"Exif\0\0", SECRET].concat()),
            segment(0xed, SECRET),
            segment(0xfe, SECRET),
        ];
        let gif = |extra: &[u8]| {
            let image = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
            [b"GIF89a\x01\0\x01\0\0\0\0", extra, image, b"\x3b"].concat()
        };
        let comment = [&b"\x21\xfe\x0e"[..], SECRET, b"\0"].concat();
        let pixels: (&[u8], &[u8]) = (b"VP8L", b"pixels");
        let sound: (&[u8], &[u8]) = (b"data", b"sound!");
        let frames = b"\xff\xfb\x90\x00sound".to_vec();
        let id3 = [b"ID3\x04\0\0\0\0\0\x0e", SECRET].concat();
        let mut id1 = [b"TAG", SECRET].concat();
        id1.resize(128, 0);
        let flac =
            |extra: &[u8]| [b"fLaC\0\0\0\x02ab", extra, b"\x83\0\0\x01c", b"frames"].concat();
        let vorbis = [&b"\x04\0\0\x0e"[..], SECRET].concat();
        vec![
            ("png", png(&text), png(b"")),
            ("jpeg", jpeg(&exif.concat(), SECRET), jpeg(b"", b"")),
            ("gif", gif(&comment), gif(b"")),
            (
                "webp",
                riff_of(b"WEBP", &[pixels, (b"EXIF", SECRET), (b"XMP ", SECRET)]),
                riff_of(b"WEBP", &[pixels]),
            ),
            ("wav", riff_of(b"WAVE", &[(b"LIST", SECRET), sound]), riff_of(b"WAVE", &[sound])),
            ("mp3", [&id3[..], &frames, &id1].concat(), frames),
            ("flac", flac(&vorbis), flac(b"")),
        ]
    }

    #[test]
    fn metadata_goes_and_the_rest_stays() {
        for (name, with, without) in samples() {
            assert!(memmem::find(&with, SECRET).is_some(), "{name}");
            assert_eq!(strip(&with).as_deref(), Some(&without[..]), "{name}");
            assert_eq!(strip(&without).as_deref(), Some(&without[..]), "{name}: twice");
        }
    }

    #[test]
    fn what_breaks_off_is_never_half_stripped() {
        for (name, with, _) in samples() {
            for cut in 0..with.len() {
                if let Some(stripped) = strip(&with[..cut]) {
                    assert!(memmem::find(&stripped, SECRET).is_none(), "{name} {cut}");
                }
            }
        }
    }

    #[test]
    fn documents_lose_their_information() {
        let pdf = "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n2 0 obj<</Author (jo \\(the one\\)) /Title <4a6F> >>\nendobj\n\
            3 0 obj<</Type/Metadata/Subtype/XML>>stream\n<?xpacket begin=''?><x:xmpmeta>jo@example.com</x:xmpmeta><?xpacket end='w'?>\nendstream endobj\n\
            4 0 obj (page text) endobj\ntrailer<</Root 1 0 R/Info 2 0 R>>\n%%EOF";
        let stripped = strip(pdf.as_bytes()).unwrap();
        let text = String::from_utf8(stripped).unwrap();
        assert_eq!(text.len(), pdf.len());
        let blank = " ".repeat(r"jo \(the one\)".len());
        assert!(text.contains(&format!("/Author ({blank}) /Title <2020> >>")), "{text}");
        assert!(!text.contains("jo@") && text.contains("(page text)"));
        assert!(strip(pdf.replace("Catalog", "ObjStm").as_bytes()).is_none());
    }
}
