//! E-mail addresses.

use crate::validator::Verdict;

/// An address whose last label may be a top-level domain, and that is not a file or a service
/// login.
///
/// A label of the root zone makes it `Valid`; an unknown one stays `Unknown`, because new ones
/// are delegated every year and companies run their own.
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
    if listed(FILES, label) {
        return Verdict::Invalid;
    }
    let country = listed(COUNTRIES, label);
    if country || label.starts_with("xn--") || listed(GENERIC, label) {
        Verdict::Valid
    } else {
        Verdict::Unknown
    }
}

fn listed(list: &str, label: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == label)
}

/// Endings of file names that follow an `@` in practice (`icon@2x.png`) and are no domains.
const FILES: &str = "avif bmp c class cpp css csv dll exe gif gz h html ico jar jpeg jpg js json jsx lock \
    map mp3 mp4 pdf png rb scss service svg tar tgz tif tiff toml ts tsx ttf txt wasm webp \
    woff woff2 xml yaml yml";

/// The generic domains that carry mail, most used first. Not the whole root zone.
const GENERIC: &str = "com net org edu gov mil int info biz name pro aero coop museum mobi jobs travel tel \
    asia cat post arpa app dev page cloud online site store shop tech xyz top club live \
    life world today email mail blog news agency company group team solutions services \
    systems software digital network media studio design space website global international \
    academy school university education institute foundation health care clinic hospital \
    doctor law legal finance financial bank insurance money capital fund ventures partners \
    consulting works work careers games game art photo photos video music film fashion \
    beauty food restaurant cafe bar hotel house homes realty estate build land city london \
    paris berlin nyc tokyo wien hamburg koeln bayern swiss amsterdam vlaanderen brussels \
    barcelona eus gal bzh corsica scot wales cymru quebec africa lat moscow istanbul sydney \
    melbourne engineering science energy green eco bio one zone center expert guru ninja \
    rocks social community chat link support help wiki plus run fit fun vip icu cyou buzz \
    google microsoft apple amazon example test invalid";

const COUNTRIES: &str = "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bv \
    bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo \
    fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp \
    ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv \
    mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc \
    sd se sg sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy \
    uz va vc ve vg vi vn vu wf ws ye yt za zm zw";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("marta.okafor@example.com", Verdict::Valid),
            ("a@xn--d1acufc.xn--p1ai", Verdict::Valid),
            ("jörg@mail.example.de", Verdict::Valid),
            ("ada%40example.org", Verdict::Valid),
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
