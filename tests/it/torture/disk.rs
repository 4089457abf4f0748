//! A disk of its own for the journal, in a file: it can be full and it can hang without harm to anything else.
//!
//! It needs root for the mount. Without it the journal lies in a plain folder, and the disk's faults are left out.

use crate::process::guard;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) struct Disk {
    /// Where the journal lies.
    pub(super) place: PathBuf,
    is_mounted: bool,
}

impl Disk {
    /// Makes the disk, or mounts that of an earlier run.
    pub(super) fn open(folder: &Path) -> Self {
        let (image, place) = (folder.join("disk.img"), folder.join("disk"));
        std::fs::create_dir_all(&place).unwrap();
        let (image, target) = (image.display().to_string(), place.display().to_string());
        let is_made = Path::new(&image).exists()
            || (run("truncate", &["-s", SIZE, &image]) && run("mkfs.ext4", &["-q", "-m", "0", &image]));
        let is_mounted = is_made && run("mount", &["-o", "loop", &image, &target]);
        if is_mounted {
            guard(&format!("!fsfreeze -u '{target}'; umount -l '{target}'"));
        } else {
            super::say("torture: no disk of its own could be mounted (that takes root): faults of the disk are left out");
        }
        let disk = Self { place, is_mounted };
        // A run that was killed may have left it full.
        disk.free();
        disk
    }

    pub(super) const fn is_mounted(&self) -> bool {
        self.is_mounted
    }

    /// Not a byte is left.
    pub(super) fn fill(&self) {
        let balloon = self.balloon();
        for unit in ["1G", "64M", "1M", "64K", "4K"] {
            for n in 0..1_000 {
                let part = format!("{balloon}.{unit}.{n}");
                if !run("fallocate", &["-l", unit, &part]) {
                    break;
                }
            }
        }
    }

    pub(super) fn free(&self) {
        let swept = Command::new("sh")
            .args(["-c", &format!("rm -f '{}'.*", self.balloon())])
            .status();
        assert!(swept.unwrap().success(), "the balloon is gone");
    }

    /// Whoever writes or syncs waits until `thaw`.
    pub(super) fn freeze(&self) {
        assert!(
            run("fsfreeze", &["-f", &self.place.display().to_string()]),
            "fsfreeze of util-linux"
        );
    }

    pub(super) fn thaw(&self) {
        run("fsfreeze", &["-u", &self.place.display().to_string()]);
    }

    fn balloon(&self) -> String {
        self.place.join("balloon").display().to_string()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            self.thaw();
            run("umount", &["-l", &self.place.display().to_string()]);
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Of a sparse file: an hour's journal at the usual rate takes some gigabytes.
const SIZE: &str = "12G";
