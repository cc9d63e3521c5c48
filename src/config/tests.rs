use super::*;

fn settings(assignments: &[&str]) -> Result<Settings, String> {
    Settings::assigned(assignments).map_err(|failure| failure.to_string())
}

#[test]
fn the_defaults_are_in_order() {
    let settings = settings(&[]).unwrap();
    assert_eq!(settings.store, Store::Folder("oubliette-data/objects".into()));
    assert_eq!(settings.spool.segment_bytes, 16 << 20);
    assert_eq!(settings.listen.port(), 7070);
    assert!(settings.url.is_none() && settings.api_key.is_none());
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (assignments, message) in [
        (&["listen=7070"][..], "listen \"7070\" (--set) is wrong: not an address"),
        (&["store.kind=s4"], "neither folder nor s3"),
        (&["store.kind=s3"], "store.bucket is not set"),
        (&["store.bucket=b"], "set store.kind to s3"),
        (&["store.kind=s3", "store.bucket=b", "store.path=x"], "store.path is set"),
        (&["root.kind=paper"], "neither file nor tpm nor pkcs11"),
        (&["root.device=/dev/tpm0"], "set root.kind to tpm"),
        (&["root.kind=tpm", "root.nv_index=5"], "not an index like 0x01800b1e"),
        (&["root.kind=tpm", "root.token=t"], "set root.kind to pkcs11"),
        (&["root.kind=pkcs11", "root.token=t"], "needs root.module, root.token and root.pin_file"),
        (&["expiry.max_clock_jump=soon"], "not a time"),
        (&["spool.max_age=soon"], "not a time"),
        (&["spool.max_bytes=1MiB"], "no room for two segments"),
        (&["queue.captures=0"], "not a number from 1"),
        (&["log.format=xml"], "neither text nor json"),
        (&["log.level=a=b=c"], "log.level"),
        (&["url=localhost:7070"], "not an address like http"),
        (&["url=http://me:pw@host"], "OUBLIETTE_API_KEY"),
        (&["data_dir="], "a path is missing"),
    ] {
        let error = settings(assignments).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn keys_do_not_lie_with_what_they_open() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("data"), folder.path().join("link")).unwrap();
    let check = |data: &str, keys: &str| {
        settings(&[&format!("data_dir={root}/{data}"), &format!("keys_dir={root}/{keys}")])
    };
    for keys in ["data", "data/keys", "x/../data/keys", "link/keys", "data/new/keys"] {
        let error = check("data", keys).unwrap_err();
        assert!(error.contains("lies inside data_dir"), "{keys}: {error}");
    }
    for keys in ["keys", "data-keys", "data/../keys"] {
        assert!(check("data", keys).is_ok(), "{keys}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let settings = settings(&["api_key=oub_topsecret"]).unwrap();
    assert!(!format!("{settings:?}").contains("topsecret"));
    assert_eq!(settings.api_key.unwrap().expose(), "oub_topsecret");
}
