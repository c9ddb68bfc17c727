//! MariaDB on a Unix socket.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::guard::{Failure, Server, run};
use crate::{programs, template};

/// A private server, whose `root` needs no password.
#[derive(Debug)]
pub struct MariaDb {
    server: Server,
    client: PathBuf,
    databases: AtomicU32,
}

const PACKAGE: &str = "mariadb-server";
/// The same when the data is made and when it is served, or the first start would have to write the log anew.
const LOG: &str = "--innodb-log-file-size=8M";

impl MariaDb {
    /// The one that the tests of this process share, with durable settings.
    ///
    /// # Errors
    ///
    /// It is not installed, or does not start.
    pub fn shared() -> Result<&'static Self, Failure> {
        static SHARED: OnceLock<Result<MariaDb, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start(&[]).map_err(|error| error.to_string()));
        shared.as_ref().map_err(|error| error.clone().into())
    }

    /// A server of one's own, with these settings.
    ///
    /// # Errors
    ///
    /// It is not installed, or does not start.
    pub fn start(settings: &[(&str, &str)]) -> Result<Self, Failure> {
        let mariadbd = programs::find("mariadbd", PACKAGE)?;
        let client = programs::find("mariadb", PACKAGE)?;
        let version = run(Command::new(&mariadbd).args(["--no-defaults", "--version"]))?;
        let version = version.split_whitespace().nth(2).unwrap_or("unknown").replace('/', "-");
        let folder = template::copy(&format!("mariadb-{version}"), None, make)?;
        let option = |name: &str, value: PathBuf| {
            let mut option = OsString::from(name);
            option.push(value);
            option
        };
        let mut command = vec![
            mariadbd.into(),
            "--no-defaults".into(),
            option("--datadir=", folder.join("data")),
            option("--socket=", folder.join("socket")),
            option("--pid-file=", folder.join("pid")),
            // A server that starts clears away what it takes for temporary tables of its predecessor.
            option("--tmpdir=", folder.clone()),
        ];
        let usual = ["--skip-networking", LOG, "--innodb-buffer-pool-size=32M", "--max-connections=200"];
        command.extend(usual.map(OsString::from));
        command.extend(root().map(OsString::from));
        command.extend(settings.iter().map(|(name, value)| OsString::from(format!("--{name}={value}"))));
        let answers = || query(&client, &folder, "SELECT 1").is_ok();
        let server = Server::start(folder.clone(), command, answers)?;
        Ok(Self { server, client, databases: AtomicU32::new(0) })
    }

    /// The URL of a new, empty database.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub fn database(&self) -> Result<String, Failure> {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        query(&self.client, self.server.folder(), &format!("CREATE DATABASE {name}"))?;
        Ok(self.url("root", &name))
    }

    /// What `mariadb-dump` says of a database.
    ///
    /// # Errors
    ///
    /// It is not installed, or fails.
    pub fn dump(&self, url: &str) -> Result<String, Failure> {
        let name = url.split(['/', '?']).nth(3).unwrap_or_default();
        let dump = programs::find("mariadb-dump", PACKAGE)?;
        let words = ["-u", "root", "--single-transaction", "--routines", "--hex-blob", name];
        run(Command::new(dump).arg("--no-defaults").arg(socket(self.server.folder())).args(words))
    }

    /// The URL of a new database, made from a dump.
    ///
    /// # Errors
    ///
    /// The server does not answer, or refuses the dump.
    pub fn restore(&self, dump: &str) -> Result<String, Failure> {
        let (url, file) = (self.database()?, self.server.folder().join("dump.sql"));
        std::fs::write(&file, dump)?;
        let name = url.split(['/', '?']).nth(3).unwrap_or_default();
        let source = format!("source {}", file.display());
        let words = ["-u", "root", name, "-e", &source];
        run(Command::new(&self.client).arg("--no-defaults").arg(socket(self.server.folder())).args(words))?;
        Ok(url)
    }

    /// The URL of a database for a user, or for `user:password`.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("mysql://{user}@localhost/{database}?socket={}", self.server.folder().join("socket").display())
    }

    /// Ends the server at once, with all its connections.
    ///
    /// # Errors
    ///
    /// It cannot be reached.
    pub fn crash(&self) -> Result<(), Failure> {
        self.server.crash()
    }

    /// Starts the server again on the same data and socket.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start_again(&self) -> Result<(), Failure> {
        self.server.start_again(|| query(&self.client, self.server.folder(), "SELECT 1").is_ok())
    }
}

fn query(client: &Path, folder: &Path, sql: &str) -> Result<String, Failure> {
    run(Command::new(client).arg("--no-defaults").arg(socket(folder)).args(["-u", "root", "-e", sql]))
}

fn socket(folder: &Path) -> OsString {
    let mut option = OsString::from("--socket=");
    option.push(folder.join("socket"));
    option
}

fn make(data: &Path) -> Result<(), Failure> {
    let install = programs::find("mariadb-install-db", PACKAGE)?;
    let mut option = OsString::from("--datadir=");
    option.push(data);
    let words = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", LOG];
    run(Command::new(install).args(words).arg(option).args(root()))?;
    Ok(())
}

/// MariaDB runs as root only when told so in so many words.
fn root() -> Option<&'static str> {
    programs::is_root().then_some("--user=root")
}
