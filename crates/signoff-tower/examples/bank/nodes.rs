//! The bank and its nodes. A node has a store, a memory of revocations and a lease of its own, and hears of the others
//! through the database alone, as nodes on several machines do; that they are in one process keeps the bank's money, which
//! lives in memory, in one place.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use signoff::test_util::{FailingStore, Switch};
use signoff::{Algorithm, Error, KeySet, Settings, SigningKey, Signoff};

use crate::accounts::Accounts;
use crate::attacker::Notebook;
use crate::options::Options;
use crate::people::People;

/// What all nodes share.
pub(crate) struct Bank {
    pub(crate) accounts: Accounts,
    pub(crate) people: People,
    pub(crate) notebook: Notebook,
    pub(crate) nodes: Vec<Node>,
    /// How old a typed password may be when somebody sends a large amount.
    pub(crate) password_age: Duration,
}

pub(crate) struct Node {
    pub(crate) signoff: Signoff,
    /// Makes the store fail, so that a person can see what then happens.
    pub(crate) plug: Switch,
    pub(crate) address: SocketAddr,
}

/// The bank, as one of its nodes sees it.
#[derive(Clone)]
pub(crate) struct Here {
    pub(crate) bank: Arc<Bank>,
    number: usize,
}

impl Bank {
    /// Gives the rows of the nodes back, so that the next logout waits for none of them.
    pub(crate) async fn close(self) {
        for node in self.nodes {
            node.signoff.close().await;
        }
    }
}

impl Node {
    pub(crate) async fn open(options: &Options, address: SocketAddr) -> Result<Self, Error> {
        let store = FailingStore::new(options.db.open().await?);
        let plug = store.switch();
        let keys = KeySet::new(SigningKey::load_or_create(&options.key, Algorithm::EdDsa)?);
        let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
        settings.delivery = options.delivery;
        settings.access_lifetime = options.token_life;
        settings.node_name = address.to_string();
        // A demo should not make people wait for five seconds when the plug is pulled.
        settings.commit_timeout = Duration::from_secs(2);
        Ok(Self { signoff: Signoff::open(store, keys, settings).await?, plug, address })
    }

    /// How far it has applied the log, by its own row in the database; `None` when it does not reach that.
    async fn applied(&self) -> Option<u64> {
        let rows = self.signoff.nodes().await.ok()?;
        rows.into_iter().find(|row| row.is_self).map(|row| row.applied.get())
    }
}

impl Here {
    /// One for each node.
    pub(crate) fn each(bank: &Arc<Bank>) -> Vec<Self> {
        (0..bank.nodes.len()).map(|number| Self { bank: Arc::clone(bank), number }).collect()
    }

    pub(crate) fn node(&self) -> &Node {
        &self.bank.nodes[self.number]
    }

    /// The nodes, in their order.
    pub(crate) async fn list(&self) -> Vec<Value> {
        let mut listed = Vec::new();
        for (number, node) in self.bank.nodes.iter().enumerate() {
            listed.push(json!({
                "address": node.address.to_string(),
                "is_self": number == self.number,
                "applied": node.applied().await,
                "may_answer": node.signoff.may_answer(),
                "cut_off": node.plug.is_failing(),
            }));
        }
        listed
    }

    /// Replays a captured token against every node at once.
    pub(crate) async fn replay(&self, name: &str) -> Option<Vec<Value>> {
        let replays: Vec<_> = Self::each(&self.bank)
            .into_iter()
            .map(|there| {
                let name = name.to_owned();
                tokio::spawn(async move {
                    let address = there.node().address;
                    let mut answer = there.bank.notebook.replay(&name, "__Host-signoff", address).await?;
                    answer["address"] = address.to_string().into();
                    Some(answer)
                })
            })
            .collect();
        let mut answers = Vec::new();
        for replay in replays {
            answers.push(replay.await.ok()??);
        }
        Some(answers)
    }
}
