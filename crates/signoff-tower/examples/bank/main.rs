//! A small bank to try signoff on: `cargo run --release --example bank`, then open the address it prints.
//!
//! Sessions live in a SQLite file and survive a restart, as does the signing key beside it. Balances do not.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

mod accounts;
mod attacker;
mod options;
mod people;
mod web;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use signoff::test_util::{FailingStore, Switch};
use signoff::{Algorithm, KeySet, Settings, SigningKey, Signoff};
use signoff_sqlx::SqliteStore;

use accounts::Accounts;
use attacker::Notebook;
use options::Options;
use people::People;

/// What the handlers share.
struct Bank {
    signoff: Signoff,
    accounts: Accounts,
    people: People,
    notebook: Notebook,
    /// Makes the store fail, so that a person can see what then happens.
    plug: Switch,
    address: SocketAddr,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bank: {error}");
            let mut source = std::error::Error::source(&*error);
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else {
        println!("{}", options::HELP);
        return Ok(());
    };
    let mut key_file = options.db.as_os_str().to_owned();
    key_file.push(".key");

    let store = FailingStore::new(SqliteStore::open(&options.db).await?);
    let plug = store.switch();
    let keys = KeySet::new(SigningKey::load_or_create(key_file, Algorithm::EdDsa)?);
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.delivery = options.delivery;
    // A demo should not make people wait for five seconds when the plug is pulled.
    settings.commit_timeout = Duration::from_secs(2);
    let signoff = Signoff::open(store, keys, settings).await?;

    let listener = tokio::net::TcpListener::bind(&options.addr)
        .await
        .map_err(|error| std::io::Error::new(error.kind(), format!("cannot listen on {}: {error}", options.addr)))?;
    let address = listener.local_addr()?;
    let bank = Arc::new(Bank {
        signoff: signoff.clone(),
        accounts: Accounts::open(),
        people: People::new(),
        notebook: Notebook::default(),
        plug,
        address,
    });

    // Printed only now: whoever reads this line gets an answer. A script may read it and close the pipe.
    let _ = writeln!(
        std::io::stdout(),
        "Signoff Bank is open at http://{address}\n  people: alice (correct horse), bob (battery staple)\n  tokens: {:?}; \
         sessions in {}; stop with Ctrl-C",
        options.delivery,
        options.db.display()
    );
    let service = web::router(&bank).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn stopped() {
    // Without a way to hear of Ctrl-C the bank is stopped by other means.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
