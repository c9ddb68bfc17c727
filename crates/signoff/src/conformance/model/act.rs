//! What clients do to a service, and what it answers.

use crate::audit::Context;
use crate::{
    Cause, ClientId, Delivery, Denied, Error, Issued, Live, Login, Rejection, Scope, Session, SessionId, Signoff,
    Subject, Update,
};

/// One request, with everything that it needs.
#[derive(Debug)]
pub(super) enum Act {
    Authenticate { slot: usize, token: usize },
    EndSession { slot: usize, subject: usize },
    Everywhere { slot: usize, token: String },
    List { subject: usize },
    Load { slot: usize, live: Box<Live> },
    LogIn { slot: usize, subject: usize, client: usize },
    LogOut { slot: usize, token: String },
    Nothing,
    Others { slot: usize, live: Box<Live> },
    Purge,
    Refresh { slot: usize, presented: String },
    Renew { slot: usize, live: Box<Live> },
    Revoke(Scoped),
    Save { slot: usize, live: Box<Live>, version: u64, data: u8 },
    Touch { slot: usize, live: Box<Live> },
}

/// What is revoked.
#[derive(Debug)]
pub(super) enum Scoped {
    Client(usize),
    Everything,
    Session(usize, SessionId),
    Subject(usize),
    Token(usize, usize, [u8; 16]),
}

/// The answer, as far as it counts.
#[derive(PartialEq, Debug)]
pub(super) enum Said {
    Accepted(bool),
    Began {
        refresh: Option<String>,
    },
    /// How many it destroyed; `None`: there was nothing to end.
    Ended(Option<u64>),
    Kept(bool),
    Listed(Vec<usize>),
    /// Version and data.
    Loaded(Option<(u64, u8)>),
    Nothing,
    NotRefreshed(Rejection),
    Refreshed(String),
    Renewed(bool),
    Updated(Update),
}

/// What somebody holds who has logged in.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: SessionId,
    pub(super) subject: usize,
    pub(super) client: usize,
    pub(super) tokens: Vec<String>,
    pub(super) refresh: Vec<String>,
}

/// The names of one life, which nobody else has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names(pub(super) u64);

impl Names {
    fn subject(self, n: usize) -> Subject {
        Subject::new(&format!("person {n} of life {}", self.0)).expect("a good subject")
    }

    fn client(self, n: usize) -> ClientId {
        ClientId::new(&format!("client {n} of life {}", self.0)).expect("a good client id")
    }
}

/// What was answered, and what somebody got.
pub(super) struct Answer {
    pub(super) said: Said,
    pub(super) began: Option<Held>,
    pub(super) token: Option<String>,
    /// Sessions that were listed. Which ones these are is known when all who asked at once have got theirs.
    pub(super) listed: Option<Vec<SessionId>>,
}

impl From<Said> for Answer {
    fn from(said: Said) -> Self {
        Self { said, began: None, token: None, listed: None }
    }
}

