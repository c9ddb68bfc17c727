//! The client: raw requests over kept connections, so that it costs less than any server that it asks.

use std::sync::Arc;
use std::time::Duration;

use signoff_benches::now;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Failure;

/// A request as it goes over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request(Arc<[u8]>);

impl Request {
    pub(crate) fn new(method: &str, path: &str, fields: &[(&str, &str)]) -> Self {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        for (name, value) in fields {
            text += &format!("{name}: {value}\r\n");
        }
        if method == "POST" {
            text += "content-length: 0\r\n";
        }
        Self((text + "\r\n").into_bytes().into())
    }
}

/// A connection that is kept, unless the server closes it after each answer.
pub(crate) struct Line {
    address: String,
    stream: TcpStream,
    closed: bool,
    buffer: Vec<u8>,
}

impl Line {
    pub(crate) async fn open(address: &str) -> Result<Self, Failure> {
        let stream = connect(address).await?;
        Ok(Self { address: address.into(), stream, closed: false, buffer: Vec::with_capacity(8 * 1024) })
    }

    /// The status, when the whole answer is there.
    pub(crate) async fn ask(&mut self, request: &Request) -> Result<u16, Failure> {
        Ok(self.exchange(request).await?.0)
    }

    /// The status and the body.
    pub(crate) async fn read(&mut self, request: &Request) -> Result<(u16, String), Failure> {
        let (status, from) = self.exchange(request).await?;
        Ok((status, String::from_utf8_lossy(&self.buffer[from..]).into_owned()))
    }

    /// Each request when it is due, or once those before it are answered: how many nanoseconds after that it was.
    async fn ask_all(&mut self, plan: impl Iterator<Item = (Instant, Request)>) -> Result<Vec<f64>, Failure> {
        let mut taken = Vec::with_capacity(plan.size_hint().0);
        for (due, request) in plan {
            tokio::time::sleep_until(due).await;
            let status = self.ask(&request).await?;
            if status != 200 {
                return Err(format!("answered {status}").into());
            }
            taken.push(due.elapsed().as_nanos() as f64);
        }
        Ok(taken)
    }

    /// The status, and where in the buffer the body begins.
    async fn exchange(&mut self, request: &Request) -> Result<(u16, usize), Failure> {
        if self.closed {
            self.stream = connect(&self.address).await?;
        }
        self.stream.write_all(&request.0).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server hung up".into());
            }
            let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.buffer[..end])?;
            let (mut length, mut closed) = (0, false);
            for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.parse()?;
                } else if name.eq_ignore_ascii_case("transfer-encoding") {
                    return Err("an answer of unknown length".into());
                }
                closed |= name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close");
            }
            if self.buffer.len() >= end + 4 + length {
                self.closed = closed;
                return Ok((head.get(9..12).unwrap_or_default().parse()?, end + 4));
            }
        }
    }
}

async fn connect(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Requests a second that so many connections get answered, each asking again at once.
pub(crate) async fn most(
    address: &str,
    request: &Request,
    connections: usize,
    length: Duration,
) -> Result<f64, Failure> {
    let mut asking = JoinSet::new();
    let until = now() + length;
    let begin = now();
    for _ in 0..connections {
        let (mut line, request) = (Line::open(address).await?, request.clone());
        asking.spawn(async move {
            let mut answered = 0_u32;
            while now() < until {
                if line.ask(&request).await? != 200 {
                    return Err(Failure::from("not let in"));
                }
                answered += 1;
            }
            Ok(answered)
        });
    }
    let mut answered = 0.0;
    while let Some(done) = asking.join_next().await {
        answered += f64::from(done??);
    }
    Ok(answered / (now() - begin).as_secs_f64())
}

/// The 99th percentile in nanoseconds at a rate that does not wait for answers: from when a request was due, so that a server
/// that stops answering for a while pays for all that should have been asked meanwhile.
///
/// What is in `rare` is spread over the same time, and counts by what it does to the others: it is slow on purpose, as it goes
/// to the disk. It has connections of its own, for whoever logs out keeps nobody else's connection busy.
pub(crate) async fn p99(
    address: &str,
    request: &Request,
    rare: Vec<Request>,
    (rate, connections, length): (f64, usize, Duration),
) -> Result<f64, Failure> {
    let rare_rate = rare.len() as f64 / length.as_secs_f64();
    let rate = rate - rare_rate;
    let count = (rate * length.as_secs_f64()) as usize;
    let (mut lines, mut aside) = (Vec::new(), Vec::new());
    for _ in 0..connections {
        lines.push(Line::open(address).await?);
        aside.push((Line::open(address).await?, Vec::new()));
    }
    // Nothing is left to be prepared that would make the first ones late.
    let begin = Instant::now() + Duration::from_millis(5);
    let due = move |n: usize, rate: f64| begin + Duration::from_secs_f64(n as f64 / rate);
    for (n, request) in rare.into_iter().enumerate() {
        aside[n % connections].1.push((due(n, rare_rate), request));
    }
    let (mut asking, mut logging_out) = (JoinSet::new(), JoinSet::new());
    for (first, mut line) in lines.into_iter().enumerate() {
        let request = request.clone();
        let plan = (first..count).step_by(connections).map(move |n| (due(n, rate), request.clone()));
        asking.spawn(async move { line.ask_all(plan).await });
    }
    for (mut line, plan) in aside {
        logging_out.spawn(async move { line.ask_all(plan.into_iter()).await });
    }
    let mut taken = Vec::with_capacity(count);
    while let Some(done) = asking.join_next().await {
        taken.extend(done??);
    }
    while let Some(done) = logging_out.join_next().await {
        done??;
    }
    taken.sort_unstable_by(f64::total_cmp);
    taken.get(taken.len() * 99 / 100).copied().ok_or_else(|| "nothing was asked".into())
}
