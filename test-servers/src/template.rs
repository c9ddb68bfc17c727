//! Data folders, made once per server version and copied for each server: tests run in processes of their own.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guard::{Failure, run};

/// A new folder with a copy of the template called `name` in `data`, which is a disk of so many bytes if that is said.
/// `make` fills a folder for the template.
pub(crate) fn copy(
    name: &str,
    owner: Option<&str>,
    disk: Option<u64>,
    make: impl Fn(&Path) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
    let templates = templates()?;
    let template = templates.join(name);
    if !template.exists() {
        let lock = File::create(templates.join(format!("{name}.lock")))?;
        lock.lock()?;
        if !template.exists() {
            // Made elsewhere: the server's user may not reach the build folder. Renamed, so that it is there whole or not.
            let making = folder(owner)?;
            let half = templates.join(format!("{name}.half"));
            let made = make(&making.join("data"));
            let _ = fs::remove_dir_all(&half);
            let made = made.and_then(|()| run(Command::new("cp").arg("-a").arg(making.join("data")).arg(&half)));
            fs::remove_dir_all(&making)?;
            made?;
            fs::rename(&half, &template)?;
        }
    }
    let folder = folder(owner)?;
    let data = folder.join("data");
    fs::create_dir(&data)?;
    if let Some(bytes) = disk {
        let size = format!("size={bytes}");
        // Only root may mount. What cannot be had is an error, not another test.
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "signoff-test"]).arg(&data))?;
    }
    let copied = run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(template.join(".")).arg(&data));
    if copied.is_err() && disk.is_some() {
        run(Command::new("umount").arg(&data))?;
    }
    copied.map(|_| folder)
}

/// A new temporary folder, which belongs to this user if the process is root.
pub(crate) fn folder(owner: Option<&str>) -> Result<PathBuf, Failure> {
    let folder = tempfile::Builder::new().prefix("signoff-").tempdir()?.keep();
    if let Some(owner) = owner.filter(|_| crate::programs::is_root()) {
        run(Command::new("chown").arg(owner).arg(&folder))?;
    }
    Ok(folder)
}

/// What is kept between runs, in `target/tmp`, as seen from the running binary in `target/*/deps`.
pub(crate) fn templates() -> Result<PathBuf, Failure> {
    let binary = env::current_exe()?;
    let target = binary.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let templates = target.map_or_else(env::temp_dir, |target| target.join("tmp")).join("test-servers");
    fs::create_dir_all(&templates)?;
    Ok(templates)
}
