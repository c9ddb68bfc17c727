//! A small bank to try signoff on: `cargo run --release -p signoff-tower --example bank`, then open the address it prints.
//!
//! Sessions live in a SQLite file and survive a restart, as does the signing key beside it. Balances do not. With the feature
//! `bank-nodes` the sessions can be in PostgreSQL, and the bank on several nodes.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

mod accounts;
mod attacker;
mod demo;
mod nodes;
mod options;
mod pages;
mod people;
mod security;
mod store;
mod web;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;

use accounts::Accounts;
use attacker::Notebook;
use nodes::{Bank, Here, Node};
use options::Options;
use people::People;

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
    let (mut listeners, mut nodes) = (Vec::new(), Vec::new());
    for addr in &options.addresses {
        let listener = tokio::net::TcpListener::bind(addr)
            .await
            .map_err(|error| std::io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}")))?;
        nodes.push(Node::open(&options, listener.local_addr()?).await?);
        listeners.push(listener);
    }
    let (accounts, people, notebook) = (Accounts::open(), People::new(), Notebook::default());
    let bank = Arc::new(Bank { accounts, people, notebook, nodes, password_age: options.password_age });

    // Printed only now: whoever reads these lines gets answers. A script may read them and close the pipe.
    let mut lines = String::new();
    for node in &bank.nodes {
        lines += &format!("Signoff Bank is open at http://{}\n", node.address);
    }
    let _ = writeln!(
        std::io::stdout(),
        "{lines}  people: alice (correct horse), bob (battery staple)\n  tokens: {:?}; sessions in {}; stop with Ctrl-C",
        options.delivery,
        options.db
    );
    let mut serving = JoinSet::new();
    for (listener, here) in listeners.into_iter().zip(Here::each(&bank)) {
        let service = web::router(here).into_make_service_with_connect_info::<SocketAddr>();
        serving.spawn(axum::serve(listener, service).with_graceful_shutdown(stopped()).into_future());
    }
    while let Some(ended) = serving.join_next().await {
        ended??;
    }
    if let Some(bank) = Arc::into_inner(bank) {
        bank.close().await;
    }
    Ok(())
}

async fn stopped() {
    // Without a way to hear of Ctrl-C the bank is stopped by other means.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
