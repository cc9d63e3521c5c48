//! A small disk of its own: a file with ext4 in it, on a loop device.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::garage::skip;

/// A mounted file system of some megabytes; unmounted and gone when dropped.
#[derive(Debug)]
pub struct Mounted {
    folder: TempDir,
}

impl Mounted {
    /// Makes and mounts one; `None`, after saying so, where the machine does not allow it. That
    /// takes root, `mkfs.ext4` and loop devices.
    pub fn new(megabytes: u64) -> Option<Self> {
        let folder = TempDir::with_prefix("oubliette-disk-").expect("a temporary folder");
        let disk = Self { folder };
        std::fs::create_dir(disk.path()).expect("a new folder");
        let file = File::create(disk.image()).expect("a new file");
        file.set_len(megabytes << 20).expect("a sparse file");
        let made = runs(Command::new("mkfs.ext4").arg("-q").arg(disk.image())) && disk.mount();
        if !made {
            skip("no loop file system: takes root, mkfs.ext4 and a loop device");
        }
        made.then_some(disk)
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// Takes all the room there is.
    pub fn fill(&self) {
        let filler = self.path().join("filler");
        // It ends with an error: no space left.
        runs(
            Command::new("dd")
                .args(["if=/dev/zero", "bs=64K"])
                .arg(format!("of={}", filler.display())),
        );
        assert!(filler.metadata().is_ok_and(|meta| meta.len() > 0), "there was room to take");
    }

    /// Gives it back.
    pub fn empty(&self) {
        std::fs::remove_file(self.path().join("filler")).expect("the filler is there");
    }

    /// Breaks it, as ext4 does when its device fails: it is read-only from now on, also for files
    /// that are open, and what was not written to the device is lost.
    pub fn abort(&self) {
        let aborted = runs(Command::new("mount").args(["-o", "remount,abort"]).arg(self.path()));
        assert!(aborted, "a mounted file system can be aborted");
    }

    /// Unmounts and mounts it, as a restart of the machine would. Nobody may have files in it.
    pub fn remount(&self) {
        assert!(self.unmount(), "nobody uses it");
        assert!(self.mount(), "its journal can be replayed");
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mount(&self) -> bool {
        let options = ["-o", "loop,errors=remount-ro"];
        runs(Command::new("mount").args(options).arg(self.image()).arg(self.path()))
    }

    fn unmount(&self) -> bool {
        is_mounted(&self.path()) && runs(Command::new("umount").arg(self.path()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if is_mounted(&self.path()) && !self.unmount() {
            // Somebody is still dying in it; it goes when they have gone.
            runs(Command::new("umount").arg("--lazy").arg(self.path()));
        }
    }
}

fn is_mounted(path: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let path = path.display().to_string();
    mounts.lines().any(|line| line.split(' ').nth(1) == Some(&path))
}

fn runs(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
