//! The web side, without a web framework: what is accepted, answered, set and cleared. Adapters, such as signoff-tower and
//! signoff-actix, convert types and decide nothing.
//!
//! An adapter gives each request a [`Head`] to read its fields by, makes an [`Auth`] of it before the application runs, and
//! looks over the answer afterwards by [`Late::finish`]. Ready handlers are methods of [`Auth`] that return a [`Reply`].
//! Whatever changes state takes [`FromOurPages`], which only [`Auth::check_site`] makes.
//!
//! ```
//! use signoff::web::{Auth, Head, Web};
//! use signoff::{CookieSpec, KeySet, Login, MemoryStore, Settings, Signoff, SigningKey, Subject};
//!
//! /// A request of some framework.
//! struct Request(Vec<(&'static str, String)>);
//!
//! impl Head for Request {
//!     fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
//!         self.0.iter().filter(move |field| field.0 == name).map(|field| field.1.as_bytes())
//!     }
//!
//!     fn authority(&self) -> Option<&[u8]> {
//!         None
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let keys = KeySet::new(SigningKey::generate()?);
//! # let settings = Settings::new("https://bank.example", "https://bank.example/api");
//! let signoff = Signoff::open(MemoryStore::new(), keys, settings).await?;
//! let web = Web::new(signoff.clone(), CookieSpec::host("signoff")?);
//! let issued = signoff.log_in(Login::new(Subject::new("alice")?)).await?;
//!
//! let cookie = format!("__Host-signoff={}", issued.token.expose());
//! let request = Request(vec![("cookie", cookie), ("host", "bank.example".into()), ("sec-fetch-site", "same-origin".into())]);
//! let auth = Auth::read(&web, &request).await.map_err(|reply| format!("{reply:?}"))?;
//! assert!(auth.live().is_some_and(|live| live.is_ok()));
//!
//! let site = auth.check_site(&request, None).map_err(|reply| format!("{reply:?}"))?;
//! let reply = auth.log_out(&site, auth.context(&request), None).await;
//! assert_eq!(reply.status(), 200);
//! assert!(reply.headers().iter().any(|(name, value)| *name == "set-cookie" && value.starts_with("__Host-signoff=;")));
//! assert!(signoff.verify(issued.token.expose()).is_err());
//! # Ok(()) }
//! ```

mod answer;
mod csrf;
mod ending;
mod form;
mod grant;
mod guard;
mod late;
mod login;
mod logout;
mod origin;
mod over;
mod reply;
mod request;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::site::Unproven;
use crate::{CookieLedger, Denied, Error, ErrorKind, Signoff};

// The public interface is:
pub use answer::Answer;
pub use form::{Form, MAX_FORM};
pub use guard::Guard;
pub use late::{Finish, Late, SetCookie, Written};
pub use login::Carrier;
pub use origin::FromOurPages;
pub use over::close_code;
pub use reply::Reply;
pub use request::{Auth, Head, Ready, Unread};

/// What an application decides about its web side. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Web(Arc<Decisions>);

#[derive(Clone)]
struct Decisions {
    signoff: Signoff,
    cookies: CookieLedger,
    origins: Vec<String>,
    unproven: Unproven,
    storage: Storage,
    fenced: Fenced,
    csrf: Csrf,
    afterwards: Vec<String>,
}

/// What is done with a request when the store is shared by nodes and this node's lease has run out, so that it cannot know who
/// was logged out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Fenced {
    /// It is denied ([`Rejection::Stale`](crate::Rejection::Stale), answered with 503), at once. A load balancer sends it to
    /// another node.
    #[default]
    Reject,
    /// The log is read for this one request ([`Signoff::read_through`]), which takes as long as the store takes, and is
    /// denied only if it cannot be read.
    ReadThrough,
}

/// What state-changing requests by cookie must have besides the right origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Csrf {
    /// Nothing: what the browser says of their origin decides, and it cannot be forged by a page.
    #[default]
    Origin,
    /// The [token of the session](Auth::csrf_token) as well, in the field `X-CSRF-Token` or in the field
    /// `csrf_token` of a form.
    Token,
}

/// What a logout does to the storage of the browser, beyond the cookies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Storage {
    Clear,
    Keep,
}

