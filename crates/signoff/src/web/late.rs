//! What is done to an answer after the application made it: its cookie is kept fresh, and one that came too late is not set.
//!
//! A request that was under way during a logout must not bring the session cookie back: neither by the renewal here, nor by
//! a cookie that the application sets itself. (A server that is asked again with the token of such a cookie refuses it; but
//! the browser would hold something that looks like a session.) See decision 0021.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Auth, Head};
use crate::site::Credentials;
use crate::{Context, Denied, Live};

/// What the answer has already.
#[derive(Default)]
#[expect(clippy::exhaustive_structs, reason = "adapters fill it in from an answer, field by field")]
pub struct Written<'a> {
    /// The `Set-Cookie` fields, in their order.
    pub cookies: Vec<&'a [u8]>,
    /// The first `Cache-Control` field.
    pub cache_control: Option<&'a [u8]>,
}

impl fmt::Debug for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written")
            .field("cookies", &self.cookies.len())
            .field("cache_control", &self.cache_control.is_some())
            .finish()
    }
}

/// What the answer must get.
#[derive(Debug, Default)]
#[must_use = "change the answer so"]
#[non_exhaustive]
pub struct Finish {
    /// Fields to be added.
    pub headers: Vec<(&'static str, &'static str)>,
    /// If there is something, this replaces all `Cache-Control` fields of the answer.
    pub cache_control: Option<&'static str>,
    /// If there is something, these replace all `Set-Cookie` fields of the answer.
    pub cookies: Option<Vec<SetCookie>>,
}

/// The value of a `Set-Cookie` field, which may hold a token.
#[expect(clippy::exhaustive_structs, reason = "it is one value")]
pub struct SetCookie(pub Vec<u8>);

impl fmt::Debug for SetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetCookie(redacted)")
    }
}

/// The answer is ready: it waits a moment for a store, not for one in trouble.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is to be done with the session cookie when the answer is there.
#[derive(Debug)]
enum Due {
    Nothing,
    /// The JWT in it is past half of its life.
    Renewal(Context),
    /// It has a lifetime in the browser, which moves on with the session's.
    Roll,
}

/// A request whose answer is still to come.
#[derive(Debug)]
#[must_use = "finish the answer with it"]
pub struct Late {
    auth: Auth,
    due: Due,
}

impl Auth {
    /// To be called before the application runs; notes that the session is used.
    pub fn begin(&self, head: &impl Head) -> Late {
        let due = match self.peek() {
            Some(Ok(live)) if live.token_id().is_some() => self.renewal(live, head),
            Some(Ok(live)) if self.signoff().is_touch_due(live) => self.note_use(live),
            _ => Due::Nothing,
        };
        Late { auth: self.clone(), due }
    }

    fn renewal(&self, live: &Live, head: &impl Head) -> Due {
        if !matches!(self.credentials(), Credentials::Cookie(_)) {
            return Due::Nothing;
        }
        let half = live.expires_at().since(live.issued_at()) / 2;
        match self.signoff().since(live.issued_at()) {
            Some(age) if age >= half => Due::Renewal(self.context(head)),
            _ => Due::Nothing,
        }
    }

    /// Moves the idle end of an opaque session, beside the request: nobody waits for that write, and `touch` makes at most
    /// one of many. Unless the cookie moves with it.
    fn note_use(&self, live: &Arc<Live>) -> Due {
        if self.cookie().is_persistent() && matches!(self.credentials(), Credentials::Cookie(_)) {
            return Due::Roll;
        }
        let (signoff, live) = (self.signoff().clone(), Arc::clone(live));
        tokio::spawn(async move {
            if let Err(error) = signoff.touch(&live).await {
                tracing::warn!(target: "signoff", error = %error, "the use of a session was not noted");
            }
        });
        Due::Nothing
    }
}

impl Late {
    /// What becomes of the answer.
    pub async fn finish(self, written: Written<'_>) -> Finish {
        match self.finish_now(&written) {
            Ok(finish) => finish,
            Err(late) => late.finish_later(&written).await,
        }
    }

    /// As [`Late::finish`], without waiting, in the common case that there is nothing to wait for.
    ///
    /// # Errors
    ///
    /// This, when there is.
    pub fn finish_now(self, written: &Written<'_>) -> Result<Finish, Self> {
        let is_plain = match (self.auth.peek(), &self.due) {
            (None | Some(Err(Denied::Failed(_))), _) | (Some(Ok(_)), Due::Nothing) => true,
            (Some(Ok(_)), Due::Renewal(_) | Due::Roll) | (Some(Err(Denied::Rejected(_))), _) => false,
        };
        if is_plain && !written.cookies.iter().any(|field| self.auth.value(field).is_some()) {
            return Ok(self.auth.storing(written));
        }
        Err(self)
    }

