//! Telling a secret from a placeholder, a name or a piece of code.
//!
//! None of these can prove a secret, so none answers `Valid`, but for credentials that stand where
//! the URL syntax has them.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::validator::{Verdict, unknown_if};

/// The part of a token whose vendor prefix already says what it is: only placeholders drop out.
pub(super) fn token(bytes: &[u8]) -> Verdict {
    unknown_if(!is_placeholder(bytes) && entropy(bytes) >= 2.0)
}

/// A value assigned to something called a key, token or secret: random, not a name.
pub(super) fn secret(bytes: &[u8]) -> Verdict {
    let long_enough = bytes.len() >= 8;
    let floor = if bytes.len() >= 16 { 3.0 } else { 2.5 };
    let number = bytes
        .iter()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':' | b'T' | b'Z'));
    // The scope of a signature of AWS holds the id of the key, and what follows is no secret.
    let link = bytes.windows(3).any(|window| window == b"://")
        || bytes.starts_with(b"aws:secretsmanager:")
        || bytes.ends_with(b"/aws4_request");
    let digest = DIGESTS.iter().any(|name| {
        bytes
            .strip_prefix(name.as_bytes())
            .is_some_and(|rest| matches!(rest, [b'=' | b':' | b'-', ..]))
    });
    unknown_if(
        long_enough
            && !number
            && !link
            && !digest
            && !is_sequence(bytes)
            && !is_placeholder(bytes)
            && !is_name(bytes)
            && entropy(bytes) >= floor,
    )
}

/// What stands before a checksum: `sha256=…` in lists of files, `sha512-…` in lock files.
const DIGESTS: &[&str] = &["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake3"];

/// A secret of capitals, small letters and digits: what hashes, row keys and ids, of one case, are not.
pub(super) fn mixed_secret(bytes: &[u8]) -> Verdict {
    let has = |kind: fn(&u8) -> bool| bytes.iter().any(kind);
    if has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit) {
        secret(bytes)
    } else {
        Verdict::Invalid
    }
}

/// What follows `Authorization: Bearer` or `Basic`.
pub(super) fn bearer(bytes: &[u8]) -> Verdict {
    unknown_if(
        bytes.len() >= 12 && !is_placeholder(bytes) && !is_name(bytes) && entropy(bytes) >= 2.5,
    )
}

/// A value assigned to something called a password.
///
/// People choose these, so entropy says nothing: asked for are letters together with a digit or
/// a sign, which code, schemas and prose do not have in that place.
pub(super) fn password(bytes: &[u8]) -> Verdict {
    let letters = bytes.iter().any(u8::is_ascii_alphabetic) || !bytes.is_ascii();
    let digits = bytes.iter().any(u8::is_ascii_digit);
    let signs = bytes.iter().any(|byte| b"!@#$%^&*?+=~".contains(byte));
    // `!secret db`, `!Ref Parameter`: a tag of YAML.
    let tag = matches!(bytes, [b'!', rest @ ..] if rest.iter().all(|&byte| byte.is_ascii_alphabetic() || byte == b'-'));
    // A call, an index, a shell or template expansion, a regular expression, a path or URL, the name of
    // a place where secrets are kept.
    let code = tag
        || bytes.starts_with(b"vault:")
        || matches!(
            bytes.first(),
            Some(b'$' | b'%' | b'{' | b'(' | b'[' | b'<' | b'&' | b'*' | b'\\' | b'^')
        )
        || bytes.iter().any(|byte| b"()[]{}<>|".contains(byte))
        || bytes.windows(2).any(|pair| {
            matches!(pair, b"==" | b"!=" | b"&&" | b"->" | b"::" | b"=>" | b"//" | b":/" | b"$_")
        });
    unknown_if(
        bytes.len() >= 6
            && letters
            && (digits || signs)
            && !code
            && !is_placeholder(bytes)
            && !is_date(bytes)
            && !is_dotted_name(bytes),
    )
}

/// `user:password` as it stands in a URL.
///
/// `Valid`, so that it outweighs the e-mail address that `password@host` seems to be.
pub(super) fn url_credentials(bytes: &[u8]) -> Verdict {
    let mut parts = bytes.splitn(2, |&byte| byte == b':');
    let (user, password) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let expansion = |text: &[u8]| {
        matches!(text.first(), Some(b'$' | b'{' | b'%' | b'<' | b'*' | b'['))
            && !text.starts_with(b"%2")
            && !text.starts_with(b"%4")
    };
    let hollow = !password.is_empty()
        && password.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-' | b'_'));
    if password.is_empty()
        || expansion(user)
        || expansion(password)
        || hollow
        || has_expansion(password)
    {
        return Verdict::Invalid;
    }
    Verdict::Valid
}

