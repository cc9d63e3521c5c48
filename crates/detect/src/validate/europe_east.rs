//! Numbers that states of Northern and Eastern Europe, Turkey and Ukraine issue.

use super::Table;

/// The validators of each country.
pub(super) const TABLES: &[Table] = &[];
