//! Disks and object stores that fail: what was acknowledged comes back as it was, or is refused.

#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use support::{
    Account, FaultyProxy, Garage, Mounted, Reply, Sidecar, Weather, assert_nowhere, wait_until,
};

/// Never to be on a disk.
const EMAIL: &str = "lena.brandt@example.org";

#[test]
fn through_bad_weather_every_acknowledged_body_comes_back_as_it_was() {
    let Some(garage) = Garage::start() else { return };
    let proxy = FaultyProxy::start(garage.endpoint(), 6);
    let small = ["spool.segment_bytes=64KiB", "spool.max_age=1s"];
    let mut sidecar = on_s3(&proxy.endpoint(), &small);
    let account = sidecar.account("acme");
    account.grant_everything();
    proxy.set(Weather {
        refuse: 20,
        lose_reply: 10,
        spoil_sent: 10,
        spoil_received: 20,
        delay: 10,
    });
    thread::scope(|scope| {
        for writer in 0..4 {
            let account = &account;
            scope.spawn(move || {
                for number in 0..30 {
                    let name = format!("{writer}-{number}");
                    assert_eq!(capture(account, &name).status, 200, "the spool takes it anyway");
                    let earlier = format!("{writer}-{}", number / 2);
                    // Late or refused perhaps, but never another body.
                    let read = account.read(&earlier, "request");
                    assert!(read.status >= 500 || read.text() == redacted(&earlier), "{read:?}");
                }
            });
        }
    });
    let mut names: Vec<_> = (0..4).flat_map(|w| (0..30).map(move |n| format!("{w}-{n}"))).collect();
    // A fast machine sends little: on until the weather was met often enough.
    while proxy.met() <= 20 {
        let name = format!("more-{}", names.len());
        assert_eq!(capture(&account, &name).status, 200);
        names.push(name);
        assert!(names.len() < 5_000, "the weather was met {} times", proxy.met());
    }
    proxy.set(Weather::default());
    drained(&sidecar);
    all_are_there(&account, &names);
    let verified = sidecar.run(["segment", "verify"]).ok();
    assert!(verified.stderr.contains("0 are not"), "{verified:?}");

    // With nothing in memory any more, and a server that spoils all that it sends.
    sidecar.stop();
    sidecar.restart();
    proxy.set(Weather { spoil_received: 100, ..Weather::default() });
    for name in &names[..10] {
        let read = account.read(name, "request");
        assert!(read.status >= 500, "{name}: {read:?}");
    }
    proxy.set(Weather::default());
    all_are_there(&account, &names[..10]);
    sidecar.stop();
    assert_nowhere(&[sidecar.folder(), garage.folder()], &[EMAIL]);
}