impl Web {
    /// The web side of this service, with the description of its session cookie, or the ledger of all its cookies.
    pub fn new(signoff: Signoff, cookies: impl Into<CookieLedger>) -> Self {
        Self(Arc::new(Decisions {
            signoff,
            cookies: cookies.into(),
            origins: Vec::new(),
            unproven: Unproven::Allow,
            storage: Storage::Clear,
            fenced: Fenced::Reject,
            csrf: Csrf::Origin,
            afterwards: Vec::new(),
        }))
    }

    /// Also lets pages of this origin, `scheme://host[:port]`, send state-changing requests. The origin that `Host` names
    /// may anyway.
    #[must_use]
    pub fn trusted_origin(mut self, origin: impl Into<String>) -> Self {
        self.change().origins.push(origin.into());
        self
    }

    /// Leaves `Clear-Site-Data` out of the answer to a logout, for applications that keep something in the browser (a
    /// theme, say) and clear the rest with `signoff.js`. It is sent by default, because it needs no script to work.
    #[must_use]
    pub fn keep_storage(mut self) -> Self {
        self.change().storage = Storage::Keep;
        self
    }

    /// What is done with state-changing requests by cookie that say nothing of their origin. Defaults to
    /// [`Unproven::Allow`], because every current browser says it, and scripts do not.
    #[must_use]
    pub fn unproven(mut self, unproven: Unproven) -> Self {
        self.change().unproven = unproven;
        self
    }

    /// What state-changing requests by cookie must have besides the right origin. Defaults to [`Csrf::Origin`], nothing.
    #[must_use]
    pub fn csrf(mut self, csrf: Csrf) -> Self {
        self.change().csrf = csrf;
        self
    }

    /// What is done while this node cannot know who was logged out. Defaults to [`Fenced::Reject`], because other nodes can.
    /// Routes may differ: put another layer, made with another of these, around them.
    #[must_use]
    pub fn fenced(mut self, fenced: Fenced) -> Self {
        self.change().fenced = fenced;
        self
    }

    /// Where a browser may be sent after a logout by a plain HTML form, as path and query, `/goodbye`. The first is where it goes;
    /// a field `next` of the form may name another of them, and nothing else. Without any, forms are answered with JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when it does not begin with a single slash, or has what a path has not: then a browser might go
    /// to another site.
    pub fn after_logout(mut self, page: &str) -> Result<Self, Error> {
        let is_here = page.starts_with('/') && !page.starts_with("//");
        if !is_here || page.len() > 1024 || !page.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
            return Err(Error::new(ErrorKind::Misuse, "a page after logout is a path of this site"));
        }
        self.change().afterwards.push(page.to_owned());
        Ok(self)
    }

    /// The service that verifies.
    pub fn signoff(&self) -> &Signoff {
        &self.0.signoff
    }

    /// The cookies of the application, as far as they have to do with sessions.
    pub fn cookies(&self) -> &CookieLedger {
        &self.0.cookies
    }

    fn change(&mut self) -> &mut Decisions {
        Arc::make_mut(&mut self.0)
    }
}

impl fmt::Debug for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("cookies", &self.cookies).field("origins", &self.origins).finish_non_exhaustive()
    }
}

/// The browser module: an ES module without dependencies, to be served as `text/javascript`. It is minified; what it is
/// made from, with comments and types, is in the folder `client`, an npm package.
///
/// It posts the logout, checks that the answer proves it, and only then clears the browser's storage, tells the other
/// tabs and navigates.
pub const SIGNOFF_JS: &str = include_str!("../../client/signoff.min.js");

/// `GET /signoff.js`: the [browser module](SIGNOFF_JS), never from a cache, so that a fix reaches everybody at once.
pub fn signoff_js() -> Reply {
    Reply::new(200, "text/javascript; charset=utf-8", SIGNOFF_JS)
}

/// A person is waiting. The work goes on when this gives up; the answer is then that nothing is known.
async fn patiently<T>(work: impl Future<Output = Result<T, Denied>>) -> Result<T, Denied> {
    let late = |_| Denied::Failed(Error::new(ErrorKind::Unavailable, "the store takes too long"));
    tokio::time::timeout(Duration::from_secs(8), work).await.map_err(late)?
}
