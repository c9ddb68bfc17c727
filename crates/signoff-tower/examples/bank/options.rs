//! The command line.

use std::path::PathBuf;

use signoff::Delivery;

pub(crate) const HELP: &str = "\
A small bank to try signoff on.

  --addr HOST:PORT        where to listen (default 127.0.0.1:3000)
  --db FILE               the SQLite file; the signing key lies beside it (default bank.sqlite3)
  --delivery jwt|opaque   what access tokens look like (default jwt)
  --help                  this text";

pub(crate) struct Options {
    pub(crate) addr: String,
    pub(crate) db: PathBuf,
    pub(crate) delivery: Delivery,
}

impl Options {
    /// `None` when help is asked for.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self { addr: "127.0.0.1:3000".into(), db: "bank.sqlite3".into(), delivery: Delivery::Jwt };
        while let Some(argument) = arguments.next() {
            let (name, mut value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let mut value =
                || value.take().or_else(|| arguments.next()).ok_or_else(|| format!("{name} wants a value; see --help"));
            match name.as_str() {
                "--help" | "-h" => return Ok(None),
                "--addr" => options.addr = value()?,
                "--db" => options.db = value()?.into(),
                "--delivery" => {
                    options.delivery = match value()?.as_str() {
                        "jwt" => Delivery::Jwt,
                        "opaque" => Delivery::Opaque,
                        other => return Err(format!("--delivery is jwt or opaque, not {other}")),
                    }
                }
                other => return Err(format!("unknown option {other}; see --help")),
            }
        }
        Ok(Some(options))
    }
}
