//! Somebody who captured a token: it is kept here, on the server, and replayed over a connection of its own, so that the
//! page never sees it and a cleared browser makes no difference.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use signoff::{LogoutId, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The stolen tokens, the newest at the end.
#[derive(Default)]
pub(crate) struct Notebook(Mutex<VecDeque<(String, Secret)>>);

impl Notebook {
    /// Writes a token down under a random name.
    pub(crate) fn capture(&self, token: &str) -> Option<String> {
        let name = LogoutId::generate().ok()?.to_string();
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() == 1_000 {
            pages.pop_front();
        }
        pages.push_back((name.clone(), Secret::new(token)));
        Some(name)
    }

    /// The request that a thief would send, cookie and all.
    fn request(&self, name: &str, cookie: &str, host: SocketAddr) -> Option<Secret> {
        let pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let token = pages.iter().find(|(known, _)| known == name)?.1.expose();
        Some(Secret::new(format!(
            "GET /api/accounts HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}={token}\r\nUser-Agent: the attacker's laptop\r\n\
             Connection: close\r\n\r\n"
        )))
    }

    /// Replays a captured token and tells what came back; `None` when nothing is written under that name.
    pub(crate) async fn replay(&self, name: &str, cookie: &str, address: SocketAddr) -> Option<Value> {
        let request = self.request(name, cookie, address)?;
        let exchange = tokio::time::timeout(Duration::from_secs(10), send(address, request));
        let answer = exchange.await.ok().and_then(Result::ok).unwrap_or_default();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let mut lines = head.lines();
        let mut status = lines.next().unwrap_or_default().splitn(3, ' ').skip(1);
        let challenge = lines.find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("www-authenticate").then(|| value.to_owned())
        });
        Some(json!({
            "request": "GET /api/accounts",
            "status": status.next().and_then(|code| code.parse::<u16>().ok()).unwrap_or(0),
            "status_text": status.next().unwrap_or("no answer"),
            "body": body.chars().take(2_000).collect::<String>(),
            "www_authenticate": challenge,
        }))
    }
}

async fn send(address: SocketAddr, request: Secret) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.expose().as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
