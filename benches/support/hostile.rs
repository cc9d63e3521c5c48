//! Text made to hurt: every byte leads somewhere, and nowhere is anything.

use super::Random;

/// Names and texts of this length in bytes.
pub(crate) fn hostile(length: usize) -> Vec<(&'static str, String)> {
    let repeat = |unit: &str| unit.repeat(length.div_ceil(unit.len()));
    vec![
        ("digits", repeat("7")),
        ("at-signs", repeat("@")),
        // Sixteen digits that fail their check, with and without separators.
        ("near-cards", repeat("4242 4242 4242 4243 5555555555554445 3782-822463-10006 ")),
        // What vendors' tokens begin with, and one character too few after it.
        (
            "near-tokens",
            repeat(
                "ghp_16C7e42F292c6912E7710c838347Ae178B4 AKIAIOSFODNN7EXAMPL \
                 xoxb-26359 glpat-20xcharslongstring sk_live_4eC39HqLyjWDar npm_0123456789abcdef ",
            ),
        ),
        // What leads to rules, back to back: literals, keywords, context words.
        (
            "anchors",
            repeat(
                "sk- ghp_ AKIA xoxb- glpat- eyJ ://@-----BEGIN +44 api_key=token:password=secret:\
                 card ssn passport iban phone ",
            ),
        ),
        ("base64", base64(length)),
        ("long-token", long_token(length)),
    ]
}

/// What a picture looks like in a body.
fn base64(length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = Random(11);
    (0..length).map(|_| char::from(ALPHABET[random.below(64)])).collect()
}

/// One word of letters, digits, `_` and `-` from beginning to end.
fn long_token(length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let mut random = Random(13);
    (0..length).map(|_| char::from(ALPHABET[random.below(64)])).collect()
}
