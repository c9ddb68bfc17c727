//! The bank as a process of its own, on a port of its own, with a database of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

/// A running bank; killed when dropped, as a crash would.
pub(crate) struct Bank {
    process: Child,
    address: String,
    delivery: String,
    folder: tempfile::TempDir,
}

impl Bank {
    pub(crate) async fn start(delivery: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), delivery)
    }

    fn start_in(folder: tempfile::TempDir, delivery: &str) -> Self {
        let db = folder.path().join("bank.sqlite3");
        let mut process = Command::new(binary())
            .args(["--addr", "127.0.0.1:0", "--delivery", delivery, "--db"])
            .arg(db)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The first line comes when the bank can answer, and names the address.
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().rsplit_once("http://").unwrap_or_else(|| panic!("no address in {line:?}")).1.to_owned();
        Self { process, address, delivery: delivery.to_owned(), folder }
    }

    /// Kills the process with SIGKILL and starts another on the same database.
    pub(crate) async fn restart(mut self) -> Self {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let delivery = self.delivery.clone();
        Self::start_in(folder, &delivery)
    }

    /// Tries to start another bank on a database, and waits for its end.
    pub(crate) fn another(&self, db: &Path) -> std::process::Output {
        Command::new(binary()).args(["--addr", "127.0.0.1:0", "--db"]).arg(db).output().unwrap()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The example, which `cargo test` builds together with this test; built here when only the test was asked for.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples").join(format!("bank{}", std::env::consts::EXE_SUFFIX));
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let sources =
        ["signoff-revocation/src", "signoff/src", "signoff-sqlx/src", "signoff-tower/src", "signoff-tower/examples"];
    let newest = sources.iter().map(|folder| newest_below(&crates.join(folder))).max();
    let built = binary.metadata().and_then(|file| file.modified()).ok();
    if built < newest {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let manifest = crates.join("signoff-tower").join("Cargo.toml");
        let mut build = Command::new(cargo);
        build.args(["build", "--example", "bank", "--manifest-path"]).arg(manifest);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the bank does not build");
    }
    binary
}

fn newest_below(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let time =
        |path: PathBuf| if path.is_dir() { newest_below(&path) } else { path.metadata().unwrap().modified().unwrap() };
    entries.map(time).max().unwrap_or(SystemTime::UNIX_EPOCH)
}
