//! An issuer: its exact name, and where its keys come from. It verifies nothing.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use super::fetch::Flights;
use super::jwks::{Age, Keys, Reading};
use super::scope::{Derived, Scope};
use crate::key::Algorithm;
use crate::{Error, ErrorKind, Rejection};

/// Any error, as the function that fetches keys reports it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

type Fetch = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>> + Send + Sync>;

/// A foreign issuer: whose tokens to believe, and by which keys.
///
/// Clones share one set of keys. Make one per issuer and keep it: a second one fetches again, and remembers no signature
/// that the first one verified. Use it with one [`Signoff`](crate::Signoff), whose clock tells the age of the keys.
///
/// Verification is asymmetric only, and the key decides the algorithm (RFC 8725, section 3.1). A token must name its
/// key: without `kid` it is refused even if there is only one key, because there will be two when keys are rotated.
///
/// ```
/// use signoff::foreign::Issuer;
///
/// let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
/// let issuer = Issuer::with_jwks("https://idp.example", jwks).build()?;
/// assert_eq!(issuer.kids(), ["2026"]);
///
/// // Or fetched, by whatever HTTP client the application has:
/// # async fn get(_: &str) -> Result<String, signoff::foreign::BoxError> { Ok(String::new()) }
/// let issuer = Issuer::fetched("https://idp.example", || get("https://idp.example/jwks.json")).build()?;
/// # Ok::<(), signoff::Error>(())
/// ```
#[derive(Clone)]
pub struct Issuer(pub(super) Arc<Inner>);

pub(super) struct Inner {
    name: String,
    everything: Derived,
    pub(super) keys: ArcSwap<Keys>,
    pub(super) fetch: Option<Fetch>,
    pub(super) reading: Reading,
    pub(super) limits: Limits,
    pub(super) flights: Flights,
}

/// How often keys are fetched, and how long they count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) cooldown: Duration,
    pub(super) timeout: Duration,
    pub(super) max_age: Duration,
    pub(super) stale_for: Duration,
}

impl Issuer {
    /// An issuer whose JWK set (RFC 7517) the application has at hand. It is never fetched again.
    ///
    /// `issuer` is the claim `iss`, compared byte for byte: mind the final slash.
    pub fn with_jwks(issuer: impl Into<String>, jwks: impl Into<String>) -> IssuerBuilder {
        IssuerBuilder::new(issuer.into(), Source::Data(jwks.into()))
    }

    /// An issuer whose JWK set this function fetches: once when the first token is to be authenticated, when the keys are
    /// older than `max_age`, and when a token names an unknown key, then at most once in a `cooldown`.
    ///
    /// The function must take the address from configuration, never from a token, and should follow no redirects. It
    /// runs on a task of its own; a panic counts as a failure.
    pub fn fetched<F, A>(issuer: impl Into<String>, fetch: F) -> IssuerBuilder
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, BoxError>> + Send + 'static,
    {
        IssuerBuilder::new(issuer.into(), Source::Fetched(Box::new(move || Box::pin(fetch()))))
    }

    /// The claim `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The names of the keys that count now.
    pub fn kids(&self) -> Vec<String> {
        self.0.keys.load().kids()
    }

    /// The scope of all its tokens.
    pub(super) fn everything(&self) -> &Derived {
        &self.0.everything
    }

    /// The keys, however old they are.
    pub(super) fn keys(&self) -> Guard<Arc<Keys>> {
        self.0.keys.load()
    }

    /// The keys, unless they are too old to count, or there are none yet.
    pub(super) fn keys_in_time(&self, elapsed: Duration) -> Result<Guard<Arc<Keys>>, Rejection> {
        let keys = self.0.keys.load();
        if self.0.limits.is_usable(keys.age, elapsed) { Ok(keys) } else { Err(Rejection::Stale) }
    }
}

impl Inner {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Limits {
    /// Whether keys of this age still count.
    pub(super) fn is_usable(&self, age: Age, elapsed: Duration) -> bool {
        self.is_younger(age, elapsed, self.stale_for)
    }

    /// Whether keys of this age need not be fetched anew.
    pub(super) fn is_fresh(&self, age: Age, elapsed: Duration) -> bool {
        self.is_younger(age, elapsed, self.max_age)
    }