/// Does it. Errors are none of these stores' to give.
pub(super) async fn perform(
    signoff: &Signoff,
    names: Names,
    held: &[Option<Held>],
    act: &Act,
) -> Result<Answer, Error> {
    let cause = Cause::logout;
    let scope_of = |slot: &usize| held.get(*slot).and_then(Option::as_ref).map(|held| held.id);
    Ok(match act {
        Act::Nothing => Said::Nothing.into(),
        Act::LogIn { subject, client, .. } => {
            let login = Login::new(names.subject(*subject)).client(names.client(*client)).data([0]);
            let Issued { token, refresh_token, session, .. } = signoff.log_in(login).await?;
            let refresh: Option<String> = refresh_token.map(|token| token.expose().to_owned());
            let began = Held {
                id: session.id,
                subject: *subject,
                client: *client,
                tokens: vec![token.expose().to_owned()],
                refresh: refresh.iter().cloned().collect(),
            };
            Answer { said: Said::Began { refresh }, began: Some(began), token: None, listed: None }
        }
        Act::Authenticate { slot, token } => {
            let token = held.get(*slot).and_then(Option::as_ref).and_then(|held| held.tokens.get(*token));
            let token = token.map(String::as_str).unwrap_or_default();
            Said::Accepted(rejection(signoff.authenticate(token).await)?.is_ok()).into()
        }
        Act::Touch { live, .. } => Said::Kept(signoff.touch(live).await?).into(),
        Act::Renew { live, .. } => match rejection(signoff.renew(live, Context::new()).await)? {
            Ok(issued) => {
                let token = Some(issued.token.expose().to_owned());
                Answer { said: Said::Renewed(true), began: None, token, listed: None }
            }
            Err(_) => Said::Renewed(false).into(),
        },
        Act::Load { live, .. } => {
            let loaded = signoff.session(live).await?;
            let read = |session: Session| (session.version, session.data.first().copied().unwrap_or(u8::MAX));
            Said::Loaded(loaded.map(read)).into()
        }
        Act::Save { live, version, data, .. } => {
            Said::Updated(signoff.update_session(live, *version, &[*data]).await?).into()
        }
        Act::Refresh { presented, .. } => match rejection(signoff.refresh(presented, Context::new()).await)? {
            Ok(refreshed) => {
                let token = Some(refreshed.token.expose().to_owned());
                let said = Said::Refreshed(refreshed.refresh_token.expose().to_owned());
                Answer { said, began: None, token, listed: None }
            }
            Err(refused) => Said::NotRefreshed(refused).into(),
        },
        Act::LogOut { token, .. } => {
            let told = rejection(signoff.log_out(&[token], cause()).await)?;
            Said::Ended(told.ok().map(|receipt| receipt.destroyed())).into()
        }
        Act::Everywhere { token, .. } => {
            let told = rejection(signoff.log_out_everywhere(&[token], cause()).await)?;
            Said::Ended(told.ok().map(|receipt| receipt.destroyed())).into()
        }
        Act::Others { live, .. } => Said::Ended(Some(signoff.log_out_others(live, cause()).await?.destroyed)).into(),
        Act::EndSession { slot, subject } => {
            let id = scope_of(slot).unwrap_or(SessionId::from_bytes([0; 16]));
            let told = signoff.end_session(&names.subject(*subject), &id, cause()).await?;
            Said::Ended(told.map(|receipt| receipt.destroyed())).into()
        }
        Act::Revoke(scoped) => {
            let (subject, client);
            let scope = match scoped {
                Scoped::Everything => Scope::Everything,
                Scoped::Client(n) => {
                    client = names.client(*n);
                    Scope::Client(client.as_str())
                }
                Scoped::Subject(n) => {
                    subject = names.subject(*n);
                    Scope::Subject(subject.as_str())
                }
                Scoped::Session(_, id) => Scope::Session(id.as_bytes()),
                Scoped::Token(_, _, id) => Scope::Token(id),
            };
            Said::Ended(Some(signoff.revoke(scope, cause()).await?.destroyed)).into()
        }
        Act::List { subject } => {
            let listed = signoff.sessions(&names.subject(*subject), None).await?;
            let listed = listed.iter().map(|session| session.id).collect();
            Answer { said: Said::Nothing, began: None, token: None, listed: Some(listed) }
        }
        Act::Purge => {
            while signoff.purge().await? != crate::store::Purged::default() {}
            Said::Nothing.into()
        }
    })
}

/// Takes a refusal apart from a failure.
pub(super) fn rejection<T>(outcome: Result<T, Denied>) -> Result<Result<T, Rejection>, Error> {
    match outcome {
        Ok(done) => Ok(Ok(done)),
        Err(Denied::Rejected(rejection)) => Ok(Err(rejection)),
        Err(Denied::Failed(error)) => Err(error),
    }
}

/// How many of each there are.
pub(super) const SUBJECTS: u64 = 3;
pub(super) const CLIENTS: u64 = 2;

/// Both deliveries in turn.
pub(super) const fn delivery(life: u64) -> Delivery {
    if life.is_multiple_of(2) { Delivery::Jwt } else { Delivery::Opaque }
}
