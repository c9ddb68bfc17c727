//! tower-sessions with its own store, as a process: its store links another SQLite than ours, so it is a package of its own,
//! `peers/tower-sessions`, built here.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::guard::Failure;

/// A running peer. It ends with this process, because its standard input does.
#[derive(Debug)]
pub struct Peer {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    /// Builds it if need be, and serves its application on a database in this folder; with the address.
    ///
    /// # Errors
    ///
    /// It does not build or does not start.
    pub fn serve(folder: &Path) -> Result<(Self, String), Failure> {
        let mut peer = Self::start(["serve".as_ref(), folder.join("peer.sqlite3").as_ref()])?;
        let address = peer.hear()?;
        Ok((peer, address))
    }

    /// Builds it if need be, and serves `GET /private` on this store, `sqlite` or `moka` before it, to be measured, on the first
    /// core; with the address.
    ///
    /// # Errors
    ///
    /// It does not build or does not start.
    pub fn measure(folder: &Path, store: &str) -> Result<(Self, String), Failure> {
        let file = folder.join(format!("peer-{store}.sqlite3"));
        let mut peer = Self::start(["measure".as_ref(), file.as_ref(), store.as_ref()])?;
        let address = peer.hear()?;
        Ok((peer, address))
    }

    /// Builds it if need be, and fills a database in this folder with so many sessions, to be loaded.
    ///
    /// # Errors
    ///
    /// It does not build or does not start.
    pub fn fill(folder: &Path, sessions: usize) -> Result<Self, Failure> {
        let (file, sessions) = (folder.join("peer.sqlite3"), sessions.to_string());
        let mut peer = Self::start(["load".as_ref(), file.as_ref(), sessions.as_ref()])?;
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

    fn start<const N: usize>(arguments: [&OsStr; N]) -> Result<Self, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let target = root.join("target").join("peers");
        let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
            .arg(root.join("peers").join("tower-sessions").join("Cargo.toml"))
            .env("CARGO_TARGET_DIR", &target)
            .status()?;
        if !built.success() {
            return Err("peers/tower-sessions does not build".into());
        }
        let program = target.join("release").join(format!("tower-sessions-peer{}", env::consts::EXE_SUFFIX));
        Self::run(Command::new(program).args(arguments))
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
