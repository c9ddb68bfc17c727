//! Peers in other languages: `peers/node` and `peers/flask`, which print their address when they can answer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::guard::Failure;
use crate::peer::Peer;
use crate::{install, programs};

impl Peer {
    /// Fastify with fast-jwt, which remembers the tokens that it has verified; with the address.
    ///
    /// # Errors
    ///
    /// It cannot be installed, or does not start.
    pub fn fastify() -> Result<(Self, String), Failure> {
        node("fastify.mjs", &[])
    }

    /// Express with jsonwebtoken, and with the revoked tokens in this Redis; with the address.
    ///
    /// # Errors
    ///
    /// As [`Peer::fastify`].
    pub fn express(redis: &str) -> Result<(Self, String), Failure> {
        node("express.mjs", &[redis])
    }

    /// Express with Better Auth on this PostgreSQL database; with the address.
    ///
    /// # Errors
    ///
    /// As [`Peer::fastify`].
    pub fn better_auth(database: &str) -> Result<(Self, String), Failure> {
        node("better-auth.mjs", &[database])
    }

    /// Flask with Flask-JWT-Extended, whose access tokens live so many whole seconds, and with the revoked tokens in this Redis;
    /// with the address.
    ///
    /// # Errors
    ///
    /// As [`Peer::fastify`].
    pub fn flask(redis: &str, access: Duration) -> Result<(Self, String), Failure> {
        let folder = install::install_pip("peers-flask", &peers().join("flask"), &["app.py", "gunicorn.conf.py"])?;
        let mut command = Command::new(folder.join("venv/bin/python"));
        command
            .args(["-m", "gunicorn", "app:app"])
            .env("PEER_ACCESS_SECONDS", access.as_secs().to_string())
            .env("PEER_REDIS", redis);
        address(command.current_dir(folder))
    }
}

fn node(script: &str, arguments: &[&str]) -> Result<(Peer, String), Failure> {
    let scripts = ["serve.mjs", "fastify.mjs", "express.mjs", "better-auth.mjs"];
    let folder = install::install_npm("peers-node", &peers().join("node"), &scripts)?;
    let mut command = Command::new(programs::find("node", "nodejs")?);
    address(command.arg(script).args(arguments).env("NODE_ENV", "production").current_dir(folder))
}

fn address(command: &mut Command) -> Result<(Peer, String), Failure> {
    let mut peer = Peer::run(command)?;
    let address = peer.hear()?;
    Ok((peer, address))
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers")
}
