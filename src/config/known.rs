//! Every setting there is: its name, its default and what it is for.
//!
//! `store.bucket` is `[store] bucket = …` in a file, `OUBLIETTE_STORE_BUCKET` in the environment and
//! `--set store.bucket=…` on the command line.

/// One setting.
#[derive(Debug)]
pub(crate) struct Known {
    /// Its name, with a dot between table and field.
    pub(crate) name: &'static str,
    /// What holds if nobody says otherwise.
    pub(crate) default: Option<&'static str>,
    /// What it is for.
    pub(crate) help: &'static str,
    /// Whether its value is never to be shown.
    pub(crate) secret: bool,
    /// Whether it is a path, relative to the folder of the file that it stands in.
    pub(crate) path: bool,
}

impl Known {
    /// The environment variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// The setting with this name.
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name == name)
    }
}

/// The name most like `name`, if one is like enough to have been meant.
pub(crate) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    names
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

/// What the variables of all settings begin with.
pub(crate) const VARIABLE_PREFIX: &str = "OUBLIETTE_";

const fn setting(name: &'static str, default: Option<&'static str>, help: &'static str) -> Known {
    Known { name, default, help, secret: false, path: false }
}

const fn path(name: &'static str, default: Option<&'static str>, help: &'static str) -> Known {
    Known { path: true, ..setting(name, default, help) }
}

/// All of them, in the order in which they are shown.
pub(crate) const KNOWN: &[Known] = &[
    path("data_dir", Some("oubliette-data"), "catalog, spool and, by default, the objects"),
    path(
        "keys_dir",
        Some("oubliette-keys"),
        "the root key; never inside data_dir, never backed up",
    ),
    setting("root.kind", Some("file"), "where the root key is: file, tpm or pkcs11"),
    path("root.device", None, "tpm: the device, or a socket (default: /dev/tpmrm0)"),
    setting("root.nv_index", None, "tpm: the first of two indices (default: 0x01800b1e)"),
    path("root.module", None, "pkcs11: the vendor's library"),
    setting("root.token", None, "pkcs11: the label of the token"),
    setting("root.key_label", None, "pkcs11: the label of our keys in it (default: oubliette)"),
    path("root.pin_file", None, "pkcs11: a file with the PIN, for its owner only"),
    setting("listen", Some("127.0.0.1:7070"), "address and port that serve listens on"),
    path("rules_dir", None, "a folder of rule packs (*.toml) in addition to the standard ones"),
    setting("store.kind", Some("folder"), "where segments go: folder or s3"),
    path("store.path", None, "folder: where the objects lie (default: data_dir/objects)"),
    setting("store.bucket", None, "s3: the bucket, which must exist"),
    setting("store.endpoint", None, "s3: the address of a server that is not AWS"),
    setting("store.region", None, "s3: the region (Garage: garage, R2: auto)"),
    setting("store.path_style", None, "s3: bucket in the path, true or false"),
    setting("spool.max_bytes", Some("4GiB"), "most bytes that wait on the local disk"),
    setting("spool.min_free_bytes", Some("512MiB"), "bytes that stay free on the local disk"),
    setting("spool.segment_bytes", Some("16MiB"), "size at which a segment is uploaded"),
    setting(
        "spool.verify_uploads",
        Some("true"),
        "read every segment back and compare before its file goes",
    ),
    setting("spool.max_age", Some("10s"), "time after which a segment is uploaded anyway"),
    setting(
        "queue.captures",
        Some("256"),
        "captures in work at once; more are refused and counted",
    ),
    setting("queue.bytes", Some("256MiB"), "bytes of bodies in work at once"),
    setting(
        "expiry.max_clock_jump",
        Some("24h"),
        "how far the clock may jump ahead before expiry waits for expire --accept-clock",
    ),
    setting("log.level", Some("info"), "error, warn, info, debug or trace, or directives"),
    setting("log.format", Some("text"), "text or json"),
    setting("url", None, "a running server to talk to, in place of the data folder"),
    Known { secret: true, ..setting("api_key", None, "the API key for that server") },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_setting() {
        let near = |name| nearest(name, KNOWN.iter().map(|known| known.name));
        assert_eq!(near("datadir"), Some("data_dir"));
        assert_eq!(near("store.buket"), Some("store.bucket"));
        assert_eq!(near("colour"), None);
    }

    #[test]
    fn names_and_variables_are_one_to_one() {
        let mut variables: Vec<_> = KNOWN.iter().map(Known::variable).collect();
        assert!(variables.contains(&"OUBLIETTE_STORE_PATH_STYLE".to_owned()));
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), KNOWN.len());
    }
}
