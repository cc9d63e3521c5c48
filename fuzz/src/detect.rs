//! Rules from strangers, and the scanner against its definition.

use std::cell::RefCell;

use oubliette_detect::{Pack, RuleSet, ScanOptions, Scanner, naive};

/// Any text as a rule pack: it is refused in one line, or it compiles within the limits, or that is
/// refused in one line. What compiles finds what its definition finds.
pub fn rule_load(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let pack = match Pack::from_toml("fuzz.toml", text) {
        Ok(pack) => pack,
        Err(error) => return super::assert_one_line(&error),
    };
    let rules = match RuleSet::builder().pack(pack).build() {
        Ok(rules) => rules,
        Err(error) => return super::assert_one_line(&error),
    };
    // The text of a pack holds its own examples.
    let options = ScanOptions { min_score: 0.0, ..ScanOptions::default() };
    let found = Scanner::new(&rules).scan(data, &options);
    assert_eq!(found, naive::scan(&rules, data, &options));
}

/// The scanner finds in any bytes exactly what every rule by itself would, and inside the text.
///
/// The first byte chooses the least score and whether the text is in a field.
pub fn detect_equivalence(data: &[u8]) {
    thread_local! {
        static SCANNER: RefCell<Scanner> = RefCell::new(Scanner::new(&RuleSet::standard()));
    }
    let Some((&choice, haystack)) = data.split_first() else { return };
    let options = ScanOptions {
        min_score: f32::from(choice % 8) / 8.0,
        field: [None, Some("user.ssnNumber"), Some("password"), Some("cardNumber")]
            [usize::from(choice / 8 % 4)],
        ..ScanOptions::default()
    };
    let rules = RuleSet::standard();
    let found = SCANNER.with_borrow_mut(|scanner| scanner.scan(haystack, &options));
    assert_eq!(found, naive::scan(&rules, haystack, &options));
    for finding in &found {
        assert!(!finding.span.is_empty() && finding.span.end <= haystack.len());
        assert!((options.min_score..=1.0).contains(&finding.score));
    }
}

/// Whatever the processor offers, the same is found: each byte is read by other instructions, and each way has its
/// own edges at the ends of blocks.
///
/// The first byte chooses the least score, and how many bytes stand before the text.
pub fn kernels(data: &[u8]) {
    let Some((&choice, text)) = data.split_first() else { return };
    let haystack = [&[b' '; 64][..usize::from(choice / 4)], text].concat();
    let options = ScanOptions { min_score: f32::from(choice % 4) / 4.0, ..ScanOptions::default() };
    naive::kernels_agree(&RuleSet::standard(), &haystack, &options);
}
