//! What PostgreSQL and MySQL have in common as servers: connections, their owner, and the store made of them. No SQL.

mod owner;
mod store;
mod writer;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use signoff::store::Seat;
use signoff::{Error, ErrorKind};
use sqlx::pool::PoolOptions;
use sqlx::{Connection, Database, Pool};

use crate::durability::Durability;
use crate::error::{database, is_answer};
use crate::options::ServerOptions;
use crate::rows::micros;
use owner::Owner;
use writer::Writer;

pub(crate) use store::{server_store, twice};
pub(crate) use writer::Writing;

/// What a kind of server does in its own words.
pub(crate) trait Dialect: Database {
    /// How URLs begin.
    const SCHEMES: &'static [&'static str];

    /// Prepares a connection for statements and transactions of ours.
    fn prepare(connection: &mut Self::Connection) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Takes the lock of this database's owner for as long as the connection lives; `false` if somebody else has it.
    fn own(connection: &mut Self::Connection) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Gives it back.
    fn disown(connection: &mut Self::Connection) -> impl Future<Output = Result<(), Error>> + Send;

    /// The length of the leases of nodes, in microseconds, if they share the database.
    fn lease(connection: &mut Self::Connection) -> impl Future<Output = Result<Option<i64>, Error>> + Send;

    /// Writes it down, if none is written down.
    fn set_lease(connection: &mut Self::Connection, micros: i64) -> impl Future<Output = Result<(), Error>> + Send;

    /// Says for each setting that loses confirmed commits what is wrong.
    fn weaknesses(connection: &mut Self::Connection) -> impl Future<Output = Result<Vec<&'static str>, Error>> + Send;

    /// Brings the tables up to date, one node at a time.
    fn migrate(connection: &mut Self::Connection) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The connections of a store.
pub(crate) struct Server<D: Dialect> {
    pub(crate) seat: Seat,
    pool: Pool<D>,
    writer: Writer<D>,
    /// A connection for what keeps the lease alive, so that it waits for nobody.
    pulse: Writer<D>,
    owner: Option<Owner>,
    lease: Option<Duration>,
    durability: Durability,
}

/// How many connections commit what moves the head of the log. A crowd is served quicker by two than by one: the second does
/// its work while the first one's commit goes to the disk, and this process its own. A third would only wait for the lock of
/// the head as well.
pub(crate) const WRITERS: u32 = 2;

/// A pool that was idle for longer asks a connection whether it still lives before it is used.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long to wait for a connection. The library's own limits are of this order.
const PATIENCE: Duration = Duration::from_secs(5);