    async fn finish_later(self, written: &Written<'_>) -> Finish {
        let Self { auth, due } = self;
        // Whoever was given the CSRF token of this cookie must be able to use it.
        let due = if auth.gave_csrf_token() { Due::Nothing } else { due };
        let mut finish = auth.storing(written);
        if written.cookies.iter().any(|field| auth.value(field).is_some()) {
            finish.cookies = auth.without_the_dead(&written.cookies).await;
            finish.cache_control = Some("no-store");
            if matches!(due, Due::Roll)
                && let Some(Ok(live)) = auth.peek()
            {
                let _ = tokio::time::timeout(PATIENCE, auth.note_quietly(live)).await;
            }
        } else if let Some(cookie) = auth.own_cookie(due).await {
            let kept = written.cookies.iter().map(|field| SetCookie(field.to_vec()));
            finish.cookies = Some(kept.chain([SetCookie(cookie.into_bytes())]).collect());
            // A cache would hand one person's session to others (RFC 9111, section 7.3), or take theirs.
            finish.cache_control = Some("no-store");
        }
        finish
    }
}

impl Auth {
    /// What the answer says of storing it.
    fn storing(&self, written: &Written<'_>) -> Finish {
        let mut finish = Finish::default();
        if self.was_used() {
            match written.cache_control {
                None => finish.cache_control = Some("no-store"),
                Some(value) if value.to_ascii_lowercase().windows(8).any(|word| word == b"no-store") => {}
                // Whatever the application lets be stored, it is for this person.
                Some(_) => finish.headers.push(("vary", "Cookie, Authorization")),
            }
        }
        finish
    }

    /// The value that a `Set-Cookie` field gives the session cookie, if it is about that.
    fn value<'a>(&self, field: &'a [u8]) -> Option<&'a [u8]> {
        let rest = field.strip_prefix(self.cookie().name().as_bytes())?.strip_prefix(b"=")?;
        rest.split(|byte| *byte == b';').next()
    }

    /// The cookies of the application, if one of them must not be set: a session cookie whose token is not live is cleared
    /// when its session has ended, and left out when that is not known.
    async fn without_the_dead(&self, fields: &[&[u8]]) -> Option<Vec<SetCookie>> {
        let (mut kept, mut is_changed) = (Vec::with_capacity(fields.len()), false);
        for field in fields {
            let dead = match self.value(field).filter(|value| !value.is_empty()) {
                None => None,
                Some(value) => self.dead(value).await,
            };
            match dead {
                None => kept.push(SetCookie(field.to_vec())),
                Some(Dead::Ended) => kept.push(SetCookie(self.cookie().clear().into_bytes())),
                Some(Dead::Unknown) => {}
            }
            is_changed |= dead.is_some();
        }
        is_changed.then_some(kept)
    }

    async fn dead(&self, value: &[u8]) -> Option<Dead> {
        let Ok(token) = std::str::from_utf8(value) else { return Some(Dead::Unknown) };
        let work = async {
            match self.signoff().authenticate(token).await {
                Ok(_) => None,
                Err(Denied::Rejected(why)) if self.signoff().has_ended(token, why).await => Some(Dead::Ended),
                Err(denied) => {
                    tracing::warn!(target: "signoff", %denied, "a session cookie was not set: its token is not live");
                    Some(Dead::Unknown)
                }
            }
        };
        tokio::time::timeout(PATIENCE, work).await.unwrap_or(Some(Dead::Unknown))
    }

    /// The session cookie that the answer gets from us.
    async fn own_cookie(&self, due: Due) -> Option<String> {
        let work = async {
            match (self.peek()?, due) {
                (Ok(live), Due::Renewal(from)) => self.renewed(live, from).await,
                (Ok(live), Due::Roll) => self.rolled(live).await,
                (Ok(_), Due::Nothing) | (Err(Denied::Failed(_)), _) => None,
                (Err(Denied::Rejected(why)), _) => self.cleared(*why).await,
            }
        };
        tokio::time::timeout(PATIENCE, work).await.ok()?
    }

    /// A fresh JWT. Only after the store confirmed that the session lives, and not if it died meanwhile.
    async fn renewed(&self, live: &Live, from: Context) -> Option<String> {
        match self.signoff().renew(live, from).await {
            Ok(issued) => match self.signoff().verify(issued.token.expose()) {
                Ok(_) => self.cookie().set(&issued.token).ok(),
                Err(why) => self.cleared(why).await,
            },
            Err(Denied::Rejected(why)) => self.cleared(why).await,
            Err(Denied::Failed(_)) => None,
        }
    }

    /// The same opaque token, for another while. Only after the store confirmed that the session lives.
    async fn rolled(&self, live: &Live) -> Option<String> {
        let is_alive = self.note_quietly(live).await?;
        let Ok(Some(token)) = self.credentials().one() else { return None };
        match self.signoff().verify(token) {
            Ok(_) if is_alive => self.cookie().set(&crate::Secret::new(token)).ok(),
            _ => Some(self.cookie().clear()).filter(|_| !is_alive),
        }
    }

    async fn note_quietly(&self, live: &Live) -> Option<bool> {
        let touched = self.signoff().touch(live).await;
        touched
            .inspect_err(
                |error| tracing::warn!(target: "signoff", error = %error, "the use of a session was not noted"),
            )
            .ok()
    }

    /// Takes a cookie out of the browser that can only be refused, for its session has ended. Not one of several: the others
    /// may be good, and have the same name.
    async fn cleared(&self, why: crate::Rejection) -> Option<String> {
        let Credentials::Cookie(_) = self.credentials() else { return None };
        let token = self.credentials().one().ok()??;
        self.signoff().has_ended(token, why).await.then(|| self.cookie().clear())
    }
}

#[derive(Clone, Copy)]
enum Dead {
    Ended,
    Unknown,
}
