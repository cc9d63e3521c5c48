use std::fmt::Write as _;

use proptest::prelude::*;

use crate::{Pack, RuleSet, ScanOptions, Scanner};

/// Findings of the standard rules, as `ENTITY text`.
fn found(text: &str) -> Vec<String> {
    let rules = RuleSet::standard();
    let options = ScanOptions::default();
    let fast = Scanner::new(&rules).scan(text.as_bytes(), &options);
    assert_eq!(fast, crate::naive::scan(&rules, text.as_bytes(), &options), "{text}");
    fast.iter()
        .map(|finding| {
            format!("{} {}", rules.rule(finding.rule).entity(), &text[finding.span.range()])
        })
        .collect()
}

/// Texts in which `[[` and `]]` mark the one finding.
const DRESSED: &[(&str, &str)] = &[
    // Digits and letters of other scripts.
    ("CREDIT_CARD", "card [[４１１１１１１１１１１１１１１１]] ok"),
    ("CREDIT_CARD", "カード番号は[[４１１１　１１１１　１１１１　１１１１]]です"),
    ("CREDIT_CARD", "رقم البطاقة [[٤١١١١١١١١١١١١١١١]] شكرا"),
    ("CREDIT_CARD", "[[۴۱۱۱-۱۱۱۱-۱۱۱۱-۱۱۱۱]]"),
    ("CREDIT_CARD", "[[४१११११११११११११११]]"),
    ("CREDIT_CARD", "[[𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏]]"),
    ("CREDIT_CARD", "[[④①①①①①①①①①①①①①①①]]"),
    ("CREDIT_CARD", "card [[4111\u{2011}1111\u{2011}1111\u{2011}1111]]"),
    ("CREDIT_CARD", "card [[4111\u{2003}1111\u{2003}1111\u{2003}1111]]"),
    ("EMAIL_ADDRESS", "an: [[ｍａｒｔａ＠ｅｘａｍｐｌｅ．ｃｏｍ]]"),
    ("EMAIL_ADDRESS", "[[marta＠example.com]]"),
    ("EMAIL_ADDRESS", "联系[[marta@example。com]]"),
    ("EMAIL_ADDRESS", "[[𝗺𝗮𝗿𝘁𝗮@𝗲𝘅𝗮𝗺𝗽𝗹𝗲.𝗰𝗼𝗺]]"),
    ("US_SSN", "SSN [[５３６－９０－４３９９]]"),
    ("IBAN_CODE", "[[ＤＥ８９３７０４００４４０５３２０１３０００]]"),
    // Invisible characters.
    ("CREDIT_CARD", "card [[4111\u{200B}1111\u{200B}1111\u{200B}1111]]"),
    (
        "CREDIT_CARD",
        "[[4\u{200D}1\u{2060}1\u{FEFF}1\u{AD}1\u{34F}1\u{61C}1\u{180E}1\u{FE0F}1\u{E0041}1\u{200E}1\u{200F}1\u{2063}1\u{200C}1\u{200B}\u{200B}1\u{200B}1]]",
    ),
    ("EMAIL_ADDRESS", "mail [[mar\u{200B}ta@exam\u{AD}ple.com]]"),
    ("US_SSN", "s\u{200B}sn [[536904399]] there"),
    // Percent-encoding, entities, backslashes.
    ("EMAIL_ADDRESS", "GET /u?mail=[[marta%2Bnews%40example%2Ecom]]&x=1"),
    ("EMAIL_ADDRESS", "[[%6D%61%72%74%61%40%65%78%61%6D%70%6C%65%2E%63%6F%6D]]"),
    ("EMAIL_ADDRESS", "q=[[marta%2540example.com]]"),
    ("CREDIT_CARD", "card=[[4111+1111+1111+1111]]&cvv="),
    ("CREDIT_CARD", "a=b&card=[[4111%201111%201111%201111]]"),
    ("EMAIL_ADDRESS", "<a>[[marta&#64;example&#x2e;com]]</a>"),
    ("EMAIL_ADDRESS", "[[marta&commat;example&period;com]]"),
    ("EMAIL_ADDRESS", "[[&#109;&#97;&#114;&#116;&#97;&#64;example.com]]"),
    ("EMAIL_ADDRESS", "[[marta&amp;#64;example.com]]"),
    ("CREDIT_CARD", "card [[4111&nbsp;1111&nbsp;1111&nbsp;1111]]"),
    ("CREDIT_CARD", "card [[4111&hyphen;1111&hyphen;1111&hyphen;1111]]"),
    ("EMAIL_ADDRESS", "\"[[marta\\u0040example.com]]\""),
    ("EMAIL_ADDRESS", "\"[[marta\\x40example.com]]\""),
    ("CREDIT_CARD", "numbers:\\n[[4111111111111111]]\\n"),
    ("CREDIT_CARD", "numbers:\\t[[4111 1111 1111 1111]]\\tok"),
    ("CREDIT_CARD", "numbers:\\\\n[[4111111111111111]]\\\\n"),
    ("EMAIL_ADDRESS", "to:\\n[[marta@example.com]]\\nbye"),
    ("EMAIL_ADDRESS", "\\u003c[[marta@example.com]]\\u003e"),
    ("CREDIT_CARD", "[[\\uff14\\u003111111111111111]]"),
    // Spelt out and set apart.
    ("EMAIL_ADDRESS", "[[marta dot okafor at example dot com]]"),
    ("CREDIT_CARD", "[[4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1]]"),
    ("CREDIT_CARD", "[[４ １ １ １ １ １ １ １ １ １ １ １ １ １ １ １]]"),
    ("IBAN_CODE", "[[D E 8 9 3 7 0 4 0 0 4 4 0 5 3 2 0 1 3 0 0 0]]"),
    ("US_SSN", "my ssn: [[5 3 6 9 0 4 3 9 9]]"),
];