    fn is_younger(&self, age: Age, elapsed: Duration, than: Duration) -> bool {
        match age {
            Age::Ageless => true,
            // A clock that shows less than it did is another clock, and cannot tell: then they count as old.
            Age::AskedAt(then) => elapsed.checked_sub(then).is_some_and(|age| age < than),
            Age::Never => false,
        }
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({:?}, {} keys)", self.0.name, self.0.keys.load().len())
    }
}

enum Source {
    Data(String),
    Fetched(Fetch),
}

/// An [`Issuer`] in the making.
#[must_use = "build it"]
pub struct IssuerBuilder {
    name: String,
    source: Source,
    reading: Reading,
    limits: Limits,
}

/// Every algorithm of ours whose verifying half cannot sign.
const ASYMMETRIC: [Algorithm; 5] =
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Ps256, Algorithm::Rs256];

impl IssuerBuilder {
    fn new(name: String, source: Source) -> Self {
        Self {
            name,
            source,
            reading: Reading { rsa_algorithm: Algorithm::Rs256, algorithms: ASYMMETRIC.to_vec() },
            limits: Limits {
                cooldown: Duration::from_secs(60),
                timeout: Duration::from_secs(5),
                max_age: Duration::from_secs(60 * 60),
                stale_for: Duration::from_secs(24 * 60 * 60),
            },
        }
    }

    /// Which algorithm RSA keys are bound to whose JWK has no `alg`, as those of Entra. Defaults to
    /// [`Algorithm::Rs256`], because that is what OpenID providers sign with unless told otherwise.
    pub fn rsa_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.reading.rsa_algorithm = algorithm;
        self
    }

    /// Which algorithms count; keys of others are passed over. Defaults to every asymmetric one, because a key of the
    /// issuer says itself what it is for.
    pub fn algorithms(mut self, algorithms: impl Into<Vec<Algorithm>>) -> Self {
        self.reading.algorithms = algorithms.into();
        self
    }

    /// How long after a fetch, good or failed, no token makes us fetch again: one second to one hour. A key that the
    /// issuer begins to use without publishing it first is unknown for as long. Defaults to 60 seconds, because anybody
    /// can make up names of keys.
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.limits.cooldown = cooldown;
        self
    }

    /// How long a fetch may take: up to one minute. Defaults to 5 seconds, because somebody waits.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// When keys are fetched anew although nothing is unknown: a key that the issuer withdrew counts no longer than this.
    /// At least the cooldown. Defaults to one hour.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.limits.max_age = max_age;
        self
    }

    /// How long keys count while no newer ones can be had, counted from when they were asked for: `max_age` to 7 days.
    /// Then nothing of the issuer is accepted. Defaults to 24 hours, because an issuer that is away should not take us
    /// with it at once.
    pub fn stale_for(mut self, stale_for: Duration) -> Self {
        self.limits.stale_for = stale_for;
        self
    }

    /// Checks everything, and reads the JWK set if it is at hand.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`]: a name, time or algorithm out of bounds, or a JWK set without a single key that we can use.
    pub fn build(self) -> Result<Issuer, Error> {
        let misuse = |what| Err(Error::new(ErrorKind::Misuse, what));
        if self.name.is_empty() || self.name.len() > 512 || self.name.chars().any(char::is_control) {
            return misuse("an issuer has 1 to 512 bytes without control characters");
        }
        let Reading { rsa_algorithm, algorithms } = &self.reading;
        if !matches!(rsa_algorithm, Algorithm::Ps256 | Algorithm::Rs256) {
            return misuse("rsa_algorithm takes an RSA algorithm");
        }
        if algorithms.is_empty() || algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
            return misuse("tokens of others are verified by asymmetric algorithms only");
        }
        let Limits { cooldown, timeout, max_age, stale_for } = self.limits;
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(60 * 60));
        if cooldown < Duration::from_secs(1) || cooldown > hour || timeout.is_zero() || timeout > minute {
            return misuse("1 second <= cooldown <= 1 hour, and a timeout of up to one minute");
        }
        if max_age < cooldown || stale_for < max_age || stale_for > 7 * 24 * hour {
            return misuse("cooldown <= max_age <= stale_for <= 7 days");
        }
        let (keys, fetch) = match self.source {
            Source::Data(jwks) => (Keys::parse(&jwks, &self.reading, &Keys::none_yet(), Age::Ageless)?, None),
            Source::Fetched(fetch) => (Keys::none_yet(), Some(fetch)),
        };
        if fetch.is_none() && keys.len() == 0 {
            return misuse("the JWK set has no key that we can use");
        }
        Ok(Issuer(Arc::new(Inner {
            everything: Scope::Everything.derive(&self.name),
            name: self.name,
            keys: ArcSwap::from_pointee(keys),
            fetch,
            reading: self.reading,
            limits: self.limits,
            flights: Flights::default(),
        })))
    }
}

impl fmt::Debug for IssuerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerBuilder").field("name", &self.name).field("limits", &self.limits).finish_non_exhaustive()
    }
}
