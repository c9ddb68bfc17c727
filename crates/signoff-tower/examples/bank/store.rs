//! Where the sessions are: in a SQLite file, which one node has for itself, or in a PostgreSQL database, which nodes share.
//!
//! PostgreSQL is there with the feature `bank-nodes` only: the bank that most people try is built sooner without.

use std::fmt;
use std::path::PathBuf;

use signoff::{Error, Store};
use signoff_sqlx::SqliteStore;
#[cfg(feature = "bank-nodes")]
use signoff_sqlx::{PostgresStore, ServerOptions};

pub(crate) enum Place {
    File(PathBuf),
    #[cfg(feature = "bank-nodes")]
    Postgres(String),
}

impl Place {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            None => Ok(Self::File(text.into())),
            #[cfg(feature = "bank-nodes")]
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.to_owned())),
            #[cfg(not(feature = "bank-nodes"))]
            Some(("postgres" | "postgresql", _)) => {
                Err("this bank was built without PostgreSQL; build it with `--features bank-nodes`".to_owned())
            }
            Some((scheme, _)) => Err(format!("--db is a file or a postgres:// URL, not {scheme}://")),
        }
    }

    /// Whether several nodes can be on it.
    pub(crate) const fn is_shared(&self) -> bool {
        !matches!(self, Self::File(_))
    }

    /// Where the signing key is if nobody says otherwise.
    pub(crate) fn key_file(&self) -> PathBuf {
        match self {
            Self::File(path) => {
                let mut file = path.as_os_str().to_owned();
                file.push(".key");
                file.into()
            }
            #[cfg(feature = "bank-nodes")]
            Self::Postgres(_) => "bank.key".into(),
        }
    }

    /// Opens the store of one node.
    pub(crate) async fn open(&self) -> Result<Box<dyn Store>, Error> {
        match self {
            Self::File(path) => Ok(Box::new(SqliteStore::open(path).await?)),
            #[cfg(feature = "bank-nodes")]
            Self::Postgres(url) => {
                // As shared, with one node too: so another bank on the same database joins, and nothing has to be undone.
                let options = ServerOptions::new().shared(ServerOptions::LEASE);
                Ok(Box::new(PostgresStore::open_with(url, &options).await?))
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            // A URL may hold a password.
            #[cfg(feature = "bank-nodes")]
            Self::Postgres(_) => f.write_str("PostgreSQL"),
        }
    }
}