fn unmark(marked: &str) -> (String, &str) {
    let (before, rest) = marked.split_once("[[").unwrap();
    let (value, after) = rest.split_once("]]").unwrap();
    (format!("{before}{value}{after}"), value)
}

#[test]
fn dressed_values_are_found_whole() {
    let mut wrong = String::new();
    for (entity, marked) in DRESSED {
        let (text, value) = unmark(marked);
        let found = found(&text);
        if found != [format!("{entity} {value}")] {
            writeln!(wrong, "{marked}\n  {found:?}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn letters_of_a_dress_are_no_finding_where_something_else_stands() {
    let pack = "pack = 't'\n\
        [[rule]]\nid = 't.code'\nentity = 'CODE'\ncategory = 'pii'\n\
        pattern = 'pin (?P<value>[0-9]{6})'\nscore = 0.5\n\
        [[rule]]\nid = 't.long'\nentity = 'LONG'\ncategory = 'secret'\n\
        pattern = 'pin (?P<value>[!-~]{10,99})'\nscore = 0.9\n";
    let rules = RuleSet::builder().pack(Pack::from_toml("t", pack).unwrap()).build().unwrap();
    let found = |text: &str, options: &ScanOptions<'_>| -> Vec<String> {
        let found = Scanner::new(&rules).scan(text.as_bytes(), options);
        assert_eq!(found, crate::naive::scan(&rules, text.as_bytes(), options));
        found
            .iter()
            .map(|finding| {
                format!("{} {}", rules.rule(finding.rule).entity(), &text[finding.span.range()])
            })
            .collect()
    };
    let all = ScanOptions::default();
    for (text, want) in [
        ("pin %34%30%37%31%38%32", "CODE %34%30%37%31%38%32"),
        ("pin %2534%2530%2537182", "CODE %2534%2530%2537182"),
        ("pin 40%37182 or not", "CODE 40%37182"),
        // It is long without the dress, too; or nothing else is there; or nothing covers it.
        ("pin %34%30%37%31%38%32abcd", "LONG %34%30%37%31%38%32abcd"),
        ("pin %41%42%43%44", "LONG %41%42%43%44"),
        ("pin 40718%32+abc%20", "LONG 40718%32+abc%20"),
    ] {
        assert_eq!(found(text, &all), [want]);
    }
    // Nor is it lost to what is not asked for.
    let long = ["LONG".parse().unwrap()];
    let text = "pin %34%30%37%31%38%32";
    let only = ScanOptions { entities: Some(&long), ..all };
    assert_eq!(found(text, &only), ["LONG %34%30%37%31%38%32"]);
    let sure = ScanOptions { min_score: 0.8, ..all };
    assert_eq!(found(text, &sure), ["LONG %34%30%37%31%38%32"]);
}

type Dress = fn(&str) -> String;

/// Disguises that take any text.
const DRESSES: &[(&str, Dress)] = &[
    ("percent", |text| each(text, |byte| format!("%{byte:02X}"))),
    ("percent twice", |text| each(text, |byte| format!("%25{byte:02x}"))),
    ("decimal entities", |text| each_char(text, |c| format!("&#{};", u32::from(c)))),
    ("hexadecimal entities", |text| each_char(text, |c| format!("&#x{:x};", u32::from(c)))),
    ("escapes", |text| {
        each_char(text, |c| {
            c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        })
    }),
    ("braced escapes", |text| each_char(text, |c| format!("\\u{{{:x}}}", u32::from(c)))),
    ("byte escapes", |text| each(text, |byte| format!("\\x{byte:02x}"))),
    ("full width", |text| {
        each_char(text, |c| match c {
            '!'..='~' => char::from_u32(u32::from(c) + 0xFEE0).unwrap().to_string(),
            ' ' => "\u{3000}".to_owned(),
            _ => c.to_string(),
        })
    }),
    ("invisible", |text| {
        let mut chars = text.chars();
        let first = chars.next().into_iter().map(String::from);
        first.chain(chars.map(|c| format!("\u{200B}{c}"))).collect()
    }),
    ("tags", |text| {
        let mut chars = text.chars();
        let first = chars.next().into_iter().map(String::from);
        first.chain(chars.map(|c| format!("\u{E0061}\u{FE0F}{c}"))).collect()
    }),
    ("full width in percent", |text| {
        each_char(text, |c| {
            let wide = match c {
                '!'..='~' => char::from_u32(u32::from(c) + 0xFEE0).unwrap(),
                _ => c,
            };
            each(&wide.to_string(), |byte| format!("%{byte:02X}"))
        })
    }),
];

fn each(text: &str, write: fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

fn each_char(text: &str, write: fn(char) -> String) -> String {
    text.chars().map(write).collect()
}

/// Every example of every standard rule that a scan finds: what stands before, the value, what stands after,
/// and the entity.
fn examples() -> Vec<(String, String, String, String)> {
    let rules = RuleSet::standard();
    let mut scanner = Scanner::new(&rules);
    let mut examples = Vec::new();
    for rule in rules.rules() {
        for example in &rule.syntax().examples {
            let (before, rest) = example.split_once("[[").unwrap();
            let (value, after) = rest.split_once("]]").unwrap();
            if after.contains("[[") {
                continue;
            }
            let text = format!("{before}{value}{after}");
            let found = scanner.scan(text.as_bytes(), &ScanOptions::default());
            let whole = before.len()..before.len() + value.len();
            if found
                .iter()
                .any(|f| f.span.range() == whole && rules.rule(f.rule).entity() == rule.entity())
            {
                let entity = rule.entity().to_string();
                examples.push((before.to_owned(), value.to_owned(), after.to_owned(), entity));
            }
        }
    }
    assert!(examples.len() > 200);
    examples
}

#[test]
fn every_example_is_found_in_every_dress() {
    let rules = RuleSet::standard();
    let mut scanner = Scanner::new(&rules);
    let mut wrong = String::new();
    let mut all = 0;
    let mut missed = 0;
    for (before, value, after, entity) in examples() {
        for (name, dress) in DRESSES {
            let dressed = dress(&value);
            let text = format!("{before}{dressed}{after}");
            let (start, end) = (before.len(), before.len() + dressed.len());
            let found = scanner.scan(text.as_bytes(), &ScanOptions::default());
            // What the neighbours add to a finding does no harm.
            let covered: usize = found
                .iter()
                .map(|f| f.span.end.min(end).saturating_sub(f.span.start.max(start)))
                .sum();
            let named = found.iter().any(|f| {
                rules.rule(f.rule).entity().as_str() == entity
                    && f.span.start < end
                    && f.span.end > start
            });
            all += 1;
            if covered < dressed.len() || !named {
                missed += 1;
                writeln!(
                    wrong,
                    "{name}: {entity}: {before:?} {value:?} {covered} of {}",
                    dressed.len()
                )
                .unwrap();
            }
        }
    }
    assert!(missed == 0, "{missed} of {all}:\n{wrong}");
}

/// Base64 of the bytes; `alphabet` gives the last two letters.
fn base64(bytes: &[u8], alphabet: &[u8; 2], padded: bool) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |value: u32| {
        let value = value as usize & 63;
        char::from(if value < 62 { letters[value] } else { alphabet[value - 62] })
    };
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        (0..=chunk.len()).for_each(|at| text.push(letter(bits >> (18 - 6 * at))));
        if padded {
            text.push_str(&"=="[..3 - chunk.len()]);
        }
    }
    text
}

fn wrapped(text: &str, width: usize, newline: &str) -> String {
    let lines = text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap());
    lines.collect::<Vec<_>>().join(newline)
}