/// Whether the text stands in for a secret: documentation, templates, masks, counting keys.
pub(super) fn is_placeholder(bytes: &[u8]) -> bool {
    if bytes.is_empty() || has_expansion(bytes) || bytes.starts_with(b"arn:aws") {
        return true;
    }
    let mut run = 1;
    for pair in bytes.windows(2) {
        run = if pair[0] == pair[1] { run + 1 } else { 1 };
        // Zeros, padding and joints repeat in real tokens too.
        let longest = match pair[0] {
            b'*' | b'x' | b'X' | b'.' | b'#' | b'?' => 3,
            b'A' | b'0' | b'=' => usize::MAX,
            _ if bytes.len() >= LONG => 15,
            _ => 7,
        };
        if run > longest {
            return true;
        }
    }
    bytes.len() < LONG && STAND_INS.is_match(bytes)
}

/// From this length on a token is more than the stand-in that a word in it would make of a short one:
/// people write `YOUR_API_KEY_HERE`, not a hundred characters of it.
const LONG: usize = 96;

/// Whether the text is the alphabet or some of it, or holds it twice or more, as the alphabets of encodings do:
/// `abcdefghijklmnop`, `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789`.
///
/// Shorter runs are no sign: people who make up a key for a test type `abcdef1234567890`.
fn is_sequence(bytes: &[u8]) -> bool {
    let (mut alphabets, mut run) = (0, 1);
    for pair in bytes.windows(2) {
        run = if pair[1] == pair[0].wrapping_add(1) { run + 1 } else { 1 };
        alphabets += usize::from(run == 26);
    }
    run == bytes.len() || alphabets >= 2
}

/// Whether the text is a time stamp: `2024-05-01T12:00:00Z`.
fn is_date(bytes: &[u8]) -> bool {
    bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Whether the text holds a variable of a shell, a template or a format string.
fn has_expansion(bytes: &[u8]) -> bool {
    bytes
        .windows(2)
        .any(|pair| matches!(pair, b"${" | b"{{" | b"$(" | b"%{" | b"%(" | b"#{" | b"<%" | b"}}"))
}

/// Whether every part between separators is a word or a small number: `text-embedding-3-small`,
/// `projects/demo/secrets/db`, `getUserById2`, `gpt-4o-2024-08-06`.
fn is_name(bytes: &[u8]) -> bool {
    bytes
        .split(|byte| matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b',' | b'@' | b'=' | b'+'))
        .all(|part| is_stump(part) || is_number(part) || is_word(part))
}

/// A date, a version, the number of an account.
fn is_number(part: &[u8]) -> bool {
    part.len() <= 14 && part.iter().all(u8::is_ascii_digit)
}

/// Eight characters or fewer that need no vowels to be a name: `v2`, `4o`, `nl80211`, `Mon`, `2024`.
fn is_stump(part: &[u8]) -> bool {
    let pairs = || part.windows(2);
    let turns = pairs().filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit());
    let humps = pairs().filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    part.len() <= 8 && turns.count() <= 1 && humps.count() <= part.len() / 5
}

/// Words joined by capitals, with few digits: `getUserById2`, `AmazonS3ReadOnlyAccess`, `Ed25519PrivateKey`.
///
/// Random text changes between letters and digits, and from small to capital letters, every two
/// or three characters; words go on for longer, and have vowels.
fn is_word(part: &[u8]) -> bool {
    let (first, last) =
        (part.iter().position(u8::is_ascii_digit), part.iter().rposition(u8::is_ascii_digit));
    let joined;
    let part = match (first, last) {
        // One number among letters: that of an algorithm, a standard or a version.
        (Some(first), Some(last))
            if last - first < 5 && part[first..last].iter().all(u8::is_ascii_digit) =>
        {
            joined = [&part[..first], &part[last + 1..]].concat();
            &joined
        }
        _ => part,
    };
    let kind = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    let breaks = |pair: &[u8]| {
        let ((digit, upper), (next_digit, next_upper)) = (kind(pair[0]), kind(pair[1]));
        digit != next_digit || (!upper && next_upper)
    };
    let (mut in_words, mut start) = (0, 0);
    for end in 1..=part.len() {
        if end == part.len() || breaks(&part[end - 1..=end]) {
            if end - start >= 3 && !part[start].is_ascii_digit() {
                in_words += end - start;
            }
            start = end;
        }
    }
    let letters = part.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let vowels = part.iter().filter(|byte| b"aeiouyAEIOUY".contains(byte)).count();
    let runs_of_digits = part
        .windows(2)
        .filter(|pair| pair[0].is_ascii_digit() && !pair[1].is_ascii_digit())
        .count();
    // Chance makes short runs of long segments now and then; long ones it does not.
    let share = match part.len() {
        _ if letters == part.len() => 7,
        ..24 => 9,
        _ => 8,
    };
    runs_of_digits <= 2
        && in_words * 10 >= part.len() * share
        && vowels * 5 >= letters
        && sounds_like_words(part)
}

