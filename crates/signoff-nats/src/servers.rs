//! Which servers, and what they are told of who connects. It connects to none.

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;
use signoff::{Error, ErrorKind};

use crate::connection::Failure;

/// Where to connect. Credentials are kept apart: async-nats logs addresses, and takes nothing from them.
pub(crate) struct Servers {
    addresses: Vec<ServerAddr>,
    credentials: Option<Credentials>,
}

enum Credentials {
    Token(String),
    User { name: String, password: String },
}

impl Servers {
    /// Reads URLs with commas between them.
    pub(crate) fn parse(urls: &str) -> Result<Self, Error> {
        let misuse = |what| Error::new(ErrorKind::Misuse, what);
        let (mut addresses, mut credentials) = (Vec::new(), None);
        for url in urls.split(',') {
            // async-nats says what is wrong with the URL without repeating it.
            let address: ServerAddr = url.trim().parse().map_err(|error| misuse(NO_URL).with_source(error))?;
            if address.host().is_empty() || address.is_websocket() {
                return Err(misuse(NO_URL));
            }
            if address.tls_required() && !cfg!(feature = "tls-rustls") {
                return Err(misuse("encrypted connections to NATS need the feature `tls-rustls` of signoff-nats"));
            }
            credentials = credentials.or(Credentials::of(&address)?);
            let mut url = address.into_inner();
            // What has a host can do without a user.
            let _ = (url.set_username(""), url.set_password(None));
            addresses.push(ServerAddr::from_url(url).map_err(|error| misuse(NO_URL).with_source(error))?);
        }
        Ok(Self { addresses, credentials })
    }

    pub(crate) fn addresses(&self) -> &[ServerAddr] {
        &self.addresses
    }

    pub(crate) fn options(&self) -> ConnectOptions {
        match &self.credentials {
            None => ConnectOptions::new(),
            Some(Credentials::Token(token)) => ConnectOptions::with_token(token.clone()),
            Some(Credentials::User { name, password }) => {
                ConnectOptions::with_user_and_password(name.clone(), password.clone())
            }
        }
    }
}

/// Reads a subject to publish on.
pub(crate) fn subject(text: &str) -> Result<String, Error> {
    let is_part = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '*' || c == '>')
    };
    if !text.split('.').all(is_part) {
        return Err(Error::new(ErrorKind::Misuse, "a subject of NATS has parts without spaces, `*` or `>`"));
    }
    Ok(text.to_owned())
}

/// How what could not be done is told.
pub(crate) fn unavailable(what: &'static str, failure: impl Into<Failure>) -> Error {
    Error::new(ErrorKind::Unavailable, what).with_source(std::io::Error::other(failure))
}

impl Credentials {
    /// A user without a password is a token, as everywhere with NATS.
    fn of(address: &ServerAddr) -> Result<Option<Self>, Error> {
        let decode = |part: &str| {
            let decoded = percent_decode_str(part).decode_utf8();
            decoded.map(Into::into).map_err(|_| Error::new(ErrorKind::Misuse, NO_URL))
        };
        Ok(match (address.username(), address.password()) {
            (None, _) => None,
            (Some(token), None) => Some(Self::Token(decode(token)?)),
            (Some(name), Some(password)) => Some(Self::User { name: decode(name)?, password: decode(password)? }),
        })
    }
}

const NO_URL: &str = "not a URL of NATS, nor several with commas between them";

#[cfg(test)]
mod tests {
    use super::{Credentials, Servers};

    #[test]
    fn urls_are_read() {
        let check = |urls: &str, addresses: &[&str], who: Option<(&str, Option<&str>)>| {
            let servers = Servers::parse(urls).unwrap();
            let found: Vec<_> = servers.addresses.iter().map(|address| address.as_url_str()).collect();
            assert_eq!(found, addresses, "{urls}");
            let credentials = servers.credentials.as_ref().map(|credentials| match credentials {
                Credentials::Token(token) => (token.as_str(), None),
                Credentials::User { name, password } => (name.as_str(), Some(password.as_str())),
            });
            assert_eq!(credentials, who, "{urls}");
        };
        check("nats://localhost:4222", &["nats://localhost:4222"], None);
        check("10.0.0.1", &["nats://10.0.0.1"], None);
        check("nats://a:1, nats://b:2", &["nats://a:1", "nats://b:2"], None);
        check("nats://t0ken@a,nats://b", &["nats://a", "nats://b"], Some(("t0ken", None)));
        check("nats://alice:s3%40cret@[::1]:4", &["nats://[::1]:4"], Some(("alice", Some("s3@cret"))));
    }

    #[test]
    fn what_is_no_url_is_refused_without_repeating_it() {
        for urls in
            ["", "nats://", "http://:s3cret@a", "ws://s3cret@a", "nats://:s3cret@a:port", "nats://a,", "a:%ff@b"]
        {
            let error = Servers::parse(urls).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
        assert_eq!(Servers::parse("tls://a").is_ok(), cfg!(feature = "tls-rustls"));
    }
}
