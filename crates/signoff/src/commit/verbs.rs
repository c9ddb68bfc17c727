//! The verbs that end and begin sessions. Those of [`crate::refresh`] and [`crate::touch`] are with what they do.

use std::sync::Arc;

use signoff_revocation::{LogPage, Replica};

use super::Verb;
use crate::elsewhere::{Finisher, Finishing, Over};
use crate::lost::{self, Trace};
use crate::store::{CreateOutcome, NewSession, Outcome, SignOff, Store};
use crate::time::Timestamp;
use crate::{Error, Position};

/// Logouts. What they end elsewhere is finished as soon as they are in force.
pub(crate) struct SignOffs(pub(crate) Option<Arc<Finisher>>);

/// What a logout came to.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    /// What is being finished in other stores.
    pub(crate) finishing: Option<Finishing>,
}

impl From<Outcome> for Ending {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, finishing: None }
    }
}

impl Verb for SignOffs {
    type Request = SignOff;
    type Outcome = Ending;

    const LATE: &'static str = "the store did not confirm the logout in time";
    const STEPS: [&'static str; 4] =
        ["logout: queued", "logout: before the transaction", "logout: after the transaction", "logout: in force"];
    const REPEATABLE: bool = false;

    async fn run(
        store: &dyn Store,
        requests: &[SignOff],
        now: Timestamp,
    ) -> Result<(Vec<Ending>, Option<LogPage>), Error> {
        let signed_off = store.sign_off(requests, now).await?;
        Ok((signed_off.outcomes.into_iter().map(Ending::from).collect(), Some(signed_off.page)))
    }

    async fn find_out(
        store: &dyn Store,
        replica: &Replica,
        requests: &[SignOff],
        since: Position,
    ) -> Result<Vec<Trace<Self>>, Error> {
        lost::find_out(store, replica, requests, since).await
    }

    fn decided(&self, requests: &[SignOff], endings: &mut [Ending], _: Timestamp) {
        let Some(finisher) = &self.0 else { return };
        for (request, ending) in requests.iter().zip(endings) {
            ending.finishing = Over::by(&request.target).map(|ended| finisher.start(ended));
        }
    }
}

/// Logins, and what else makes a session. What belonged elsewhere to a session that is replaced is destroyed without
/// anybody waiting for it.
pub(crate) struct Creates(pub(crate) Option<Arc<Finisher>>);

impl Verb for Creates {
    type Request = NewSession;
    type Outcome = CreateOutcome;

    const LATE: &'static str = "the store did not confirm the session in time";
    const STEPS: [&'static str; 4] =
        ["login: queued", "login: before the transaction", "login: after the transaction", "login: in force"];
    const REPEATABLE: bool = false;

    async fn run(
        store: &dyn Store,
        requests: &[NewSession],
        now: Timestamp,
    ) -> Result<(Vec<CreateOutcome>, Option<LogPage>), Error> {
        let created = store.create_sessions(requests, now).await?;
        Ok((created.outcomes, Some(created.page)))
    }

    fn decided(&self, requests: &[NewSession], outcomes: &mut [CreateOutcome], _: Timestamp) {
        let Some(finisher) = &self.0 else { return };
        for (request, outcome) in requests.iter().zip(outcomes) {
            if let (Some(replaced), CreateOutcome::Created(_)) = (&request.replaces, outcome) {
                drop(finisher.start(Over::Sessions(vec![replaced.id])));
            }
        }
    }
}
