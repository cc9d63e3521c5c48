//! `content-encoding` (RFC 9110, section 8.4) undone, within a limit.

use std::io::{self, Read, Write};

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
    let mut decoded: Option<Decoded> = None;
    for layer in layers(content_encoding)?.iter().rev() {
        let data = decoded.as_ref().map_or(body, |decoded| &decoded.bytes);
        let mut next = undo_one(data, layer, limit)?;
        next.truncated |= decoded.is_some_and(|decoded| decoded.truncated);
        decoded = Some(next);
    }
    Ok(decoded)
}

/// The encodings that a header lists, in the order in which they were applied.
fn layers(content_encoding: Option<&str>) -> Result<Vec<String>, RedactError> {
    let layers = content_encoding
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect::<Vec<_>>();
    if layers.len() > MAX_LAYERS {
        return Err(RedactError::new(RedactErrorKind::UnknownEncoding));
    }
    Ok(layers)
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

/// Undoes the encodings of a body while it comes.
#[derive(Default)]
pub(crate) struct Decoder {
    /// The one that was applied last is undone first.
    layers: Vec<Layer>,
}

/// So much goes from one layer to the next at once: what each makes of that may be a thousand times as much.
const SLICE: usize = 4 << 10;

impl Decoder {
    /// For what a `content-encoding` header says.
    ///
    /// # Errors
    ///
    /// If that is unknown, or more than a few.
    pub(crate) fn new(content_encoding: Option<&str>) -> Result<Self, RedactError> {
        let names = layers(content_encoding)?;
        let layers = names.iter().rev().map(|name| Layer::new(name)).collect::<Result<_, _>>()?;
        Ok(Self { layers })
    }

    /// Whether there is anything to undo.
    pub(crate) fn decodes(&self) -> bool {
        !self.layers.is_empty()
    }

    /// Undoes a stretch, and gives what there is by now piece by piece.
    pub(crate) fn push(&mut self, bytes: &[u8], take: &mut Take<'_>) -> Result<(), RedactError> {
        bytes.chunks(SLICE).try_for_each(|slice| push(&mut self.layers, slice, take))
    }

    /// Ends the body: gives what is left. `true` if it broke off.
    pub(crate) fn finish(&mut self, take: &mut Take<'_>) -> Result<bool, RedactError> {
        let mut truncated = false;
        let mut layers = &mut self.layers[..];
        while let Some((layer, inner)) = layers.split_first_mut() {
            let mut decoded = Zeroizing::new(Vec::new());
            truncated |= layer.finish(&mut decoded);
            decoded.chunks(SLICE).try_for_each(|slice| push(inner, slice, take))?;
            layers = inner;
        }
        Ok(truncated)
    }
}

/// Takes what is decoded, and may refuse more of it.
pub(crate) type Take<'t> = dyn FnMut(&[u8]) -> Result<(), RedactError> + 't;

/// Undoes layer after layer. No layer hands on more than it was given a thousandfold.
fn push(layers: &mut [Layer], bytes: &[u8], take: &mut Take<'_>) -> Result<(), RedactError> {
    let Some((layer, inner)) = layers.split_first_mut() else { return take(bytes) };
    let mut decoded = Zeroizing::new(Vec::new());
    let ended = layer.push(bytes, &mut decoded);
    // What there was before the damage may be text.
    decoded.chunks(SLICE).try_for_each(|slice| push(inner, slice, take))?;
    ended
}

/// One encoding that is being undone.
enum Layer {
    Gzip(Box<flate2::write::MultiGzDecoder<Vec<u8>>>),
    /// Whether it is zlib or the bare stream shows in the first two bytes.
    Deflate(Vec<u8>),
    Zlib(Box<flate2::write::ZlibDecoder<Vec<u8>>>),
    Bare(Box<flate2::write::DeflateDecoder<Vec<u8>>>),
    Brotli(Box<brotli::DecompressorWriter<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Vec<u8>>>),
}

impl Layer {
    fn new(name: &str) -> Result<Self, RedactError> {
        Ok(match name {
            "gzip" | "x-gzip" => {
                Self::Gzip(Box::new(flate2::write::MultiGzDecoder::new(Vec::new())))
            }
            "deflate" => Self::Deflate(Vec::new()),
            "br" => Self::Brotli(Box::new(brotli::DecompressorWriter::new(Vec::new(), 4096))),
            "zstd" => {
                let mut decoder =
                    zstd::stream::write::Decoder::new(Vec::new()).map_err(RedactError::damaged)?;
                decoder.window_log_max(23).map_err(RedactError::damaged)?;
                Self::Zstd(Box::new(decoder))
            }
            _ => return Err(RedactError::new(RedactErrorKind::UnknownEncoding)),
        })
    }

    /// Undoes a stretch, and appends what there is by now.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), RedactError> {
        if let Self::Deflate(head) = self {
            head.extend_from_slice(bytes);
            let [first, second, ..] = head[..] else { return Ok(()) };
            let head = std::mem::take(head);
            // RFC 1950, section 2.2.
            let zlib = first & 0x0f == 8 && (u16::from(first) << 8 | u16::from(second)) % 31 == 0;
            *self = if zlib {
                Self::Zlib(Box::new(flate2::write::ZlibDecoder::new(Vec::new())))
            } else {
                Self::Bare(Box::new(flate2::write::DeflateDecoder::new(Vec::new())))
            };
            return self.push(&head, out);
        }
        let (written, decoded) = match self {
            // Its first bytes have just shown what it is.
            Self::Deflate(_) => return Ok(()),
            Self::Gzip(decoder) => (write(&mut **decoder, bytes), decoder.get_mut()),
            Self::Zlib(decoder) => (write(&mut **decoder, bytes), decoder.get_mut()),
            Self::Bare(decoder) => (write(&mut **decoder, bytes), decoder.get_mut()),
            Self::Brotli(decoder) => (write(&mut **decoder, bytes), decoder.get_mut()),
            Self::Zstd(decoder) => (write(&mut **decoder, bytes), decoder.get_mut()),
        };
        out.append(decoded);
        written.map_err(RedactError::damaged)
    }

    /// Ends the layer: appends what is left. `true` if it broke off.
    fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        let (ended, decoded) = match self {
            Self::Deflate(head) => return !head.is_empty(),
            Self::Gzip(decoder) => (decoder.try_finish(), decoder.get_mut()),
            Self::Zlib(decoder) => (decoder.try_finish(), decoder.get_mut()),
            Self::Bare(decoder) => (decoder.try_finish(), decoder.get_mut()),
            Self::Brotli(decoder) => (decoder.close(), decoder.get_mut()),
            Self::Zstd(decoder) => (decoder.flush(), decoder.get_mut()),
        };
        out.append(decoded);
        ended.is_err()
    }
}

fn write(decoder: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    decoder.write_all(bytes)?;
    decoder.flush()
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
