//! The money: in memory, so that every start is a fresh one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use signoff::time::{Clock, SystemClock, Timestamp};

use crate::people::PEOPLE;

pub(crate) struct Accounts(Mutex<Ledger>);

struct Ledger {
    /// The everyday account of each person, in cents.
    balances: HashMap<&'static str, i64>,
    transfers: Vec<Transfer>,
}

struct Transfer {
    at_ms: i64,
    from: &'static str,
    to: &'static str,
    amount_cents: i64,
}

#[derive(Debug)]
pub(crate) enum Refusal {
    InsufficientFunds,
    InvalidAmount,
    UnknownPayee,
}

impl Refusal {
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::InsufficientFunds => "insufficient_funds",
            Self::InvalidAmount => "invalid_amount",
            Self::UnknownPayee => "unknown_payee",
        }
    }
}

fn now_ms() -> i64 {
    SystemClock::new().wall().map_or(0, Timestamp::as_micros) / 1_000
}

impl Accounts {
    pub(crate) fn open() -> Self {
        let balances = HashMap::from([("alice", 482_916), ("bob", 137_540)]);
        let day = 86_400_000;
        let transfers = [("bob", "alice", 4_250, 6), ("alice", "bob", 1_899, 3), ("bob", "alice", 12_000, 1)];
        let transfers = transfers.map(|(from, to, amount_cents, days)| Transfer {
            at_ms: now_ms() - days * day,
            from,
            to,
            amount_cents,
        });
        Self(Mutex::new(Ledger { balances, transfers: transfers.into() }))
    }

    /// What one person may see.
    pub(crate) fn view(&self, user: &str) -> Value {
        let ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let everyday = ledger.balances.get(user).copied().unwrap_or(0);
        let name = |id: &str| PEOPLE.iter().find(|person| person.id == id).map_or("Somebody", |person| person.name);
        let (iban, savings) = if user == "alice" { ("4207", 1_860_000) } else { ("9315", 540_250) };
        let theirs = ledger.transfers.iter().enumerate().rev().filter(|(_, t)| t.from == user || t.to == user);
        let transfers: Vec<_> = theirs
            .take(20)
            .map(|(n, t)| {
                let out = t.from == user;
                json!({
                    "id": n.to_string(), "at_ms": t.at_ms, "amount_cents": t.amount_cents,
                    "counterparty": name(if out { t.to } else { t.from }), "direction": if out { "out" } else { "in" },
                })
            })
            .collect();
        let payees = PEOPLE.iter().filter(|person| person.id != user);
        json!({
            "user": { "id": user, "name": name(user) },
            "accounts": [
                { "id": "everyday", "name": "Everyday account", "number": format!("•••• {iban}"), "balance_cents": everyday },
                { "id": "savings", "name": "Rainy-day savings", "number": "•••• 0088", "balance_cents": savings },
            ],
            "transfers": transfers,
            "payees": payees.map(|person| json!({ "id": person.id, "name": person.name })).collect::<Vec<_>>(),
        })
    }

    /// Moves money between everyday accounts and says what is left.
    pub(crate) fn transfer(&self, from: &str, to: &str, amount_cents: i64) -> Result<Value, Refusal> {
        let known = |id: &str| PEOPLE.iter().find(|person| person.id == id).map(|person| person.id);
        let (Some(from), Some(to)) = (known(from), known(to)) else { return Err(Refusal::UnknownPayee) };
        if from == to {
            return Err(Refusal::UnknownPayee);
        }
        if !(1..=100_000_000).contains(&amount_cents) {
            return Err(Refusal::InvalidAmount);
        }
        let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = ledger.balances.get(from).copied().unwrap_or(0) - amount_cents;
        if left < 0 {
            return Err(Refusal::InsufficientFunds);
        }
        ledger.balances.insert(from, left);
        *ledger.balances.entry(to).or_default() += amount_cents;
        ledger.transfers.push(Transfer { at_ms: now_ms(), from, to, amount_cents });
        Ok(json!({ "id": (ledger.transfers.len() - 1).to_string(), "balance_cents": left }))
    }
}
