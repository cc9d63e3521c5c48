//! What the memory of a running server tells: nothing to other processes, and to a thief who has a core
//! of it no key and no body that was forgotten.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]

#[cfg(debug_assertions)]
mod core;
mod support;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, getuid};
use support::{Process, free_port, oubliette};
use tempfile::TempDir;
#[test]
fn a_server_leaves_no_core_and_locks_its_memory_where_it_may() {
    let folder = TempDir::new().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let mut serve = oubliette(["serve", "--listen", &listen]);
    serve.current_dir(folder.path());
    let mut server = Process::start(serve, folder.path().join("log"));
    server.wait_until_ready(Duration::from_secs(30), |it| {
        it.log().contains("listening").then_some(())
    });
    let proc = |name: &str| format!("/proc/{}/{name}", server.id());
    let limits = fs::read_to_string(proc("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");

    // What cannot be dumped belongs to root in /proc, and nobody else may open it.
    if getuid().is_root() {
        println!("skipped in part: root may look into every process");
    } else {
        assert_eq!(fs::metadata(proc("mem")).unwrap().uid(), 0);
        assert!(fs::File::open(proc("mem")).is_err());
    }

    let status = fs::read_to_string(proc("status")).unwrap();
    let locked = status.lines().find(|line| line.starts_with("VmLck")).unwrap();
    let locked: u64 = locked.split_whitespace().nth(1).unwrap().parse().unwrap();
    if getrlimit(Resource::Memlock).current.is_none() {
        assert!(locked > 0, "{locked} kB are locked");
        assert!(!server.log().contains("memory is not locked"));
    } else {
        assert_eq!(locked, 0, "under a limit, locking would make allocations fail");
        assert!(server.log().contains("LimitMEMLOCK=infinity"), "{}", server.log());
    }
    let status = server.stop(Duration::from_secs(30));
    assert_eq!(status.code(), Some(0));
}
