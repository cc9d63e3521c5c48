//! What the demo prints: each step with what it did, whether it held and how long it took.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::output::Output;

/// Where the steps are shown.
pub(super) struct Stage {
    out: Output,
    steps: usize,
    failed: usize,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self { out: Output::new(), steps: 0, failed: 0 }
    }

    /// Runs a step. That it did not hold is counted and does not end the demo.
    pub(super) async fn step(
        &mut self,
        title: &str,
        work: impl AsyncFnOnce(&mut Notes) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.steps += 1;
        self.out.line(format_args!("\n{:2}. {title}", self.steps))?;
        self.out.flush()?;
        let mut notes = Notes::default();
        let started = Instant::now();
        let held = work(&mut notes).await;
        let took = started.elapsed();
        for note in &notes.0 {
            self.out.line(format_args!("    {note}"))?;
        }
        match held {
            Ok(()) => self.out.line(format_args!("    PASS in {}", shown(took)))?,
            Err(failure) if failure.is_quiet() => return Err(failure),
            Err(failure) => {
                self.failed += 1;
                self.out.line(format_args!("    FAIL: {failure}"))?;
            }
        }
        self.out.flush()
    }

    /// A line between steps.
    pub(super) fn say(&mut self, text: impl Display) -> Result<(), Failure> {
        self.out.line(text)?;
        self.out.flush()
    }

    /// How many steps there were, and how many did not hold.
    pub(super) fn tally(&self) -> (usize, usize) {
        (self.steps, self.failed)
    }
}

/// What a step has to say.
#[derive(Default)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    pub(super) fn say(&mut self, text: impl Display) {
        self.0.push(text.to_string());
    }
}

/// Fails with this message unless something holds.
pub(super) fn hold(holds: bool, message: impl Display) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::failed(message.to_string())) }
}

/// A time as people read it.
pub(super) fn shown(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    if ms < 1000.0 { format!("{ms:.1} ms") } else { format!("{:.2} s", ms / 1000.0) }
}

/// A size as people read it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} KB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