type Encode = fn(&str) -> String;

const ENCODINGS: &[(&str, Encode)] = &[
    ("base64", |text| base64(text.as_bytes(), b"+/", true)),
    ("bare base64", |text| base64(text.as_bytes(), b"+/", false)),
    ("url-safe base64", |text| base64(text.as_bytes(), b"-_", true)),
    ("bare url-safe base64", |text| base64(text.as_bytes(), b"-_", false)),
    ("wrapped base64", |text| wrapped(&base64(text.as_bytes(), b"+/", true), 64, "\n")),
    ("base64 in a string", |text| wrapped(&base64(text.as_bytes(), b"+/", true), 76, "\\n")),
    ("base64 of base64", |text| {
        base64(base64(text.as_bytes(), b"+/", true).as_bytes(), b"+/", true)
    }),
    ("base64 in percent", |text| {
        base64(text.as_bytes(), b"+/", true)
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D")
    }),
    ("percent in base64", |text| {
        base64(each(text, |byte| format!("%{byte:02x}")).as_bytes(), b"+/", true)
    }),
    ("hexadecimal", |text| each(text, |byte| format!("{byte:02x}"))),
    ("upper hexadecimal", |text| each(text, |byte| format!("{byte:02X}"))),
];

#[test]
fn sure_secrets_are_found_in_every_encoding() {
    let rules = RuleSet::standard();
    let mut scanner = Scanner::new(&rules);
    let mut wrong = String::new();
    let (mut all, mut missed) = (0, 0);
    for (before, value, after, entity) in examples() {
        let plain = format!("{before}{value}{after}");
        let sure = scanner.scan(plain.as_bytes(), &ScanOptions::default()).iter().any(|f| {
            let rule = rules.rule(f.rule);
            let least = if rule.category() == crate::Category::Secret { 0.8 } else { 0.9 };
            rule.entity().as_str() == entity && f.score >= least
        });
        if !sure || plain.len() < 18 || !plain.is_ascii() {
            continue;
        }
        for (name, encode) in ENCODINGS {
            let encoded = encode(&plain);
            let text = format!("{{\"data\": \"{encoded}\"}}");
            let found = scanner.scan(text.as_bytes(), &ScanOptions::default());
            let named = found.iter().any(|f| {
                rules.rule(f.rule).entity().as_str() == entity
                    && f.span.start >= 10
                    && f.span.end <= 10 + encoded.len()
            });
            all += 1;
            if !named {
                missed += 1;
                writeln!(wrong, "{name}: {entity}: {plain:?} {text:?} {found:?}").unwrap();
            }
        }
    }
    assert!(all > 1000 && missed == 0, "{missed} of {all}:\n{wrong}");
}