impl<D: Dialect> Server<D> {
    /// Opens a pool of the store's own.
    pub(crate) async fn open(url: &str, options: &ServerOptions) -> Result<Self, Error> {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        if !scheme.is_some_and(|scheme| D::SCHEMES.contains(&scheme)) {
            return Err(Error::new(ErrorKind::Misuse, "this is not a URL of such a database"));
        }
        let url = url.parse::<<D::Connection as Connection>::Options>().map_err(database)?;
        let pool = PoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(PATIENCE)
            // A question to the server before each use would double the time of a read.
            .test_before_acquire(false)
            .after_connect(|connection, _| Box::pin(D::prepare(connection)))
            // A question to the server before each use would double the time of a read.
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                // What the library says of a connection is for the log; the first use of one that is broken tells it.
                Box::pin(async move {
                    D::prepare(connection).await.map_err(|error| sqlx::Error::Configuration(Box::new(error)))
                })
            })
            .before_acquire(|connection: &mut D::Connection, used| {
                Box::pin(async move { Ok(used.idle_for < TRUSTED || connection.ping().await.is_ok()) })
            })
            .connect_lazy_with(url);
        Self::with_pool(pool, options).await
    }

    pub(crate) async fn with_pool(pool: Pool<D>, options: &ServerOptions) -> Result<Self, Error> {
        let writer = Writer::new(pool.clone(), WRITERS);
        let mut writing = writer.take().await?;
        // First of all: who is not the owner changes nothing, not even the tables. What nodes share already has no owner,
        // and cannot get one.
        let known = lease_of::<D>(&mut writing).await?;
        let mut owner = match (options.lease, known) {
            (Some(_), Some(_)) => None,
            _ if options.unowned => None,
            _ => Some(Owner::take(pool.clone()).await?),
        };
        let durability = D::weaknesses(&mut writing).await?;
        let durability = Durability::judge(durability, options.accept_weak_durability)?;
        D::migrate(&mut writing).await?;
        if let Some(lease) = options.lease {
            D::set_lease(&mut writing, micros(lease)).await?;
        }
        let agreed = D::lease(&mut writing).await?;
        // Now, for later the application may have lent all that its pool has.
        writer.take().await?.done(Ok(())).await?;
        writing.done(Ok(())).await?;
        if agreed != options.lease.map(micros) {
            let what = match options.lease {
                Some(_) => "the nodes that share the database have leases of another length",
                None => "nodes share the database: open it with ServerOptions::shared",
            };
            return Err(Error::new(ErrorKind::Misuse, what));
        }
        if options.lease.is_some()
            && let Some(owner) = owner.take()
        {
            owner.leave().await;
        }
        let pulse = Writer::new(pool.clone(), 1);
        Ok(Self { seat: Seat::new(), pool, writer, pulse, owner, lease: options.lease, durability })
    }

    /// The length of the leases, if nodes share the database.
    pub(crate) const fn lease(&self) -> Option<Duration> {
        self.lease
    }

    /// The connection that keeps the lease alive.
    pub(crate) async fn pulse(&self) -> Result<Writing<'_, D>, Error> {
        self.pulse.take().await
    }

    /// Connections for single statements.
    pub(crate) fn pool(&self) -> Result<&Pool<D>, Error> {
        self.check()?;
        Ok(&self.pool)
    }

    /// A connection that commits what moves the head of the log.
    pub(crate) async fn writer(&self) -> Result<Writing<'_, D>, Error> {
        self.check()?;
        self.writer.take().await
    }

    pub(crate) fn durability(&self) -> &Durability {
        &self.durability
    }

    pub(crate) async fn close(self) {
        self.writer.close().await;
        self.pulse.close().await;
        if let Some(owner) = self.owner {
            owner.leave().await;
        }
    }

    fn check(&self) -> Result<(), Error> {
        match &self.owner {
            Some(owner) if owner.is_lost() => {
                let what =
                    "the connection that held the lock of this database's owner broke, and somebody else has it now";
                Err(Error::new(ErrorKind::Misuse, what))
            }
            _ => Ok(()),
        }
    }
}

/// No address and no password: only what the store knows of itself.
impl<D: Dialect> fmt::Debug for Server<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(D::NAME)
            .field("connections", &self.pool.size())
            .field("lease", &self.lease)
            .field("durability", &self.durability)
            .finish()
    }
}

/// The length of the leases that the database knows, in microseconds. A database that answers with an error has no such table
/// yet, or none with that column.
async fn lease_of<D: Dialect>(connection: &mut D::Connection) -> Result<Option<i64>, Error> {
    match D::lease(connection).await {
        Err(error) if is_answer(&error) => Ok(None),
        known => known,
    }
}

/// A connection for us alone, set up as the application sets up its connections.
async fn detached<D: Dialect>(pool: &Pool<D>) -> Result<D::Connection, Error> {
    // What broke one connection may have broken those of the pool, also those that are just coming back to it.
    let mut others = pool.size();
    loop {
        let mut connection = pool.acquire().await.map_err(database)?.detach();
        match D::prepare(&mut connection).await.map_err(database) {
            Ok(()) => return Ok(connection),
            Err(error) if others == 0 || is_answer(&error) => return Err(error),
            Err(_) => others -= 1,
        }
    }
}
