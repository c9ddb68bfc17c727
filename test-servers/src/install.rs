//! Packages of other languages, installed once into the target folder, in the versions that their lock files pin.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guard::{Failure, run};
use crate::{programs, template};

/// A folder of this name with these files of another, which has a `package-lock.json`, and with the packages of that.
///
/// # Errors
///
/// There is no Node with npm, or no registry of it.
pub fn install_npm(name: &str, source: &Path, files: &[&str]) -> Result<PathBuf, Failure> {
    let files = [files, &["package.json", "package-lock.json"]].concat();
    install(name, source, &files, |folder| {
        let npm = programs::find("npm", "npm")?;
        let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
        run(Command::new(npm).args(words).current_dir(folder)).map(|_| ())
    })
}

/// A folder of this name with these files of another, which has a `requirements.txt`, and with the packages of that in `venv`.
///
/// # Errors
///
/// There is no Python with its module venv, or no index of its packages.
pub fn install_pip(name: &str, source: &Path, files: &[&str]) -> Result<PathBuf, Failure> {
    let files = [files, &["requirements.txt"]].concat();
    install(name, source, &files, |folder| {
        let python = programs::find("python3", "python3-venv")?;
        run(Command::new(python).args(["-m", "venv", "venv"]).current_dir(folder))?;
        let words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
        run(Command::new(folder.join("venv/bin/python")).args(words).current_dir(folder)).map(|_| ())
    })
}

/// A folder with these files and what `setup` makes of them. It is kept between runs, as long as the files are the same.
fn install(
    name: &str,
    source: &Path,
    files: &[&str],
    setup: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
    let parent = template::templates()?;
    let folder = parent.join(name);
    // Every test may be a process of its own, and only one may install.
    let lock = File::create(parent.join(format!("{name}.lock")))?;
    lock.lock()?;
    let wanted = files.iter().map(|file| fs::read_to_string(source.join(file))).collect::<Result<String, _>>()?;
    // Written last, so it stands only in a folder that is complete.
    let stamp = folder.join("stamp");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder)?;
    for file in files {
        fs::copy(source.join(file), folder.join(file))?;
    }
    setup(&folder)?;
    fs::write(stamp, wanted)?;
    Ok(folder)
}