/// Texts in which nothing is to be found, dressed or not.
const ORDINARY: &[&str] = &[
    "look at example dot com, then look (at) this [at] once",
    "printf(\"%d%% of %s\\n\", 4111, name); // 100%41",
    "C:\\new\\table\\users\\nadia C:\\temp\\notes.txt",
    "a && b &amp;&amp; c &lt;b&gt; &copy; 2024 &mdash; x",
    "价格是１２３４５元，日期２０２４年１月２日，电话见官网。",
    "٣ كتب و ٤ أقلام في ١٩٩٩",
    "the 4 1 2 3 1 2 3 4 of it; 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
    "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= integrity",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNlY3RldHVyIGFkaXBpc2NpbmcgZWxpdA==",
    "<EMAIL_ADDRESS_1> &lt;EMAIL_ADDRESS_1&gt; %3CEMAIL_ADDRESS_1%3E \\u003cCREDIT_CARD_2\\u003e",
    "************1111 &#42;&#42;&#42;&#42;1111 %2A%2A%2A%2A1111",
    "q=%E4%B8%AD%E6%96%87&page=2&sort=a+b+c",
];

#[test]
fn nothing_is_found_in_ordinary_text() {
    for text in ORDINARY {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn encoded_findings_cover_what_they_must() {
    let key = "AKIAQYLPMN5HNXAB2CDE";
    let all = base64(format!("id {key}").as_bytes(), b"+/", true);
    assert_eq!(found(&format!("auth: {all};")), [format!("AWS_ACCESS_KEY {all}")]);
    let long = format!("{} {key} {}", "some words before".repeat(4), "and some more".repeat(4));
    let part = base64(long.as_bytes(), b"+/", true);
    let found = found(&part);
    assert_eq!(found.len(), 1);
    let covered = found[0].strip_prefix("AWS_ACCESS_KEY ").unwrap();
    assert!(covered.len().is_multiple_of(4) && covered.len() <= 4 * (key.len() / 3 + 2));
    assert_eq!(part.find(covered).unwrap() % 4, 0);
}

#[test]
fn the_inside_of_pictures_holds_no_keys() {
    let mut state = 7u64;
    let mut noise = |len: usize| -> String {
        let bytes = (0..len).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        });
        base64(&bytes.collect::<Vec<_>>(), b"+/", false)
    };
    // A rule that would look inside.
    let pack = "pack = 't'\n[[rule]]\nid = 't.t'\nentity = 'KEY'\ncategory = 'secret'\n\
                pattern = 'AIza[0-9A-Za-z_-]{35}'\nscore = 0.9\n";
    let rules = RuleSet::builder().pack(Pack::from_toml("t", pack).unwrap()).build().unwrap();
    let found = |text: &str| -> Vec<String> {
        let found = Scanner::new(&rules).scan(text.as_bytes(), &ScanOptions::default());
        assert_eq!(found, crate::naive::scan(&rules, text.as_bytes(), &ScanOptions::default()));
        found.iter().map(|finding| text[finding.span.range()].to_owned()).collect()
    };
    let key = "AIzaSyB7Q2mX9kLpR4tVw8YzA1cDeF5gHjK6nMs";
    assert_eq!(found(&format!("key={key}")), [key]);
    let (before, after) = (noise(600), noise(600));
    assert!(found(&format!("data:image/png;base64,{before}{key}{after}")).is_empty());
    // No hiding place: with an edge of its token, or words around it, it is a key again.
    for text in [
        format!("{key}{after}"),
        format!("{before} {key} {after}"),
        format!("{before}\"{key}\"{after}"),
        format!("{0}{key}{0}", "path/to/".repeat(50)),
    ] {
        assert!(found(&text).iter().any(|found| found.contains(key)), "{text}");
    }
}

