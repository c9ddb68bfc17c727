//! What others do with sessions, as processes: packages of their own in `peers`, because they link other versions of what we
//! link. Built here.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::guard::Failure;

/// A peer, and where it has its sessions.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Sessions<'a> {
    /// actix-session on the Redis at this URL.
    Actix(&'a str),
    /// tower-sessions on a SQLite database in this folder, behind its cache.
    TowerCached(&'a Path),
    /// tower-sessions on a SQLite database in this folder.
    TowerSqlite(&'a Path),
}

/// A running peer. It ends with this process, because its standard input does.
#[derive(Debug)]
pub struct Peer {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// Who measures wants it linked as the benches are, who tests wants it soon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum For {
    Benches,
    Tests,
}

impl Peer {
    /// Builds it if need be, and serves its application; with the address.
    ///
    /// # Errors
    ///
    /// It does not build or does not start.
    pub fn serve(sessions: Sessions<'_>) -> Result<(Self, String), Failure> {
        let mut peer = Self::start(sessions.package(), For::Tests, "serve", sessions.place())?;
        let address = peer.hear()?;
        Ok((peer, address))
    }

    /// Builds it if need be, and serves `GET /private`, to be measured, on the first core; with the address.
    ///
    /// # Errors
    ///
    /// It does not build or does not start.
    pub fn measure(sessions: Sessions<'_>) -> Result<(Self, String), Failure> {
        let mut peer = Self::start(sessions.package(), For::Benches, "measure", sessions.place())?;
        let address = peer.hear()?;
        Ok((peer, address))
    }

    /// Builds tower-sessions if need be, and fills a database in this folder with so many sessions, to be loaded.
    ///
    /// # Errors
    ///
    /// It does not build or does not start.
    pub fn fill(folder: &Path, sessions: usize) -> Result<Self, Failure> {
        let package = Sessions::TowerSqlite(folder).package();
        let mut peer = Self::start(package, For::Benches, "load", [file(folder), sessions.to_string().into()])?;
        match peer.hear()?.as_str() {
            "ready" => Ok(peer),
            other => Err(format!("the peer says {other:?}").into()),
        }
    }

    /// Loads so many sessions one after the other. Returns the nanoseconds that each took.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn load(&mut self, count: usize) -> Result<f64, Failure> {
        writeln!(self.stdin, "{count}")?;
        self.hear()?.parse().map_err(|_| "the peer says no number".into())
    }

    fn start(
        package: &str,
        purpose: For,
        order: &str,
        place: impl IntoIterator<Item: AsRef<OsStr>>,
    ) -> Result<Self, Failure> {
        Self::run(Command::new(build(package, purpose)?).arg(order).args(place))
    }

    /// What speaks on its standard output and ends with its standard input.
    pub(crate) fn run(command: &mut Command) -> Result<Self, Failure> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("the peer has no pipes".into());
        };
        Ok(Self { process, stdin, stdout: BufReader::new(stdout) })
    }

    pub(crate) fn hear(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Err("the peer has ended".into());
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Sessions<'_> {
    const fn package(&self) -> &'static str {
        match self {
            Self::Actix(_) => "actix-session",
            Self::TowerCached(_) | Self::TowerSqlite(_) => "tower-sessions",
        }
    }

    fn place(&self) -> Vec<OsString> {
        match self {
            Self::Actix(redis) => vec![redis.into()],
            Self::TowerCached(folder) => vec![folder.join("cached.sqlite3").into(), "moka".into()],
            Self::TowerSqlite(folder) => vec![file(folder), "sqlite".into()],
        }
    }
}

fn file(folder: &Path) -> OsString {
    folder.join("peer.sqlite3").into()
}

/// The program of this package.
fn build(package: &str, purpose: For) -> Result<PathBuf, Failure> {
    // Benches that were built without link-time optimisation are held against peers without.
    let linked_soon = env::var_os("CARGO_PROFILE_BENCH_LTO").is_some_and(|lto| lto == "off");
    let profile = if purpose == For::Benches && !linked_soon { "measure" } else { "release" };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = root.join("target").join("peers");
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--profile", profile, "--locked", "--quiet", "--manifest-path"])
        .arg(root.join("peers").join(package).join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .status()?;
    if !built.success() {
        return Err(format!("peers/{package} does not build").into());
    }
    Ok(target.join(profile).join(format!("{package}-peer{}", env::consts::EXE_SUFFIX)))
}
