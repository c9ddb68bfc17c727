//! The bank as a process of its own, on ports of its own, with a database of its own.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

/// A running bank; killed when dropped, as a crash would.
pub(crate) struct Bank {
    process: Child,
    /// Of its nodes.
    addresses: Vec<String>,
    arguments: Vec<OsString>,
    folder: tempfile::TempDir,
}

impl Bank {
    /// One node on a SQLite file.
    pub(crate) async fn start(delivery: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("bank.sqlite3");
        Self::start_in(folder, 1, vec!["--delivery".into(), delivery.into(), "--db".into(), db.into()])
    }

    /// One node on a SQLite file, with more arguments.
    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("bank.sqlite3");
        let arguments = arguments.iter().map(OsString::from);
        Self::start_in(folder, 1, arguments.chain(["--db".into(), db.into()]).collect())
    }

    /// Several nodes on a PostgreSQL database.
    pub(crate) async fn start_nodes(url: &str, nodes: usize, delivery: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("bank.key");
        let words = ["--db", url, "--nodes", &nodes.to_string(), "--delivery", delivery, "--key"].map(OsString::from);
        Self::start_in(folder, nodes, words.into_iter().chain([key.into()]).collect())
    }

    fn start_in(folder: tempfile::TempDir, nodes: usize, arguments: Vec<OsString>) -> Self {
        // A node that cannot join within a quarter of a lease gives up, which happens on a machine that is busy.
        let attempts = if nodes > 1 { 5 } else { 1 };
        let started = (0..attempts).find_map(|_| spawn(nodes, &arguments));
        let (process, addresses) = started.expect("the bank did not start");
        Self { process, addresses, arguments, folder }
    }

    /// Kills the process with SIGKILL and starts another on the same database.
    pub(crate) async fn restart(mut self) -> Self {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        Self::start_in(folder, self.addresses.len(), self.arguments.clone())
    }

    /// Tries to start a bank, and waits for its end.
    pub(crate) fn attempt<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
        Command::new(binary()).args(["--addr", "127.0.0.1:0"]).args(arguments).output().unwrap()
    }

    pub(crate) fn address(&self) -> &str {
        &self.addresses[0]
    }

    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the bank and reads its addresses; nothing when it ends before it has named them all.
fn spawn(nodes: usize, arguments: &[OsString]) -> Option<(Child, Vec<String>)> {
    let mut command = Command::new(binary());
    let mut process = command.args(["--addr", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    // The first lines come when the bank can answer, and name the addresses.
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok).take(nodes);
    let address =
        |line: String| line.rsplit_once("http://").unwrap_or_else(|| panic!("no address in {line:?}")).1.into();
    let addresses: Vec<String> = lines.map(address).collect();
    if addresses.len() < nodes {
        process.wait().unwrap();
        return None;
    }
    Some((process, addresses))
}

/// The example with PostgreSQL in it, which a build of the workspace makes together with this test; built here when only
/// this package was asked for.
fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build).clone()
}

fn build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples").join(format!("bank{}", std::env::consts::EXE_SUFFIX));
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let sources = [
        "signoff-revocation/src",
        "signoff/src",
        "signoff-sqlx/src",
        "signoff-tower/src",
        "signoff/client/signoff.min.js",
        "signoff-tower/examples",
    ];
    let newest = sources.iter().map(|folder| newest_below(&crates.join(folder))).max();
    let built = binary.metadata().and_then(|file| file.modified()).ok();
    // Without the feature this test may have come together with a bank that knows SQLite alone.
    if !cfg!(feature = "bank-nodes") || built < newest {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let manifest = crates.join("signoff-tower").join("Cargo.toml");
        let mut build = Command::new(cargo);
        build.args(["build", "--example", "bank", "--features", "bank-nodes", "--manifest-path"]).arg(manifest);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the bank does not build");
    }
    binary
}

fn newest_below(path: &Path) -> SystemTime {
    if !path.is_dir() {
        return path.metadata().unwrap().modified().unwrap();
    }
    let entries = std::fs::read_dir(path).unwrap().map(|entry| newest_below(&entry.unwrap().path()));
    entries.max().unwrap_or(SystemTime::UNIX_EPOCH)
}
