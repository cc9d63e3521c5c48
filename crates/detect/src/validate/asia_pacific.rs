//! Numbers that states of Asia and the Pacific issue.

use super::Table;

/// The validators of each country.
pub(super) const TABLES: &[Table] = &[];
