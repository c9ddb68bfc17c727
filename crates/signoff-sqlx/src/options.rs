//! How a store on a database server is opened.

use std::time::Duration;

/// How a store on a database server is opened. The default is right for one process per database.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub(crate) accept_weak_durability: bool,
    pub(crate) connections: u32,
    pub(crate) lease: Option<Duration>,
    pub(crate) unowned: bool,
}

impl ServerOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a database whose settings lose confirmed commits when the server dies or power fails, and reports them as
    /// [`Durability`](crate::Durability). For tests and toys: a logout that was confirmed may be undone.
    #[must_use]
    pub fn accept_weak_durability(self) -> Self {
        Self { accept_weak_durability: true, ..self }
    }

    /// How many connections a pool that the store opens itself may have, beside the three that it always has: two that
    /// commit, and one that holds the lock of the owner or keeps the lease alive. Defaults to 8, because reading keeps no
    /// connection busy for long.
    #[must_use]
    pub fn connections(self, connections: u32) -> Self {
        Self { connections: connections.max(1), ..self }
    }

    /// Opens the database as one of several nodes that share it. A node answers only while it has a lease of this length,
    /// 100 ms to an hour; the first opening writes it into the database, and every other one has to say the same.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")] async fn open() -> Result<(), signoff::Error> {
    /// use signoff_sqlx::{PostgresStore, ServerOptions};
    ///
    /// let options = ServerOptions::new().shared(ServerOptions::LEASE);
    /// let store = PostgresStore::open_with("postgres://bank@db.example/bank", &options).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// 5 seconds ([`ServerOptions::LEASE`]) suit most: it is how long a logout waits for a node that is gone without a word,
    /// once, and what the database may be away without anybody noticing.
    #[must_use]
    pub fn shared(self, lease: Duration) -> Self {
        Self { lease: Some(lease), ..self }
    }

    /// Opens the database without the lock of its owner although it is not shared, as tests of single statements do. Stores
    /// that are open at the same time do not hear of each other's logouts.
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn unowned(self) -> Self {
        Self { unowned: true, ..self }
    }

    /// A length for leases that suits most.
    pub const LEASE: Duration = Duration::from_secs(5);
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { accept_weak_durability: false, connections: 8, lease: None, unowned: false }
    }
}
