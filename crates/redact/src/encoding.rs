//! `content-encoding` (RFC 9110, section 8.4) undone, within a limit.

use std::io::{self, Read};

use zeroize::Zeroizing;

use crate::error::{RedactError, RedactErrorKind};

/// A list of encodings longer than this is no honest client's.
const MAX_LAYERS: usize = 4;

/// Undoes the encodings that a `content-encoding` header lists, the last first; `None` if there was
/// nothing to undo.
///
/// # Errors
///
/// If an encoding is unknown, the data damaged, or any layer longer than `limit` bytes. Memory is
/// bounded by twice the limit, whatever the input claims.
pub(crate) fn undo(
    body: &[u8],
    content_encoding: Option<&str>,
    limit: usize,
) -> Result<Option<Decoded>, RedactError> {
    if body.len() > limit {
        return Err(RedactError::new(RedactErrorKind::TooLarge { limit }));
    }
    let layers = content_encoding
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect::<Vec<_>>();
    if layers.len() > MAX_LAYERS {
        return Err(RedactError::new(RedactErrorKind::UnknownEncoding));
    }
    let mut decoded: Option<Decoded> = None;
    for layer in layers.iter().rev() {
        let data = decoded.as_ref().map_or(body, |decoded| &decoded.bytes);
        let mut next = undo_one(data, layer, limit)?;
        next.truncated |= decoded.is_some_and(|decoded| decoded.truncated);
        decoded = Some(next);
    }
    Ok(decoded)
}

/// What was under an encoding.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// The encoded data broke off: this is what there was of it.
    pub(crate) truncated: bool,
}

fn undo_one(data: &[u8], encoding: &str, limit: usize) -> Result<Decoded, RedactError> {
    match encoding {
        "gzip" | "x-gzip" => read(flate2::read::MultiGzDecoder::new(data), limit),
        // "deflate" means zlib, but some servers send the bare stream.
        "deflate" => match read(flate2::read::ZlibDecoder::new(data), limit) {
            Err(error) if error.kind() == RedactErrorKind::DamagedEncoding => {
                read(flate2::read::DeflateDecoder::new(data), limit)
            }
            result => result,
        },
        "br" => read(brotli::Decompressor::new(data, 4096), limit),
        "zstd" => {
            let mut decoder =
                zstd::stream::read::Decoder::new(data).map_err(RedactError::damaged)?;
            // 8 MiB, the largest window RFC 9659 allows for HTTP.
            decoder.window_log_max(23).map_err(RedactError::damaged)?;
            read(decoder, limit)
        }
        _ => Err(RedactError::new(RedactErrorKind::UnknownEncoding)),
    }
}

fn read(decoder: impl Read, limit: usize) -> Result<Decoded, RedactError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    match decoder.take(most).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() > limit => Err(RedactError::new(RedactErrorKind::TooLarge { limit })),
        Ok(_) => Ok(Decoded { bytes, truncated: false }),
        // A stream that the tap saw cut off still holds text that must be looked at.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !bytes.is_empty() => {
            Ok(Decoded { bytes, truncated: true })
        }
        Err(error) => Err(RedactError::damaged(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_encoding_comes_undone() {
        let text = b"hello hello hello".repeat(50);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&text).unwrap();
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        bare.write_all(&text).unwrap();
        let mut br = Vec::new();
        brotli::BrotliCompress(&mut &text[..], &mut br, &Default::default()).unwrap();
        let zstd = zstd::encode_all(&text[..], 3).unwrap();
        for (encoding, data) in [
            ("gzip", gzip(&text)),
            ("x-gzip", gzip(&text)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", bare.finish().unwrap()),
            ("br", br),
            ("zstd", zstd.clone()),
            ("identity", text.clone()),
            ("zstd, gzip", gzip(&zstd)),
        ] {
            let decoded = undo(&data, Some(encoding), 1 << 20).unwrap();
            assert_eq!(&decoded.map_or(data, |d| d.bytes.to_vec()), &text, "{encoding}");
        }
        assert!(undo(&text, None, 1 << 20).unwrap().is_none());
    }

    #[test]
    fn bombs_and_damage_are_refused() {
        let bomb = gzip(&vec![0; 10_000_000]);
        let kind = |data: &[u8], encoding| undo(data, Some(encoding), 1 << 20).unwrap_err().kind();
        assert_eq!(kind(&bomb, "gzip"), RedactErrorKind::TooLarge { limit: 1 << 20 });
        assert_eq!(
            kind(&vec![0; (1 << 20) + 1], "identity"),
            RedactErrorKind::TooLarge { limit: 1 << 20 }
        );
        assert_eq!(kind(b"not gzip at all", "gzip"), RedactErrorKind::DamagedEncoding);
        assert_eq!(kind(b"x", "rot13"), RedactErrorKind::UnknownEncoding);
        assert_eq!(kind(b"x", "gzip,gzip,gzip,gzip,gzip"), RedactErrorKind::UnknownEncoding);
    }

    #[test]
    fn a_cut_stream_yields_what_there_is() {
        let text: Vec<u8> = (0..20_000u32).flat_map(|i| i.to_string().into_bytes()).collect();
        let whole = gzip(&text);
        let part = undo(&whole[..whole.len() / 2], Some("gzip"), 1 << 20).unwrap().unwrap();
        assert!(part.truncated && !part.bytes.is_empty() && text.starts_with(&part.bytes));
    }
}
