//! PostgreSQL on a Unix socket.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::guard::{Failure, Server, run};
use crate::{Proxy, programs, template};

/// A private server. Everybody is trusted, but for the user `locked`, who needs the password `secret`.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    psql: PathBuf,
    databases: AtomicU32,
}

/// PostgreSQL does not run as root.
const USER: &str = "postgres";
const PACKAGE: &str = "postgresql";

impl Postgres {
    /// The one that the tests of this process share, with durable settings.
    ///
    /// # Errors
    ///
    /// It is not installed, or does not start.
    pub fn shared() -> Result<&'static Self, Failure> {
        static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start(&[]).map_err(|error| error.to_string()));
        shared.as_ref().map_err(|error| error.clone().into())
    }

    /// A server of one's own, with these settings.
    ///
    /// # Errors
    ///
    /// It is not installed, or does not start.
    pub fn start(settings: &[(&str, &str)]) -> Result<Self, Failure> {
        let folder = template::copy(&format!("postgres-{}-1", version()?), Some(USER), None, make)?;
        Self::serve(&folder, settings)
    }

    /// As [`Postgres::start`], with its data on a disk of so many bytes in memory, which can be full.
    ///
    /// # Errors
    ///
    /// As [`Postgres::start`], and when this process may not mount.
    pub fn start_small(bytes: u64, settings: &[(&str, &str)]) -> Result<Self, Failure> {
        let folder = template::copy(&format!("postgres-{}-1", version()?), Some(USER), Some(bytes), make)?;
        Self::serve(&folder, settings)
    }

    /// A standby that follows this server, which from now on confirms no commit that the standby does not have.
    ///
    /// # Errors
    ///
    /// It cannot be made, or does not start.
    pub fn standby(&self) -> Result<Self, Failure> {
        let copy = programs::find("pg_basebackup", PACKAGE)?;
        let folder = template::folder(Some(USER))?;
        let mut copy = programs::command(&programs::as_user(USER, &copy));
        let words = ["-U", USER, "--checkpoint=fast", "--no-sync", "--write-recovery-conf", "-X", "stream", "-h"];
        run(copy.args(words).arg(self.server.folder()).arg("-D").arg(folder.join("data")).current_dir("/"))?;
        let standby = Self::serve(&folder, &[])?;
        self.query("ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        self.query("SELECT pg_reload_conf()")?;
        for _ in 0..500 {
            if self.query("SELECT 'it is ' || sync_state FROM pg_stat_replication")?.contains("it is sync") {
                return Ok(standby);
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Err("the standby does not follow".into())
    }

    /// Makes a standby the server.
    ///
    /// # Errors
    ///
    /// It is none, or does not answer.
    pub fn promote(&self) -> Result<(), Failure> {
        self.query("SELECT pg_promote()").map(|_| ())
    }

    fn serve(folder: &Path, settings: &[(&str, &str)]) -> Result<Self, Failure> {
        let (postgres, psql) = (programs::find("postgres", PACKAGE)?, programs::find("psql", PACKAGE)?);
        let mut command = programs::as_user(USER, &postgres);
        let data = folder.join("data");
        command.extend([OsString::from("-D"), data.into(), "-k".into(), folder.into()]);
        let usual = [("listen_addresses", ""), ("shared_buffers", "32MB"), ("min_wal_size", "32MB")];
        // After a crash PostgreSQL flushes every file of its folder, one by one, unless it may ask the system for all.
        let major = version()?.split('.').next().and_then(|major| major.parse::<u32>().ok());
        let quick = major.is_some_and(|major| major >= 14).then_some(("recovery_init_sync_method", "syncfs"));
        for (name, value) in usual.iter().chain(quick.as_ref()).chain(settings) {
            command.extend(["-c".into(), OsString::from(format!("{name}={value}"))]);
        }
        let answers = || query(&psql, folder, "SELECT").is_ok();
        let server = Server::start(folder.to_owned(), command, answers)?;
        Ok(Self { server, psql, databases: AtomicU32::new(0) })
    }

    /// The URL of a new, empty database.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub fn database(&self) -> Result<String, Failure> {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.query(&format!("CREATE DATABASE {name} TEMPLATE template0"))?;
        Ok(self.url(USER, &name))
    }

    /// What `pg_dump` says of a database.
    ///
    /// # Errors
    ///
    /// It is not installed, or fails.
    pub fn dump(&self, url: &str) -> Result<String, Failure> {
        run(Command::new(programs::find("pg_dump", PACKAGE)?).arg(url))
    }

    /// The URL of a new database, made from a dump.
    ///
    /// # Errors
    ///
    /// The server does not answer, or refuses the dump.
    pub fn restore(&self, dump: &str) -> Result<String, Failure> {
        let (url, file) = (self.database()?, self.server.folder().join("dump.sql"));
        std::fs::write(&file, dump)?;
        run(Command::new(&self.psql).args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(file).arg(&url))?;
        Ok(url)
    }

    /// The URL of a database for a user, without a password.
    pub fn url(&self, user: &str, database: &str) -> String {
        let host = self.server.folder().to_string_lossy().replace('/', "%2F");
        format!("postgres://{user}@{host}/{database}")
    }

    /// A line to the server that can be spoiled.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub fn line(&self) -> Result<Proxy, Failure> {
        Proxy::to(&self.socket())
    }

    /// Lets a line that led to another server lead here.
    pub fn take_over(&self, line: &Proxy) {
        line.lead_to(&self.socket());
    }

    fn socket(&self) -> PathBuf {
        self.server.folder().join(".s.PGSQL.5432")
    }

    /// The URL of a database of this server, by way of such a line.
    pub fn url_by(&self, line: &Proxy, url: &str) -> String {
        let name = url.rsplit('/').next().unwrap_or_default();
        format!("postgres://{USER}@127.0.0.1:{}/{name}", line.port())
    }

    /// The URL of a database that another server made, on this one, which follows it.
    pub fn url_here(&self, url: &str) -> String {
        self.url(USER, url.rsplit('/').next().unwrap_or_default())
    }

    /// Where the server keeps its data.
    pub fn data(&self) -> PathBuf {
        self.server.folder().join("data")
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
        self.server.start_again(|| self.query("SELECT").is_ok())
    }

    fn query(&self, sql: &str) -> Result<String, Failure> {
        query(&self.psql, self.server.folder(), sql)
    }
}

fn version() -> Result<String, Failure> {
    let version = run(Command::new(programs::find("postgres", PACKAGE)?).arg("--version"))?;
    Ok(version.split_whitespace().nth(2).unwrap_or("unknown").to_owned())
}

fn query(psql: &Path, host: &Path, sql: &str) -> Result<String, Failure> {
    run(Command::new(psql).args(["-X", "-q", "-U", USER, "-d", "postgres", "-c", sql, "-h"]).arg(host))
}

fn make(data: &Path) -> Result<(), Failure> {
    let initdb = programs::find("initdb", PACKAGE)?;
    let mut command = programs::command(&programs::as_user(USER, &initdb));
    run(command
        .args(["-U", USER, "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=4", "-D"])
        .arg(data)
        .current_dir("/"))?;
    std::fs::write(
        data.join("pg_hba.conf"),
        "local all locked scram-sha-256\nlocal all all trust\nlocal replication all trust\n",
    )?;
    Ok(())
}
