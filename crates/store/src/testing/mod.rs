//! What tests of stores need, here and in the crates above: the conformance suite and a store
//! that fails on a seed. The functions panic when a check fails.

mod conformance;
mod failing;

pub use self::conformance::conformance;
pub use self::failing::{FailingStore, Faults};
