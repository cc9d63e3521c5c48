//! Numbers that states of the Americas, Africa and the Middle East issue.

use super::Table;

/// The validators of each country.
pub(super) const TABLES: &[Table] = &[];
