//! What accounts with rules of their own cost over the one compiled standard set.

use std::fmt::Write as _;

use oubliette_detect::{Pack, RuleSet, ScanOptions, Scanner};

/// Optimised, all that is promised is built; a debug build takes ten times as long for each, and a tenth of the
/// accounts says the same.
const ACCOUNTS: usize = if cfg!(debug_assertions) { 1_000 } else { 10_000 };

/// What the standard set and the process itself may take; the rest of the gibibyte is the accounts'.
const STANDARD_BYTES: usize = 124 << 20;
/// 900 MiB for ten thousand.
const ACCOUNT_BYTES: usize = (900 << 20) / 10_000;

const RULES: usize = 20;

#[test]
fn ten_thousand_accounts_with_twenty_rules_each_fit_into_a_gibibyte() {
    let Some(before) = resident() else {
        eprintln!("skipped: /proc/self/status tells no VmRSS here");
        return;
    };
    let mut scanner = Scanner::new(&RuleSet::standard());
    let _ = scanner
        .scan(b"call +44 20 7946 0958 or mail jane.roe@example.org", &ScanOptions::default());
    let standard = resident().expect("it did a moment ago");

    let accounts: Vec<RuleSet> = (0..ACCOUNTS).map(account).collect();
    let after = resident().expect("it did a moment ago");

    let each = after.saturating_sub(standard) / ACCOUNTS;
    eprintln!(
        "resident: {} KiB before, {} KiB with the standard set, {} KiB with {ACCOUNTS} accounts: {each} bytes each",
        before >> 10,
        standard >> 10,
        after >> 10
    );
    assert!(standard <= STANDARD_BYTES, "the standard set: {} KiB resident", standard >> 10);
    assert!(each <= ACCOUNT_BYTES, "an account: {each} bytes");

    // They are all there, and none is another.
    for number in [0, ACCOUNTS / 2, ACCOUNTS - 1] {
        let rules = &accounts[number];
        assert_eq!(rules.rules().len(), RuleSet::standard().rules().len() + RULES);
        let text = format!("badge {}, badge {}", badge(number), badge((number + 1) % ACCOUNTS));
        let found = Scanner::new(rules).scan(text.as_bytes(), &ScanOptions::default());
        let found: Vec<&str> = found.iter().map(|finding| &text[finding.span.range()]).collect();
        assert_eq!(found, [badge(number)]);
    }
}

/// The rules of one account: tokens with a prefix, numbers with context, codes with keywords and names of things.
fn account(number: usize) -> RuleSet {
    let mut pack = format!("pack = 'account{number}'\n");
    for rule in 0..RULES {
        let fields = match rule % 4 {
            0 => format!(
                "pattern = 'A{number:05}-{rule:02}-[0-9]{{6}}'\nboundary = 'word'\nscore = 0.9"
            ),
            1 => format!(
                "pattern = '[0-9]{{{}}}'\nboundary = 'digit'\nscore = 0.3\n\
                 context = ['badge {number}', 'staff number {number}']\ncontext_required = true",
                6 + rule % 8
            ),
            2 => format!(
                "pattern = '[A-Za-z0-9_]{{24}}'\nboundary = 'token'\nscore = 0.8\nmin_digits = 2\n\
                 keywords = ['service{number}_key', 'service{number}-token']"
            ),
            _ => format!(
                "pattern = '(?:Project|Operation) (?:Heron|Otter|Plover) {number}\\.{rule}'\n\
                 case_insensitive = true\nscore = 0.9"
            ),
        };
        write!(
            pack,
            "[[rule]]\nid = 'account{number}.r{rule}'\nentity = 'ACCOUNT_{rule}'\ncategory = 'pii'\n\
             description = 'Rule {rule} of account {number}'\n{fields}\n"
        )
        .expect("writing to a string does not fail");
    }
    let pack = Pack::from_toml("account.toml", &pack).expect("the pack is well formed");
    RuleSet::builder().standard().pack(pack).build().expect("the pack compiles")
}

/// What only this account's first rule finds.
fn badge(number: usize) -> String {
    format!("A{number:05}-00-204518")
}

/// The process's resident memory in bytes, where Linux tells.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