/// Whether at most one in six pairs of letters is one that words hardly have.
///
/// Of random letters more than half are. Where a small letter meets a capital another word begins.
fn sounds_like_words(part: &[u8]) -> bool {
    let (mut pairs, mut odd) = (0, 0);
    for pair in part.windows(2) {
        let joint = pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
        if !joint && pair.iter().all(u8::is_ascii_alphabetic) {
            let first = usize::from(pair[0].to_ascii_lowercase() - b'a');
            pairs += 1;
            odd += usize::from(!FOLLOWERS[first].contains(&pair[1].to_ascii_lowercase()));
        }
    }
    odd * 6 <= pairs
}

/// What follows each letter of the alphabet in words: the pairs that make up 98.5 % of those in English
/// documentation and source, 386 of 676.
const FOLLOWERS: [&[u8]; 26] = [
    b"abcdefghiklmnprstuvwxyz",  // a
    b"abcdefgijlmnoprstuy",      // b
    b"abcdefhiklmoprstuy",       // c
    b"abcdefgilmnoprstuy",       // d
    b"abcdefghiklmnopqrstuvwxy", // e
    b"acdefilorstuy",            // f
    b"aceghilmnorstu",           // g
    b"adeilmnorstuy",            // h
    b"abcdefgklmnoprstvxz",      // i
    b"aeou",                     // j
    b"adegilnostu",              // k
    b"abcdefgiklmnopstuvy",      // l
    b"abdeilmnopstuy",           // m
    b"abcdefghiklmnoprstuvy",    // n
    b"abcdefgijklmnoprstuvwxy",  // o
    b"acdeghikloprstuy",         // p
    b"lu",                       // q
    b"abcdefgiklmnoprstuvwy",    // r
    b"acdefghiklmnopqrstuvwy",   // s
    b"abcdefhilmnoprstuwxy",     // t
    b"abcdefgilmnoprstx",        // u
    b"aeio",                     // v
    b"aehilnors",                // w
    b"aceimpst",                 // x
    b"aeilmnopst",               // y
    b"aeio",                     // z
];

/// Whether the text is a path of identifiers, as in `config.db.password2`.
fn is_dotted_name(bytes: &[u8]) -> bool {
    let dotted = bytes.contains(&b'.') || bytes.contains(&b'_');
    let plain = bytes
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'\''));
    dotted && plain && is_name(bytes)
}

/// Shannon entropy in bits a byte.
pub(crate) fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0u32; 256];
    for &byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    let total = bytes.len() as f32;
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| {
            let share = count as f32 / total;
            -share * share.log2()
        })
        .sum()
}

static STAND_INS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(WORDS)
        .expect("a few short words")
});

