//! What tests of stores need, here and in the crates above: the conformance suite, a store
//! that fails on a seed, and the dice that say when. The functions panic when a check fails.

mod conformance;
mod dice;
mod failing;

pub use self::conformance::conformance;
pub use self::dice::Dice;
pub use self::failing::{FailingStore, Faults};
