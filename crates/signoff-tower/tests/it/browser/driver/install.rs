//! The browsers, installed when they are missing, because a test that is skipped proves nothing.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

pub(super) fn chromium() -> [PathBuf; 2] {
    installed(["chromium", "chromedriver"], &["chromium", "chromium-driver"])
}

pub(super) fn firefox() -> PathBuf {
    let [firefox] = installed(["firefox-esr"], &["firefox-esr"]);
    firefox
}

fn installed<const N: usize>(programs: [&str; N], packages: &[&str]) -> [PathBuf; N] {
    let find = || {
        let found = programs.map(on_path);
        found.iter().all(Option::is_some).then(|| found.map(Option::unwrap))
    };
    if let Some(found) = find() {
        return found;
    }
    // Tests run in parallel, in threads or processes: one of them installs, the others wait for it.
    let lock = File::create(std::env::temp_dir().join("install-browsers.lock")).unwrap();
    lock.lock().unwrap();
    if find().is_none() {
        apt(&["update"], packages);
        apt(&[&["install", "-y"], packages].concat(), packages);
    }
    find().unwrap_or_else(|| panic!("{programs:?} are not on the PATH, although {packages:?} are installed"))
}

fn apt(arguments: &[&str], packages: &[&str]) {
    let done = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output();
    let trouble = match done {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    panic!(
        "These tests need a browser on the PATH (Debian: {packages:?}), and `apt-get {}` failed: {trouble}",
        arguments.join(" ")
    );
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
