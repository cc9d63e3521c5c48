//! Numbers that states of the Americas, Africa and the Middle East issue.

mod ae;
mod ar;
mod birth;
mod br;
mod ca;
mod cl;
mod co;
mod documents;
mod eg;
mod il;
mod mx;
mod ng;
mod pe;
mod sa;
mod wallets;
mod za;

use super::Table;

/// The validators of each country, and those of documents and wallets that no one country issues.
pub(super) const TABLES: &[Table] = &[
    ae::TABLE,
    ar::TABLE,
    br::TABLE,
    ca::TABLE,
    cl::TABLE,
    co::TABLE,
    documents::TABLE,
    eg::TABLE,
    il::TABLE,
    mx::TABLE,
    ng::TABLE,
    pe::TABLE,
    sa::TABLE,
    wallets::TABLE,
    za::TABLE,
];

use crate::validator::Verdict;

/// `Valid` if a checksum over a specific shape holds, else `Invalid`.
fn valid_if(holds: bool) -> Verdict {
    if holds { Verdict::Valid } else { Verdict::Invalid }
}

/// For checks that too many other numbers pass: what survives is left to the words around it.
fn unknown_if(holds: bool) -> Verdict {
    if holds { Verdict::Unknown } else { Verdict::Invalid }
}

/// Asserts a validator's verdict on each case.
#[cfg(test)]
fn all(validate: fn(&[u8]) -> Verdict, want: Verdict, cases: &[&str]) {
    for case in cases {
        assert_eq!(validate(case.as_bytes()), want, "{case}");
    }
}
