//! `kill -9` and power failures under load: what was acknowledged is there, what was shredded is not.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests are tests, though the lint does not know it"
)]

mod support;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use reqwest::Method;
use support::{Account, Mounted, Sidecar, assert_nowhere, wait_until};

/// As often as the process is killed.
const KILLS: usize = 50;

/// As often as its disk fails under it.
const POWER_FAILURES: usize = 12;

/// Clients that capture at the same time.
const WRITERS: usize = 4;

const VALUE: &str = "tomas.lindqvist@example.net";

/// What the clients know.
#[derive(Default)]
struct Known {
    /// Captures that were acknowledged, without those somebody began to shred.
    kept: BTreeSet<String>,
    /// Shreds that were acknowledged.
    gone: BTreeSet<String>,
}

/// Segments that are small and soon finished, so that files of the spool come and go all the time.
const SETTINGS: [&str; 2] = ["spool.segment_bytes=256KiB", "spool.max_age=1s"];

#[test]
fn nothing_acknowledged_is_lost_and_nothing_shredded_returns() {
    let mut sidecar = Sidecar::start(&SETTINGS, &[]);
    survives(&mut sidecar, KILLS, Sidecar::kill, |_| {});
    sidecar.stop();
    assert_nowhere(&[sidecar.folder()], &[VALUE]);
}

#[test]
fn nor_when_the_power_goes() {
    let Some(disk) = Mounted::new(128) else { return };
    let settings = [&SETTINGS[..], &["spool.min_free_bytes=0"]].concat();
    let mut sidecar = Sidecar::start_in(&disk.path(), &settings, &[]);
    // What was not synced is lost; the process hears of nothing but errors.
    let fail = |_: &mut Sidecar| disk.abort();
    let restore = |sidecar: &mut Sidecar| {
        sidecar.kill();
        disk.remount();
    };
    survives(&mut sidecar, POWER_FAILURES, fail, restore);
    sidecar.stop();
    assert_nowhere(&[sidecar.folder()], &[VALUE]);
}

/// Puts a sidecar under load, ends that so many times, and looks each time whether all is as it was told.
fn survives(
    sidecar: &mut Sidecar,
    times: usize,
    end: impl Fn(&mut Sidecar),
    before_restart: impl Fn(&mut Sidecar),
) {
    let account = sidecar.account("acme");
    account.grant_everything();
    let known = Mutex::new(Known::default());
    // A fixed walk through the moments at which it ends: a failure can be run again.
    let mut moment = 1_u64;
    for life in 0..times {
        let stop = AtomicBool::new(false);
        let so_far = {
            let known = known.lock().unwrap();
            known.kept.len() + known.gone.len()
        };
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (account, known, stop) = (&account, &known, &stop);
                scope.spawn(move || write(account, known, stop, &format!("{life}-{writer}")));
            }
            scope.spawn(|| shred(&account, &known, &stop));
            moment = moment
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            thread::sleep(Duration::from_millis(5 + (moment >> 33) % 150));
            // A busy machine has not come to anything by then.
            wait_until("some load", Duration::from_secs(60), || {
                let known = known.lock().unwrap();
                let (kept, gone) = (known.kept.len(), known.gone.len());
                (kept + gone > so_far && gone > life / 2).then_some(())
            });
            end(sidecar);
            stop.store(true, Ordering::Relaxed);
        });
        before_restart(sidecar);
        sidecar.restart();
        check(&account, &known.lock().unwrap(), &format!("{life}-"));
    }
    let known = known.into_inner().unwrap();
    check(&account, &known, "");
}

/// Captures until the server is gone.
fn write(account: &Account, known: &Mutex<Known>, stop: &AtomicBool, name: &str) {
    for number in 0.. {
        let exchange = format!("{name}-{number}");
        let request =
            format!(r#"{{"n":{number},"input":"{VALUE}","pad":"{}"}}"#, "x ".repeat(number % 2000));
        let envelope = account.envelope(&exchange, &request, "");
        let reply = account.gateway.send(Method::POST, "/v1/captures", Some(&envelope));
        match reply {
            Ok(reply) if reply.status == 200 => {
                assert_eq!(reply.json()["parts"]["request"]["outcome"], "stored");
                known.lock().unwrap().kept.insert(exchange);
            }
            Ok(reply) => assert!([429, 503].contains(&reply.status), "{}", reply.text()),
            Err(_) => return,
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Shreds one capture after the other until the server is gone.
fn shred(account: &Account, known: &Mutex<Known>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let victim = known.lock().unwrap().kept.pop_last();
        let Some(exchange) = victim else {
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        // From here on until the answer it may be there or not.
        let path = account.path(&format!("/exchanges/{exchange}"));
        match account.owner.send(Method::DELETE, &path, None) {
            Ok(reply) if reply.status == 200 => {
                known.lock().unwrap().gone.insert(exchange);
            }
            Ok(reply) => assert_eq!(reply.status, 503, "{}", reply.text()),
            Err(_) => return,
        }
    }
}

/// Checks all that is known of captures whose names begin so.
fn check(account: &Account, known: &Known, prefix: &str) {
    for exchange in known.kept.iter().filter(|name| name.starts_with(prefix)) {
        let body = account.read(exchange, "request").expect_status(200).text();
        assert!(body.contains("<EMAIL_ADDRESS_1>"), "{exchange}: {body}");
    }
    for exchange in known.gone.iter().filter(|name| name.starts_with(prefix)) {
        account.read(exchange, "request").expect_status(410);
    }
}
