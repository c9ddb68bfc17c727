//! gRPC by tonic behind the layer of signoff-tower: `cargo run -p signoff-grpc`. It serves a bank, calls it, and prints what each
//! call got.
//!
//! Messages are plain text here, so that nothing has to be generated; the services that `tonic-prost-build` generates are put
//! behind the layer in the same way.

#![expect(clippy::print_stdout, reason = "it is a program")]

mod bank;
mod text;

use std::time::Duration;

use futures_util::StreamExt;
use signoff::web::Web;
use signoff::{CookieSpec, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Subject};
use signoff_tower::SignoffLayer;
use tonic::client::Grpc;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use crate::text::Text;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let signoff = Signoff::open(MemoryStore::new(), KeySet::new(SigningKey::generate()?), settings).await?;
    let web = Web::new(signoff.clone(), CookieSpec::host("signoff")?);
    let incoming = TcpIncoming::from(tokio::net::TcpListener::bind("127.0.0.1:0").await?);
    let address = incoming.local_addr()?;
    let server = Server::builder().layer(SignoffLayer::new(web)).add_routes(bank::routes());
    tokio::spawn(server.serve_with_incoming(incoming));

    let alice = Login::new(Subject::new("alice")?).scope("accounts");
    let token = signoff.log_in(alice).await?.token;
    let bank = Bank(Endpoint::try_from(format!("http://{address}"))?.connect().await?);
    let credential = &[token.expose()];
    tell("Balance, with no token", bank.call("Balance", &[]).await);
    tell("Balance, with a wrong one", bank.call("Balance", &["garbage"]).await);
    tell("Balance, with two at once", bank.call("Balance", &[token.expose(), token.expose()]).await);
    tell("Balance, as alice", bank.call("Balance", credential).await);
    tell("Transfer, without that scope", bank.call("Transfer", credential).await);
    let mut rates = bank.stream("Rates", credential).await?;
    tell("Rates, the first", rates.next().await.ok_or("it has ended")?);
    tell("Logout", bank.call("Logout", credential).await);
    // It would have gone on for as long as the connection.
    let next = tokio::time::timeout(Duration::from_secs(10), rates.next()).await?;
    tell("Rates, the next", next.ok_or("it has ended")?);
    tell("Balance, with that token", bank.call("Balance", credential).await);
    tell("Rates, with that token", bank.stream("Rates", credential).await.map(|_| "open".to_owned()));
    Ok(())
}

fn tell(what: &str, answer: Result<String, Status>) {
    match answer {
        Ok(text) => println!("{what:28}  {text}"),
        Err(status) => println!("{what:28}  {:?} ({}): {}", status.code(), status.code() as i32, status.message()),
    }
}

/// The bank, seen by a client.
struct Bank(Channel);

impl Bank {
    async fn call(&self, method: &str, tokens: &[&str]) -> Result<String, Status> {
        let (mut client, path) = self.ready(method).await?;
        client.unary(request(tokens)?, path, Text).await.map(Response::into_inner)
    }

    async fn stream(&self, method: &str, tokens: &[&str]) -> Result<Streaming<String>, Status> {
        let (mut client, path) = self.ready(method).await?;
        client.server_streaming(request(tokens)?, path, Text).await.map(Response::into_inner)
    }

    async fn ready(&self, method: &str) -> Result<(Grpc<Channel>, axum::http::uri::PathAndQuery), Status> {
        let mut client = Grpc::new(self.0.clone());
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = format!("/bank.Bank/{method}").parse();
        Ok((client, path.map_err(|_| Status::unimplemented("no such method"))?))
    }
}

fn request(tokens: &[&str]) -> Result<Request<String>, Status> {
    let mut request = Request::new(String::new());
    for token in tokens {
        let value = format!("Bearer {token}").parse();
        request.metadata_mut().append("authorization", value.map_err(|_| Status::invalid_argument("no token"))?);
    }
    Ok(request)
}
