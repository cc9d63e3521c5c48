//! A program that runs beside the test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wait::wait_until;

/// A running program: both its output streams go to a log file, and dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the command; its output is appended to `log`, so a restart keeps the story.
    #[track_caller]
    pub fn start(mut command: Command, log: impl Into<PathBuf>) -> Self {
        let log = log.into();
        let file = File::options().create(true).append(true).open(&log).expect("the log opens");
        let errors = file.try_clone().expect("a file handle can be cloned");
        let child =
            command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn().unwrap_or_else(
                |error| panic!("{} does not start: {error}", command.get_program().display()),
            );
        Self { child, log }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log file, for [`search_tree`](super::search_tree).
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Everything that was printed so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The exit status, if it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Polls until there is an answer; panics with the log if the program ends before or time is
    /// over.
    #[track_caller]
    pub fn wait_until_ready<T>(
        &mut self,
        at_most: Duration,
        mut ask: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        let deadline = std::time::Instant::now() + at_most;
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            if let Some(status) = self.ended() {
                panic!("ended ({status}) before it was ready; its log:\n{}", self.log());
            }
            let in_time = std::time::Instant::now() < deadline;
            assert!(in_time, "not ready after {at_most:?}; its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks it to end (SIGTERM) and waits for that.
    #[track_caller]
    pub fn stop(mut self, at_most: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        wait_until("the end of a stopped process", at_most, || self.ended())
    }

    /// Ends it at once, as a power loss would (SIGKILL).
    pub fn kill(mut self) {
        self.end();
    }

    /// Freezes it (SIGSTOP): connections open, nothing answers. Returns when the last of its threads stands still: the
    /// signal itself is only on its way.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        wait_until("a process that was stopped stands still", Duration::from_secs(10), || {
            self.stands_still().then_some(())
        });
    }

    /// Whether all threads are stopped, or it has ended.
    fn stands_still(&self) -> bool {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.child.id())) else {
            return true;
        };
        // The state comes behind the name, which is in brackets and may hold any.
        let state = |stat: String| stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok())
            .all(|stat| matches!(state(stat), Some('T' | 't' | 'Z' | 'X')))
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("process ids fit in an i32");
        let pid = Pid::from_raw(id).expect("a child has a process id other than 0");
        // We hold the child unwaited, so the id cannot have gone to somebody else. If it has
        // ended already there is nothing left to signal.
        let _ = kill_process(pid, signal);
    }

    fn end(&mut self) {
        // Either may fail only because the child has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
