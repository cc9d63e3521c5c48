//! Network addresses.

use crate::validator::Verdict;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IPv4 address that can point at someone.
///
/// Loopback, `0.x.x.x`, the broadcast address, netmasks and addresses that end in `.0.0.0` name
/// no one, and those of small numbers throughout are mostly versions and sections; [`ipv4_any`]
/// takes them.
pub(super) fn ipv4(bytes: &[u8]) -> Verdict {
    match parse_ipv4(bytes) {
        Some(address) if !names_no_one(address) => Verdict::Unknown,
        _ => Verdict::Invalid,
    }
}

/// Any IPv4 address in dotted form, with or without a prefix length.
pub(super) fn ipv4_any(bytes: &[u8]) -> Verdict {
    parse_ipv4(bytes).map_or(Verdict::Invalid, |_| Verdict::Unknown)
}

/// An IPv6 address that is unmistakably one.
///
/// Source code is full of `::` between words that happen to be hexadecimal. Asked for are three
/// groups or more with a digit among them; [`ipv6_any`] takes the rest.
pub(super) fn ipv6(bytes: &[u8]) -> Verdict {
    let Some(address) = parse_ipv6(bytes) else { return Verdict::Invalid };
    if address.is_loopback() || address.is_unspecified() {
        return Verdict::Invalid;
    }
    let text = without_suffix(bytes);
    let groups = text.split(|&byte| byte == b':').filter(|group| !group.is_empty());
    let (mut count, mut wide) = (0, false);
    for group in groups {
        count += 1;
        wide |= group.len() >= 3;
    }
    let numbered = text.iter().any(u8::is_ascii_digit);
    if count >= 3 && numbered && wide || text.contains(&b'.') || count == 8 {
        Verdict::Unknown
    } else {
        Verdict::Invalid
    }
}

/// Any IPv6 address in any textual form of RFC 4291 and RFC 4007.
pub(super) fn ipv6_any(bytes: &[u8]) -> Verdict {
    parse_ipv6(bytes).map_or(Verdict::Invalid, |_| Verdict::Unknown)
}

/// A MAC address that may be a device's: not all ones and not all zeros, one kind of separator.
pub(super) fn mac(bytes: &[u8]) -> Verdict {
    let mut digits = [0u8; 12];
    let mut len = 0;
    let mut separator = None;
    for &byte in bytes {
        if byte.is_ascii_hexdigit() {
            let Some(place) = digits.get_mut(len) else { return Verdict::Invalid };
            *place = byte.to_ascii_lowercase();
            len += 1;
        } else if *separator.get_or_insert(byte) != byte {
            return Verdict::Invalid;
        }
    }
    let blank =
        digits.iter().all(|&digit| digit == b'f') || digits.iter().all(|&digit| digit == b'0');
    if len == 12 && !blank { Verdict::Unknown } else { Verdict::Invalid }
}

fn parse_ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    Ipv4Addr::from_str(str::from_utf8(without_suffix(bytes)).ok()?).ok()
}

fn parse_ipv6(bytes: &[u8]) -> Option<Ipv6Addr> {
    Ipv6Addr::from_str(str::from_utf8(without_suffix(bytes)).ok()?).ok()
}

/// The address without a zone and a prefix length.
fn without_suffix(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| matches!(byte, b'%' | b'/')).unwrap_or(bytes.len());
    &bytes[..end]
}

fn names_no_one(address: Ipv4Addr) -> bool {
    let [first, second, third, fourth] = address.octets();
    // Releases have small numbers: of random addresses three in ten thousand look so.
    let small = [second, third, fourth].iter().filter(|&&octet| octet < 10).count();
    let version =
        first < 10 && second.max(third).max(fourth) < 32 || first < 32 && first != 10 && small >= 2;
    version
        || first == 0
        || first == 127
        || (second, third, fourth) == (0, 0, 0)
        || (first == 255 && second == 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(validate: fn(&[u8]) -> Verdict, want: Verdict, cases: &[&str]) {
        for case in cases {
            assert_eq!(validate(case.as_bytes()), want, "{case}");
        }
    }

    #[test]
    fn ipv4_addresses() {
        all(
            ipv4,
            Verdict::Unknown,
            &["203.0.113.77", "10.0.0.1", "17.80.100.2", "192.168.1.0/24", "224.0.0.251"],
        );
        all(
            ipv4,
            Verdict::Invalid,
            &[
                "127.0.0.1",
                "0.0.0.0",
                "120.0.0.0",
                "3.6.11.1",
                "3.51.0.0",
                "12.0.0.61",
                "17.8.100.2",
                "27.6.1.4",
                "255.255.255.0",
                "256.1.1.1",
                "1.2.3",
                "01.2.3.4",
                "",
            ],
        );
        all(ipv4_any, Verdict::Unknown, &["127.0.0.1", "0.0.0.0", "255.255.255.255", "10.0.0.0/8"]);
        all(ipv4_any, Verdict::Invalid, &["256.256.256.256", "1.2.3.4.5", "1.2.3.", "a.b.c.d"]);
    }

    #[test]
    fn ipv6_addresses() {
        // RFC 4291 section 2.2, RFC 5952, RFC 6052 and RFC 4007.
        let plain = [
            "2001:DB8:0:0:8:800:200C:417A",
            "2001:DB8::8:800:200C:417A",
            "2001:db8:85a3::8a2e:370:7334",
            "FF01:0:0:0:0:0:0:101",
        ];
        all(ipv6, Verdict::Unknown, &plain);
        all(
            ipv6,
            Verdict::Unknown,
            &[
                "::FFFF:129.144.52.38",
                "64:ff9b::192.0.2.33",
                "fe80::1ff:fe23:4567:890a%eth2",
                "2001:db8:1::/48",
            ],
        );
        all(
            ipv6,
            Verdict::Invalid,
            &[
                "::",
                "::1",
                "dead::beef",
                "a::b",
                "fe80::1",
                "12:34:56",
                "1:2:3:4",
                "::ffff:300.0.0.1",
            ],
        );
        all(
            ipv6_any,
            Verdict::Unknown,
            &["::", "::1", "fe80::1%eth0", "0:0:0:0:0:0:0:1", "ff02::1"],
        );
        all(
            ipv6_any,
            Verdict::Invalid,
            &[":::", "1::2::3", "12345::1", "1:2:3:4:5:6:7", "g::1", ""],
        );
    }

    #[test]
    fn mac_addresses() {
        all(mac, Verdict::Unknown, &["3C:9F:A4:07:D1:62", "3c-9f-a4-07-d1-62", "3C9F.A407.D162"]);
        all(
            mac,
            Verdict::Invalid,
            &["FF:FF:FF:FF:FF:FF", "00:00:00:00:00:00", "3C:9F-A4:07:D1:62", "3C:9F:A4:07:D1", ""],
        );
    }
}
