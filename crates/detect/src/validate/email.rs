//! E-mail addresses.

use crate::validator::Verdict;

/// An address whose last label may be a top-level domain, and that is not a file or a service
/// login.
///
/// Unknown top-level domains pass: new ones are delegated every year, and companies run their own.
/// Nor does a known one make it sure, since `user:secret@host.example` ends in an address.
pub(super) fn email(bytes: &[u8]) -> Verdict {
    let Some(at) = memchr::memrchr(b'@', bytes) else {
        // Percent-encoded in a URL: the pattern has seen `%40`.
        return if bytes.windows(3).any(|window| window == b"%40") {
            domain(bytes)
        } else {
            Verdict::Invalid
        };
    };
    let (local, host) = (&bytes[..at], &bytes[at + 1..]);
    // `git@github.com:owner/name`: the same four words in every clone URL.
    if local.is_empty() || local.len() > 64 || local.eq_ignore_ascii_case(b"git") {
        return Verdict::Invalid;
    }
    if host.len() > 253 || local.windows(2).any(|pair| pair == b"..") {
        return Verdict::Invalid;
    }
    domain(host)
}

fn domain(host: &[u8]) -> Verdict {
    let label = host.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    if label.len() < 2 || label.len() == host.len() {
        return Verdict::Invalid;
    }
    let mut folded = [0u8; 24];
    let Some(folded) = folded.get_mut(..label.len()) else { return Verdict::Unknown };
    folded.copy_from_slice(label);
    folded.make_ascii_lowercase();
    let Ok(label) = str::from_utf8(folded) else { return Verdict::Unknown };
    if FILES.split_ascii_whitespace().any(|known| known == label) {
        return Verdict::Invalid;
    }
    Verdict::Unknown
}

/// Endings of file names that follow an `@` in practice (`icon@2x.png`) and are no domains.
const FILES: &str = "avif bmp c class cpp css csv dll exe gif gz h html ico jar jpeg jpg js json jsx lock \
    map mp3 mp4 pdf png rb scss service svg tar tgz tif tiff toml ts tsx ttf txt wasm webp \
    woff woff2 xml yaml yml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("marta.okafor@example.com", Verdict::Unknown),
            ("a@xn--d1acufc.xn--p1ai", Verdict::Unknown),
            ("jörg@mail.example.de", Verdict::Unknown),
            ("ada%40example.org", Verdict::Unknown),
            ("ops@gateway.internal", Verdict::Unknown),
            ("someone@corp.averyveryverylongprivatezone", Verdict::Unknown),
            ("icon@2x.png", Verdict::Invalid),
            ("getty@tty1.service", Verdict::Invalid),
            ("git@github.com", Verdict::Invalid),
            ("a..b@example.com", Verdict::Invalid),
            ("info@presidio", Verdict::Invalid),
            ("info@presidio.", Verdict::Invalid),
            ("@example.com", Verdict::Invalid),
            ("example.com", Verdict::Invalid),
            ("", Verdict::Invalid),
        ];
        for (address, want) in cases {
            assert_eq!(email(address.as_bytes()), want, "{address}");
        }
    }
}