#[test]
fn a_field_speaks_for_views_at_its_beginning() {
    let rules = RuleSet::standard();
    let options = ScanOptions { field: Some("user.ssn"), ..ScanOptions::default() };
    let text = "５３６９０４３９９";
    let found = Scanner::new(&rules).scan(text.as_bytes(), &options);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].span.range(), 0..text.len());
    assert_eq!(found, crate::naive::scan(&rules, text.as_bytes(), &options));
    assert!(Scanner::new(&rules).scan(text.as_bytes(), &ScanOptions::default()).is_empty());
}

#[test]
fn entities_choose_in_views_too() {
    let rules = RuleSet::standard();
    let entities = ["CREDIT_CARD".parse().unwrap()];
    let options = ScanOptions { entities: Some(&entities), ..ScanOptions::default() };
    let text = "marta%40example.com, ４１１１１１１１１１１１１１１１";
    let found = Scanner::new(&rules).scan(text.as_bytes(), &options);
    assert_eq!(found.len(), 1);
    assert_eq!(found, crate::naive::scan(&rules, text.as_bytes(), &options));
}

/// Text that is nothing but dress, or nearly dress.
fn hostile(bytes: usize) -> Vec<(&'static str, String)> {
    let repeat = |unit: &str| unit.repeat(bytes / unit.len());
    let coded = base64(&repeat("some text 4111 ").into_bytes()[..bytes / 4 * 3], b"+/", true);
    vec![
        ("percent", repeat("%")),
        ("percent encoded", repeat("%41")),
        ("percent of percent", repeat("%25")),
        ("percent far apart", repeat(&format!("%41{}", " ".repeat(600)))),
        ("percent far apart in tokens", repeat(&format!("%41{}", "x".repeat(600)))),
        ("ampersands", repeat("&")),
        ("entities cut short", repeat("&#")),
        ("entities", repeat("&#64;")),
        ("long entities", repeat("&#0000000064;")),
        ("form fields", repeat("&a=+")),
        ("plus signs", repeat("a=+%41+")),
        ("backslashes", repeat("\\")),
        ("newlines", repeat("\\n4")),
        ("escapes", repeat("\\u0034")),
        ("zero width", repeat("\u{200B}")),
        ("zero width between digits", repeat("4\u{200B}")),
        ("wide digits", repeat("４")),
        ("wide cards", repeat("４１１１１１１１１１１１１１１１ ")),
        ("enclosed", repeat("①")),
        ("Thai", repeat("ก")),
        ("base64 letters", repeat("A")),
        ("base64 of text", coded.clone()),
        ("lines of base64 of text", wrapped(&coded, 76, "\n")),
        ("short runs", repeat("c29tZSB0ZXh0IDQxMTEgc29t ")),
        ("runs of signs", repeat("/")),
        ("hexadecimal", repeat("34313131")),
        ("digits set apart", repeat("4 1 ")),
        ("at and dot", repeat("a at b dot ")),
        ("dotted names", repeat("a dot ")),
    ]
}