/// Words that only a stand-in contains, and texts that look random and are known to everyone.
const WORDS: &[&str] = &[
    "changeme",
    "change_me",
    "change-me",
    "placeholder",
    "redacted",
    "dummy",
    "foobar",
    "your-",
    "your_",
    "yourkey",
    "yourapi",
    "yourtoken",
    "yoursecret",
    "yourpass",
    "my-secret",
    "my_secret",
    "mysecret",
    "insert",
    "replace",
    "_here",
    "-here",
    "keyhere",
    "tokenhere",
    "process.env",
    "os.environ",
    "getenv",
    "example",
    "undefined",
    // The one key that the emulator of Azure Storage takes, printed in its manual.
    "eby8vdm02xnocqflquwjpllmetlcdxj1ouzft50usrz6ifsufq2u",
    // What hash functions make of nothing: MD5, SHA-1, SHA-256.
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validator::all;

    #[test]
    fn tokens() {
        all(
            token,
            Verdict::Unknown,
            &["sk_live_4eC39HqLyjWDarjtT1zdp7dc", "AIzaSyD3mQ8rT1vX5zB7nK2wJ4hL6pY9cF0gS1e"],
        );
        all(
            token,
            Verdict::Invalid,
            &[
                "sk-xxxxxxxxxxxxxxxxxxxx",
                "ghp_****************",
                "AKIAIOSFODNN7EXAMPLE",
                "sk-your-key-here",
                "${TOKEN}",
                "aaaaaaaaaaaaaaaa",
                "",
            ],
        );
    }

    #[test]
    fn secrets() {
        all(
            secret,
            Verdict::Unknown,
            &[
                "9f86d081884c7d659a2feaa0c55ad015",
                "bajut86j2iohxbdxq0vtzs7cojpkph",
                "QYxehTEEqlGaOPZG5bPERVcIPoXFQMiP",
                "hLYZhktGKKgJFADIWaUdpBip7Wap50wp",
                "rLaFKWAKdivBOAeBpJHx",
                "Zm9vYmFy8Kq2LmX0",
                "hT7!kQ2z9w",
                "3b241101-e2bb-4255-8caf-4136c566a962",
            ],
        );
        all(
            secret,
            Verdict::Invalid,
            &[
                "text-embedding-3-small",
                "gpt-4o-mini-2024-07-18",
                "policy/AmazonS3FilesClientReadOnlyAccess",
                "copy_x509_privkey2",
                "/properties/NoDataSourceId",
                "nl80211_pattern_support",
                "getUserRecord2",
                "projects/demo/secrets/database",
                "20260301120000",
                "https://x.test/a1b2c3d4",
                "short1",
                "aaaaaaaabbbbbbbb",
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf",
                "Ctrl+Shift+P",
                "ed25519.Ed25519PrivateKey",
                "mlkem.MLKEM768PublicKey",
                "PKCS12Certificate",
                "fsOptionsOcfs2ResvLevel",
                "sha256=wimngw9tcWGDMIVYAcVGCS7HtwFY_Fn2qz864jizZMc",
                "abcdefghijklmnopqrstuvwxyz",
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "AKIDEXAMPLF/20150830/us-east-1/iam/aws4_request",
                "",
            ],
        );
        all(mixed_secret, Verdict::Unknown, &["Zm9vYmFy8Kq2LmX0"]);
        all(
            mixed_secret,
            Verdict::Invalid,
            &["9f86d081884c7d659a2feaa0c55ad015", "getUserRecord2"],
        );
    }

    #[test]
    fn passwords() {
        all(
            password,
            Verdict::Unknown,
            &["hunter2", "S3cr3t!Pass", "p@ssword", "Größe99", "correct-horse-9"],
        );
        all(
            password,
            Verdict::Invalid,
            &[
                "string",
                "password",
                "config.password",
                "getPassword()",
                "${DB_PASS}",
                "%s",
                "os.environ",
                "req.body.pass1",
                "********",
                "changeme1",
                "a1",
                "user->pass1",
                "!vault-encrypted",
                "ssm:/prod/db/pass2",
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-1",
                "vault:secret/data/prod#pass1",
                "2024-05-01T12:00:00Z",
                "",
            ],
        );
    }

    #[test]
    fn credentials_in_urls() {
        all(
            url_credentials,
            Verdict::Valid,
            &["admin:hunter2", "u:p", "svc:pa%40ss", ":token123", "a:%24x"],
        );
        all(
            url_credentials,
            Verdict::Invalid,
            &[
                "user",
                "user:",
                "user:***",
                "${USER}:x",
                "user:$PASS",
                "user:<password>",
                "u:{{ pass }}",
                "user:xxxx",
                "",
            ],
        );
    }

    #[test]
    fn bearers() {
        all(bearer, Verdict::Unknown, &["9f86d081884c7d659a2feaa0", "mF_9.B5f-4.1JqM"]);
        all(
            bearer,
            Verdict::Invalid,
            &["authentication", "access_token", "YOUR_API_KEY_HERE", "token", ""],
        );
    }

    #[test]
    fn entropy_of_known_distributions() {
        assert_eq!(entropy(b""), 0.0);
        assert_eq!(entropy(b"aaaa"), 0.0);
        assert_eq!(entropy(b"aabb"), 1.0);
        assert_eq!(entropy(b"0123456789abcdef"), 4.0);
    }
}
