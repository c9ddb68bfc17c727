//! Where the servers' programs are, and how they come to be there.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guard::{Failure, run};

/// A program, installed by this Debian package if it is missing and this process may do that.
pub(crate) fn find(program: &str, package: &str) -> Result<PathBuf, Failure> {
    if let Some(found) = look_for(program) {
        return Ok(found);
    }
    // One process at a time: apt refuses a second one.
    let lock = File::create(env::temp_dir().join("signoff-test-servers.lock"))?;
    lock.lock()?;
    if look_for(program).is_none() && is_root() {
        let apt =
            |arguments: &[&str]| run(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments));
        let install = ["install", "-y", "--no-install-recommends", package];
        if apt(&install).is_err() {
            apt(&["update"])?;
            apt(&install)?;
        }
    }
    look_for(program).ok_or_else(|| {
        format!("the tests need `{program}`, which is not installed: on Debian, `apt-get install {package}`").into()
    })
}

fn look_for(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    // Debian keeps PostgreSQL's servers beside each other; the newest one will do.
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    folders
        .extend(versions.iter().map(|version| Path::new("/usr/lib/postgresql").join(version.to_string()).join("bin")));
    folders.into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}

pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The words that run a program as this user, if this process is root. They replace themselves by the program.
pub(crate) fn as_user(user: &str, program: &Path) -> Vec<OsString> {
    let mut words = Vec::new();
    if is_root() {
        words.extend(["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"].map(OsString::from));
    }
    words.push(program.into());
    words
}

/// A command from words.
pub(crate) fn command(words: &[OsString]) -> Command {
    let [program, arguments @ ..] = words else { return Command::new("false") };
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
