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

#[cfg(test)]
use crate::validator::all;
use crate::validator::{unknown_if, valid_if};
