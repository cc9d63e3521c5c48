//! Clients that each wait for one answer before they ask again, and what that costs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Runtime;

/// What a number of bodies took: by the clock on the wall, of the processors, and each by itself.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) bodies: u64,
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) waits: Vec<Duration>,
}

impl Run {
    /// Times work on so many bodies.
    pub(crate) fn of(bodies: u64, work: impl FnOnce() -> Vec<Duration>) -> Self {
        let (begun, cpu) = (Instant::now(), processor_time());
        let waits = work();
        Self { bodies, wall: begun.elapsed(), cpu: processor_time() - cpu, waits }
    }

    pub(crate) fn add(&mut self, more: Self) -> Duration {
        let wall = more.wall;
        self.bodies += more.bodies;
        self.wall += wall;
        self.cpu += more.cpu;
        self.waits.extend(more.waits);
        wall
    }

    /// Processor time a body: what is left of a loaded machine's noise when waiting is taken out.
    pub(crate) fn cpu_each(&self) -> Duration {
        self.cpu / u32::try_from(self.bodies.max(1)).expect("no bench takes that long")
    }

    fn waited(&self, percent: usize) -> Duration {
        let mut waits = self.waits.clone();
        waits.sort();
        waits.get(waits.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each_second = self.bodies as f64 / self.wall.as_secs_f64().max(f64::EPSILON);
        write!(f, "{each_second:.0} a second, {:.1?} of processor each", self.cpu_each())?;
        if !self.waits.is_empty() {
            write!(f, ", {:.2?} (p50) and {:.2?} (p99)", self.waited(50), self.waited(99))?;
        }
        Ok(())
    }
}

/// The processor time of this process, all threads together, in and out of the kernel.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().expect("time that was used is not negative")
}

/// So many clients, each asking so often; how long each answer took. `ask` gets a number of its own.
pub(crate) fn clients<F>(
    runtime: &Runtime,
    clients: u32,
    times: u64,
    first: u64,
    ask: impl Fn(u64) -> F + Send + Sync + 'static,
) -> Run
where
    F: Future<Output = ()> + Send,
{
    let ask = Arc::new(ask);
    Run::of(u64::from(clients) * times, || {
        let tasks = (0..u64::from(clients)).map(|client| {
            let ask = Arc::clone(&ask);
            runtime.spawn(async move {
                let mut waits = Vec::new();
                for number in 0..times {
                    let begun = Instant::now();
                    ask(first + client * times + number).await;
                    waits.push(begun.elapsed());
                }
                waits
            })
        });
        let all = join_all(tasks.collect::<Vec<_>>());
        runtime.block_on(all).into_iter().flat_map(|waits| waits.expect("no panic")).collect()
    })
}
