//! How a store on a database server is opened.

/// How a store on a database server is opened. The default is right for one process per database.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub(crate) accept_weak_durability: bool,
    pub(crate) connections: u32,
    pub(crate) shared: bool,
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

    /// How many connections a pool that the store opens itself may have, beside the two that it always has: one that
    /// commits and one that holds the lock of the owner. Defaults to 8, because reading keeps no connection busy for long.
    #[must_use]
    pub fn connections(self, connections: u32) -> Self {
        Self { connections: connections.max(1), ..self }
    }

    /// Opens the database without the lock of its owner, so that several stores share it, as the tests of the log do.
    /// Nodes that share a database do not hear of each other's logouts until they read the log.
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn shared(self) -> Self {
        Self { shared: true, ..self }
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { accept_weak_durability: false, connections: 8, shared: false }
    }
}
