use super::*;

fn lint(fields: &str) -> Vec<String> {
    let text = format!(
        "pack = 't'\n[[rule]]\nid = 't.a'\nentity = 'T'\ncategory = 'pii'\ndescription = 'd'\n{fields}\n"
    );
    check(&[Pack::from_toml("t.toml", &text).unwrap()]).iter().map(Problem::to_string).collect()
}

const GOOD: &str = "pattern = 'abc[0-9]+'\nscore = 1.0\nexamples = ['x [[abc1]] [[abc22]]']\n\
                    negative_examples = ['abc']";

#[test]
fn a_good_rule_has_no_problem() {
    assert_eq!(lint(GOOD), Vec::<String>::new());
}

#[test]
fn problems_are_named() {
    let cases = [
        (
            "[[abc1]] [[abc22]]",
            "[[abc1]] abc22",
            "example 1 marks bytes 2..6, but the rule finds 2..6, 7..12",
        ),
        ("[[abc1]] [[abc22]]", "abc1", "example 1 has no finding marked"),
        (
            "[[abc1]] [[abc22]]",
            "[[abc]] ",
            "example 1 marks bytes 2..5, but the rule finds nothing",
        ),
        ("['abc']", "['abc', 'abc7']", "negative example 2 is matched at bytes 0..4"),
        ("['abc']", "[]", "no negative_examples"),
        ("score = 1.0", "score = 0.1", "never reaches the default threshold"),
        ("abc[0-9]+", "(abc", "unclosed group"),
        (
            "score = 1.0",
            "score = 1.0\ncontext = ['x']\ncontext_required = true",
            "context_required, but the score",
        ),
        ("abc[0-9]+", "[a-z]+[0-9]+", "note: no anchor"),
    ];
    for (from, to, message) in cases {
        let problems = lint(&GOOD.replacen(from, to, 1));
        assert!(
            problems.iter().any(|problem| problem.contains(message)),
            "{message}: {problems:?}"
        );
        assert!(problems.iter().all(|problem| problem.starts_with("t.toml:2: rule t.a: ")));
    }
}

#[test]
fn ids_are_unique_across_packs() {
    let text =
        format!("pack = 't'\n[[rule]]\nid = 't.a'\nentity = 'T'\ncategory = 'pii'\n{GOOD}\n");
    let packs = ["a.toml", "b.toml"].map(|name| Pack::from_toml(name, &text).unwrap());
    let problems = check(&packs);
    assert!(
        problems.iter().any(|p| p.message == "the id stands already in a.toml:2"),
        "{problems:?}"
    );
}
