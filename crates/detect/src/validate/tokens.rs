//! Tokens that carry their own proof.

use crate::validator::Verdict;

/// A token whose last six symbols are the CRC-32 of the thirty before, in base 62: GitHub's and
/// npm's.
///
/// `Unknown` when the checksum differs: a mistyped token, or one made before checksums, is still
/// to be hidden.
pub(super) fn crc32_base62(bytes: &[u8]) -> Verdict {
    let body = match bytes.iter().rposition(|&byte| byte == b'_') {
        Some(underscore) => &bytes[underscore + 1..],
        None => bytes,
    };
    if super::secret::is_placeholder(body) {
        return Verdict::Invalid;
    }
    let Some((random, checksum)) = body.split_last_chunk::<6>() else { return Verdict::Unknown };
    let mut rest = crc32(random);
    let mut want = [b'0'; 6];
    for symbol in want.iter_mut().rev() {
        *symbol = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    if want == *checksum { Verdict::Valid } else { Verdict::Unknown }
}

/// A GitLab token. The routable ones end in a point, two digits for the payload's length and seven
/// for the CRC-32 of all that goes before, in base 36.
///
/// `Unknown` when the checksum differs, for the reason above, and for the older form without one.
pub(super) fn gitlab(bytes: &[u8]) -> Verdict {
    if super::secret::token(bytes) == Verdict::Invalid {
        return Verdict::Invalid;
    }
    let Some((payload, checksum)) = bytes.split_last_chunk::<7>() else { return Verdict::Unknown };
    let routable = payload.len() > 3 && payload[payload.len() - 3] == b'.';
    let mut rest = crc32(payload);
    let mut want = [b'0'; 7];
    for symbol in want.iter_mut().rev() {
        *symbol = BASE36[(rest % 36) as usize];
        rest /= 36;
    }
    if routable && want == *checksum { Verdict::Valid } else { Verdict::Unknown }
}

/// A token of a Grafana service account: after the last `_` the CRC-32 of what goes before, its bytes
/// in little-endian order and hexadecimal.
pub(super) fn grafana(bytes: &[u8]) -> Verdict {
    if super::secret::token(bytes) == Verdict::Invalid {
        return Verdict::Invalid;
    }
    let Some((payload, [b'_', checksum @ ..])) = bytes.split_last_chunk::<9>() else {
        return Verdict::Unknown;
    };
    let want: String =
        crc32(payload).to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    if checksum.eq_ignore_ascii_case(want.as_bytes()) { Verdict::Valid } else { Verdict::Unknown }
}

/// The credentials of HTTP's Basic scheme: base64 of a name, a colon and a password.
///
/// Chance does not decode to printable text, so what does is `Valid`.
pub(super) fn basic_credentials(bytes: &[u8]) -> Verdict {
    let body = bytes.split(|&byte| byte == b'=').next().unwrap_or_default();
    let Some(text) = base64url(body) else { return Verdict::Invalid };
    let Ok(text) = str::from_utf8(&text) else { return Verdict::Invalid };
    let Some((name, password)) = text.split_once(':') else { return Verdict::Invalid };
    let printable = !text.chars().any(char::is_control);
    let filled = name.len() + password.len() >= 6;
    let stand_in = super::secret::is_placeholder(password.as_bytes());
    if printable && filled && (password.is_empty() || !stand_in) {
        Verdict::Valid
    } else {
        Verdict::Invalid
    }
}

/// A JSON Web Token: the first part decodes to a JSON object with `alg` or `enc`.
pub(super) fn jwt(bytes: &[u8]) -> Verdict {
    let header = bytes.split(|&byte| byte == b'.').next().unwrap_or_default();
    let Some(json) = base64url(header) else { return Verdict::Invalid };
    let Ok(text) = str::from_utf8(&json) else { return Verdict::Invalid };
    let text = text.trim();
    let object = text.starts_with('{') && text.ends_with('}');
    let named = text.contains("\"alg\"") || text.contains("\"enc\"") || text.contains("\"typ\"");
    if object && named { Verdict::Valid } else { Verdict::Invalid }
}

/// CRC-32 of IEEE 802.3, bit by bit: the input is thirty bytes.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// Base64 in the URL alphabet, without padding; `None` for any other symbol.
fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for &symbol in text {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push((bits >> held) as u8);
        }
    }
    Some(decoded)
}

const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    const GITLAB: &str = "glpat-oVUqJ0SY2Ux97E2d2rgM9Lbe4TTmteaf9gkm.100va3417";
    const GRAFANA: &str = "glsa_32u29iyZgvlMTxrTaUYQQt0sKxc8NFHj_0b5c84e7";

    #[test]
    fn crc_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn token_checksums() {
        // The example that circulates with GitHub's description of the format.
        assert_eq!(crc32_base62(b"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"), Verdict::Valid);
        assert_eq!(crc32_base62(b"ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18"), Verdict::Unknown);
        assert_eq!(crc32_base62(b"ghp_Ab1"), Verdict::Unknown);
        assert_eq!(crc32_base62(b"ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), Verdict::Invalid);
    }

    #[test]
    fn checksums_of_gitlab_and_grafana() {
        // Computed as the vendors' generators do, over random payloads.
        assert_eq!(gitlab(GITLAB.as_bytes()), Verdict::Valid);
        assert_eq!(gitlab(GITLAB.replace("glpat-", "glrt-").as_bytes()), Verdict::Unknown);
        assert_eq!(gitlab(b"glpat-74SPzSbvLR1I0ZYCh9Hd"), Verdict::Unknown);
        assert_eq!(gitlab(b"glpat-xxxxxxxxxxxxxxxxxxxx"), Verdict::Invalid);
        assert_eq!(grafana(GRAFANA.as_bytes()), Verdict::Valid);
        assert_eq!(grafana(GRAFANA.replace("glsa_", "glsb_").as_bytes()), Verdict::Unknown);
        assert_eq!(grafana(b"glsa_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_00000000"), Verdict::Invalid);
    }

    #[test]
    fn basic_pairs() {
        // RFC 7617: Aladdin:open sesame and test:123£.
        for pair in ["QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "dGVzdDoxMjPCow=="] {
            assert_eq!(basic_credentials(pair.as_bytes()), Verdict::Valid, "{pair}");
        }
        for text in ["authentication", "internationalization", "b3BlbiBzZXNhbWU=", ""] {
            assert_eq!(basic_credentials(text.as_bytes()), Verdict::Invalid, "{text}");
        }
    }

    #[test]
    fn web_tokens() {
        // RFC 7519 section 3.1, RFC 7516 appendix A.1, RFC 7519 section 6.1 (unsecured).
        for header in [
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
            "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ",
            "eyJhbGciOiJub25lIn0",
        ] {
            assert_eq!(jwt(format!("{header}.e30.sig").as_bytes()), Verdict::Valid, "{header}");
        }
        // {"name":"x"}, cut in the middle, not base64, nothing.
        for header in ["eyJuYW1lIjoieCJ9", "eyJ0eXAiOiJKV1QiLA0KICJhb", "eyJ*", ""] {
            assert_eq!(jwt(format!("{header}.e30.sig").as_bytes()), Verdict::Invalid, "{header}");
        }
    }
}