#[test]
fn hostile_text_costs_views_a_bounded_multiple() {
    let rules = RuleSet::standard();
    let mut scanner = Scanner::new(&rules);
    for (name, text) in hostile(1 << 13) {
        let _ = scanner.scan(text.as_bytes(), &ScanOptions::default());
        let per_byte = scanner.steps() as f64 / text.len() as f64;
        assert!(per_byte < 300.0, "{name}: {per_byte} steps a byte");
    }
}

#[test]
fn hostile_text_is_viewed_alike() {
    for (name, text) in hostile(1500) {
        let text = format!("{text} marta%40example.com ４１１１１１１１１１１１１１１１");
        let rules = RuleSet::standard();
        let fast = Scanner::new(&rules).scan(text.as_bytes(), &ScanOptions::default());
        assert!(
            fast == crate::naive::scan(&rules, text.as_bytes(), &ScanOptions::default()),
            "{name}"
        );
    }
}

/// Examples and hostile pieces, dressed and not, one after the other.
fn mixture() -> impl Strategy<Value = String> {
    let examples = std::sync::LazyLock::new(examples);
    let examples: Vec<(String, String)> = examples
        .iter()
        .map(|(before, value, after, _)| (format!("{before}{value}{after}"), value.clone()))
        .collect();
    let pieces = prop::sample::select(vec![
        "%",
        "%4",
        "%40",
        "&#",
        "&#64;",
        "&amp;",
        "\\",
        "\\n",
        "\\u00",
        "\\u0040",
        "\u{200B}",
        "４",
        "＠",
        "٤",
        "①",
        "\u{2011}",
        "=",
        "+",
        "&a=",
        " ",
        "\n",
        "4",
        "é",
        "中",
        "c29tZSB0ZXh0IDQxMTEgc29t",
        "@example.com",
    ]);
    let dressed = (prop::sample::select(examples), 0..DRESSES.len(), 0..ENCODINGS.len(), 0..4u8);
    let part = prop_oneof![
        2 => pieces.prop_map(str::to_owned),
        1 => dressed.prop_map(|((text, value), dress, encode, how)| match how {
            0 => DRESSES[dress].1(&text),
            1 => text.replace(&value, &DRESSES[dress].1(&value)),
            2 => ENCODINGS[encode].1(&text),
            _ => text,
        }),
    ];
    prop::collection::vec(part, 1..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn views_change_nothing_between_the_engines(
        text in mixture(),
        raw in prop::collection::vec(any::<u8>(), 0..3),
        at in any::<prop::sample::Index>(),
        min_score in prop::sample::select(vec![0.0, 0.5]),
    ) {
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len() + 1);
        bytes.splice(at..at, raw);
        let rules = RuleSet::standard();
        let options = ScanOptions { min_score, ..ScanOptions::default() };
        let fast = Scanner::new(&rules).scan(&bytes, &options);
        prop_assert_eq!(&fast, &crate::naive::scan(&rules, &bytes, &options));
        let ends = fast.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start);
        prop_assert!(ends && fast.iter().all(|f| !f.span.is_empty() && f.span.end <= bytes.len()));
    }

    #[test]
    fn spans_of_views_keep_characters_whole(text in mixture()) {
        let found = Scanner::new(&RuleSet::standard()).scan(text.as_bytes(), &ScanOptions::default());
        for finding in found {
            prop_assert!(text.get(finding.span.range()).is_some(), "{:?}", finding);
        }
    }

    #[test]
    fn text_without_dress_has_no_views(text in "[ -$'-\\[\\]-~]{0,300}") {
        let rules = RuleSet::standard();
        let mut scanner = Scanner::new(&rules);
        prop_assert!(super::Windows::default().find(text.as_bytes()).is_empty());
        let _ = scanner.scan(text.as_bytes(), &ScanOptions::default());
    }

    #[test]
    fn replaced_findings_are_not_found_again(text in mixture()) {
        let rules = RuleSet::standard();
        let mut scanner = Scanner::new(&rules);
        let found = scanner.scan(text.as_bytes(), &ScanOptions::default());
        let mut redacted = text.clone();
        for finding in found.iter().rev() {
            redacted.replace_range(finding.span.range(), &format!("<{}_1>", rules.rule(finding.rule).entity()));
        }
        for finding in scanner.scan(redacted.as_bytes(), &ScanOptions::default()) {
            // What was left between may be joined to something new, but no placeholder is.
            let span = &redacted[finding.span.range()];
            prop_assert!(!span.contains("_1>"), "{:?} {:?}", span, redacted);
        }
    }
}