#[test]
fn a_full_spool_refuses_and_forgets_nothing_while_the_server_hangs() {
    let Some(mut garage) = Garage::start() else { return };
    let limits = ["spool.segment_bytes=64KiB", "spool.max_bytes=512KiB", "spool.max_age=1s"];
    let mut sidecar = on_s3(&garage.endpoint(), &limits);
    let account = sidecar.account("acme");
    account.grant_everything();
    let mut names = vec!["before".to_owned()];
    assert_eq!(capture(&account, "before").status, 200);
    drained(&sidecar);

    garage.pause();
    let refused = capture_until_refused(&account, &mut names);
    assert!(refused.contains("the spool is full"), "{refused}");
    let ready = sidecar.anonymous().get("/readyz");
    assert!(!ready.is_success() && ready.text().contains("spool"), "{ready:?}");
    all_are_there(&account, &names[1..]);

    // A crash, and a server that is gone altogether.
    sidecar.kill();
    garage.stop();
    sidecar.restart_unready();
    all_are_there(&account, &names[1..]);
    assert_eq!(capture(&account, "too-much").status, 503);

    garage.restart();
    drained(&sidecar);
    assert_eq!(capture(&account, "after").status, 200);
    names.push("after".to_owned());
    all_are_there(&account, &names);
    sidecar.run(["segment", "verify"]).ok();
    sidecar.stop();
    let swept = sidecar.run(["store", "sweep", "--json"]).ok();
    assert!(swept.stdout.contains(r#""deleted":0"#), "nobody is left without a row: {swept:?}");
    assert_nowhere(&[sidecar.folder(), garage.folder()], &[EMAIL]);
}

#[test]
fn what_rots_on_the_servers_disk_is_found_and_never_handed_out() {
    let Some(mut garage) = Garage::start() else { return };
    let limits = ["spool.segment_bytes=256KiB", "spool.max_age=1s"];
    let mut sidecar = on_s3(&garage.endpoint(), &limits);
    let account = sidecar.account("acme");
    account.grant_everything();
    // Two segments: one after the other.
    let names = ["rotten-0", "rotten-1", "sound-0", "sound-1"];
    for pair in names.chunks(2) {
        for name in pair {
            assert_eq!(capture(&account, name).status, 200);
        }
        drained(&sidecar);
    }
    sidecar.stop();
    garage.stop();
    let oldest = files(&garage.data_dir().join("data"))
        .into_iter()
        .filter(|file| file.metadata().unwrap().len() > 1_000) // not its marker
        .min_by_key(|file| file.metadata().unwrap().modified().unwrap())
        .expect("Garage keeps blocks in files");
    let mut bytes = fs::read(&oldest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&oldest, bytes).unwrap();
    garage.restart();
    sidecar.restart();

    for name in &names[..2] {
        let read = account.read(name, "request");
        assert!(read.status >= 500, "{name}: {read:?}");
        assert!(!read.text().contains("marker"), "{name}");
    }
    all_are_there(&account, &names[2..].iter().map(ToString::to_string).collect::<Vec<_>>());
    let verified = sidecar.run(["segment", "verify"]);
    assert_eq!(verified.code, Some(1), "{verified:?}");
    assert!(verified.stderr.contains("1 segment"), "{verified:?}");
    sidecar.stop();
}

#[test]
fn a_full_and_then_failing_disk_costs_no_acknowledged_body() {
    let Some(disk) = Mounted::new(48) else { return };
    let settings = ["spool.min_free_bytes=0", "spool.segment_bytes=128KiB", "spool.max_age=1s"];
    let mut sidecar = Sidecar::start_in(&disk.path(), &settings, &[]);
    let account = sidecar.account("acme");
    account.grant_everything();
    let mut names = Vec::new();
    for number in 0..10 {
        names.push(format!("roomy-{number}"));
        assert_eq!(capture(&account, &names[number]).status, 200);
    }
    disk.fill();
    capture_until_refused(&account, &mut names);
    assert!(sidecar.anonymous().get("/healthz").is_success(), "it lives and says no");
    disk.empty();
    let again = |name: &str| (capture(&account, name).status == 200).then_some(());
    wait_until("room for a body", Duration::from_secs(30), || again("again"));
    names.push("again".to_owned());
    all_are_there(&account, &names);

    // As ext4 does when its device fails, under load; then a restart of the machine.
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut kept = Vec::new();
            for number in 0..5_000 {
                let name = format!("late-{number}");
                match capture(&account, &name).status {
                    200 => kept.push(name),
                    _ => break,
                }
            }
            kept
        });
        thread::sleep(Duration::from_millis(300));
        disk.abort();
        names.extend(writer.join().unwrap());
    });
    assert_eq!(capture(&account, "on-a-broken-disk").status, 503);
    sidecar.kill();
    disk.remount();
    sidecar.restart();
    all_are_there(&account, &names);
    let verified = sidecar.run(["segment", "verify"]).ok();
    assert!(verified.stderr.contains("0 are not"), "{verified:?}");
    sidecar.stop();
    assert_nowhere(&[sidecar.folder()], &[EMAIL]);
}

fn on_s3(endpoint: &str, more: &[&str]) -> Sidecar {
    let settings = [
        "store.kind=s3".to_owned(),
        format!("store.endpoint={endpoint}"),
        format!("store.bucket={}", Garage::BUCKET),
        format!("store.region={}", Garage::REGION),
        "spool.min_free_bytes=0".to_owned(),
    ];
    let settings: Vec<&str> =
        settings.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Sidecar::start(&settings, &Garage::credentials())
}

/// A body that tells its name, and does not compress well.
fn body(name: &str, email: &str) -> String {
    let mut random = name.bytes().fold(1_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    let mut noise = String::new();
    for _ in 0..2_000 {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Letters in words, so that no rule takes them for a token.
        for shift in [10, 20, 30, 40] {
            noise.push(char::from(b'a' + u8::try_from((random >> shift) % 26).unwrap()));
        }
        noise.push(' ');
    }
    format!(r#"{{"input":"marker {name} for {email}","noise":"{noise}"}}"#)
}

fn redacted(name: &str) -> String {
    body(name, "<EMAIL_ADDRESS_1>")
}

fn capture(account: &Account, name: &str) -> Reply {
    let reply =
        account.gateway.post("/v1/captures", &account.envelope(name, &body(name, EMAIL), ""));
    if reply.status == 200 {
        assert_eq!(reply.json()["parts"]["request"]["outcome"], "stored", "{name}");
    } else {
        assert_eq!(reply.status, 503, "{name}: {}", reply.text());
        assert!(!reply.text().contains(EMAIL));
    }
    reply
}

/// Captures until it is refused, and notes what was not. What the refusal says.
fn capture_until_refused(account: &Account, names: &mut Vec<String>) -> String {
    for number in 0..5_000 {
        let name = format!("more-{number}");
        let reply = capture(account, &name);
        if reply.status != 200 {
            return reply.text();
        }
        names.push(name);
    }
    panic!("it takes without end")
}

fn all_are_there(account: &Account, names: &[String]) {
    let mut wrong = BTreeMap::new();
    for name in names {
        let read = account.read(name, "request");
        if read.status != 200 || read.text() != redacted(name) {
            wrong.insert(name, read.status);
        }
    }
    assert!(wrong.is_empty(), "of {}: {wrong:?}", names.len());
}

fn drained(sidecar: &Sidecar) {
    wait_until("everything in the object store", Duration::from_secs(90), || {
        let status = sidecar.operator().get("/v1/status").expect_status(200).json();
        let spool = &status["spool"];
        (spool["waiting_segments"] == 0 && spool["open_segments"] == 0).then_some(())
    });
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}
