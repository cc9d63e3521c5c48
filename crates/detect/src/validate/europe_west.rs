//! Numbers that states of Western and Southern Europe issue.

use super::Table;

/// The validators of each country.
pub(super) const TABLES: &[Table] = &[];
