//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use signoff::Delivery;

use crate::store::Place;

pub(crate) const HELP: &str = "\
A small bank to try signoff on.

  --addr HOST:PORT        where to listen (default 127.0.0.1:3000); more nodes take the ports after it, or any for port 0
  --db FILE | URL         a SQLite file (default bank.sqlite3), or postgres://user:password@host/database
  --nodes N               how many nodes share the PostgreSQL database, 1 to 9 (default 1)
  --key FILE              the signing key (default: beside the SQLite file, or bank.key)
  --delivery jwt|opaque   what access tokens look like (default jwt)
  --token-life SECONDS    how long a JWT lives, 2 to 1800 (default 900); past half of that it is renewed
  --password-age SECONDS  how long a typed password counts for a large transfer, 1 to 300 (default 60)
  --help                  this text

PostgreSQL wants a bank that was built for it: cargo run --release -p signoff-tower --example bank --features bank-nodes -- …";

pub(crate) struct Options {
    /// One address for each node.
    pub(crate) addresses: Vec<String>,
    pub(crate) db: Place,
    pub(crate) key: PathBuf,
    pub(crate) delivery: Delivery,
    /// How old a typed password may be when somebody sends a large amount.
    pub(crate) password_age: Duration,
    /// How long a JWT lives. Short ones show the renewal at work.
    pub(crate) token_life: Duration,
}

impl Options {
    /// `None` when help is asked for.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let (mut addr, mut db, mut nodes) = ("127.0.0.1:3000".to_owned(), "bank.sqlite3".to_owned(), 1);
        let (mut key, mut delivery, mut life) = (None, Delivery::Jwt, 900);
        // Five minutes would do for a bank; in those, nobody would see the demonstration ask.
        let mut age = 60;
        while let Some(argument) = arguments.next() {
            let (name, mut value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let mut value =
                || value.take().or_else(|| arguments.next()).ok_or_else(|| format!("{name} wants a value; see --help"));
            match name.as_str() {
                "--help" | "-h" => return Ok(None),
                "--addr" => addr = value()?,
                "--db" => db = value()?,
                "--key" => key = Some(value()?.into()),
                "--nodes" => {
                    let count = value()?;
                    let few = count.parse::<u16>().ok().filter(|count| (1..=9).contains(count));
                    nodes = few.ok_or_else(|| format!("--nodes is a number from 1 to 9, not {count}"))?;
                }
                "--delivery" => {
                    delivery = match value()?.as_str() {
                        "jwt" => Delivery::Jwt,
                        "opaque" => Delivery::Opaque,
                        other => return Err(format!("--delivery is jwt or opaque, not {other}")),
                    }
                }
                "--password-age" => {
                    let seconds = value()?;
                    let sane = seconds.parse().ok().filter(|seconds| (1..=300).contains(seconds));
                    age = sane.ok_or_else(|| format!("--password-age is 1 to 300 seconds, not {seconds}"))?;
                }
                "--token-life" => {
                    let seconds = value()?;
                    let sane = seconds.parse().ok().filter(|seconds| (2..=1_800).contains(seconds));
                    life = sane.ok_or_else(|| format!("--token-life is 2 to 1800 seconds, not {seconds}"))?;
                }
                other => return Err(format!("unknown option {other}; see --help")),
            }
        }
        let db = Place::parse(&db)?;
        if nodes > 1 && !db.is_shared() {
            return Err(format!("one node owns a SQLite file; --nodes {nodes} wants --db postgres://…"));
        }
        let key = key.unwrap_or_else(|| db.key_file());
        Ok(Some(Self {
            addresses: addresses(addr, nodes)?,
            db,
            key,
            delivery,
            password_age: Duration::from_secs(age),
            token_life: Duration::from_secs(life),
        }))
    }
}

/// The address that was named, and those with the ports after it; with port 0 each node takes any.
fn addresses(first: String, nodes: u16) -> Result<Vec<String>, String> {
    if nodes == 1 {
        return Ok(vec![first]);
    }
    let wrong = || format!("--addr is HOST:PORT, with {nodes} ports from it on, not {first}");
    let (host, port) = first.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let ports = (0..nodes).map(|n| if port == 0 { Some(0) } else { port.checked_add(n) });
    ports.map(|port| port.map(|port| format!("{host}:{port}")).ok_or_else(wrong)).collect()
}
