//! SoftHSM, a security module in software: for the tests of this crate, and for those of the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library, where distributions put it unless the variable names it.
pub(crate) fn module() -> Option<PathBuf> {
    let usual = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ];
    let named = std::env::var_os("OUBLIETTE_SOFTHSM").map(PathBuf::from);
    named.into_iter().chain(usual.map(PathBuf::from)).find(|path| path.exists())
}

/// Has the library keep its tokens in the folder; gives what `SOFTHSM2_CONF` has to be.
pub(crate) fn configure(folder: &Path) -> PathBuf {
    let (conf, tokens) = (folder.join("softhsm2.conf"), folder.join("tokens"));
    fs::create_dir(&tokens).unwrap();
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
    fs::write(&conf, text).unwrap();
    conf
}

/// Makes a token.
pub(crate) fn make_token(module: &Path, conf: &Path, label: &str, pin: &str) {
    let made = Command::new("softhsm2-util")
        .args(["--module".as_ref(), module.as_os_str()])
        .args(["--init-token", "--free", "--label", label, "--so-pin", "5678", "--pin", pin])
        .env("SOFTHSM2_CONF", conf)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
