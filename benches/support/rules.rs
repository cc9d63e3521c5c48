//! Rules of an account's own, as many as one likes.

use std::fmt::Write as _;

use oubliette_detect::Pack;

/// Packs with this many rules together: tokens with a prefix, numbers with context, codes with keywords and
/// names of things, as customers write them.
pub(crate) fn custom_packs(count: usize) -> Vec<Pack> {
    let numbers: Vec<usize> = (0..count).collect();
    // A pack is a megabyte at most.
    let packs = numbers.chunks(1000).enumerate().map(|(pack, numbers)| {
        let mut text = format!("pack = 'own-{pack}'\n");
        for &number in numbers {
            let name = name(number);
            let fields = match number % 4 {
                0 => format!("pattern = '{name}-[0-9]{{6}}'\nboundary = 'word'\nscore = 0.9"),
                1 => format!(
                    "pattern = '[0-9]{{{}}}'\nboundary = 'digit'\nscore = 0.3\ncontext_required = true\n\
                     context = ['{name} number']",
                    7 + number % 9
                ),
                2 => format!(
                    "pattern = '[A-Za-z0-9]{{20}}'\nboundary = 'token'\nscore = 0.8\nmin_digits = 2\n\
                     keywords = ['{name}_key']"
                ),
                _ => format!("pattern = 'project {name} (?:north|south)'\ncase_insensitive = true\nscore = 0.9"),
            };
            let _ = write!(
                text,
                "[[rule]]\nid = 'own.r{number}'\nentity = 'OWN_{number}'\ncategory = 'pii'\n{fields}\n"
            );
        }
        Pack::from_toml("own.toml", &text).expect("the pack is well formed")
    });
    packs.collect()
}

/// What the rule with this number finds, and what must stand around it.
pub(crate) fn custom_value(number: usize) -> (String, String) {
    let name = name(number);
    match number % 4 {
        0 => (format!("{name}-204518"), String::from("see {}")),
        1 => {
            let digits: String = "20451839467250918".chars().take(7 + number % 9).collect();
            (digits, format!("{name} number {{}}"))
        }
        2 => ("q7Rk2mVx9TbW4nZc8YpL".to_owned(), format!("{name}_key={{}}")),
        _ => (format!("project {name} south"), String::from("for {}")),
    }
}

/// A word that is no other rule's: one syllable a digit of the number to the base twenty.
fn name(number: usize) -> String {
    const SYLLABLES: [&str; 20] = [
        "ba", "ko", "ri", "tu", "ve", "zo", "pi", "ma", "lu", "ne", "fo", "ga", "hi", "jo", "du",
        "sa", "ce", "wi", "xo", "ya",
    ];
    let places = [8000, 400, 20, 1].map(|place| SYLLABLES[number / place % 20]);
    places.concat()
}
