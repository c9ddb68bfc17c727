//! A WebSocket of the test's own, over TCP (RFC 6455): as much of one as short messages need.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::Server;

/// The example of RFC 6455, section 1.3: a key, and the answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A page or a program at its end of the line.
pub(crate) struct Socket(TcpStream);

/// What came.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Frame {
    Text(String),
    /// The code and the text of a frame that closes.
    Close(u16, String),
}

impl Socket {
    /// Opens one with these fields, as `Name: value` lines; or says with which status that was refused.
    pub(crate) async fn open(server: &Server, path: &str, headers: &[&str]) -> Result<Self, u16> {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        let (host, fields) = (&server.address, headers.iter().map(|field| format!("{field}\r\n")).collect::<String>());
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{fields}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status != 101 {
            return Err(status);
        }
        let accepts = |line: &str| {
            line.split_once(": ")
                .is_some_and(|(name, value)| name.eq_ignore_ascii_case("sec-websocket-accept") && value == ACCEPT)
        };
        assert!(head.lines().any(accepts), "{head}");
        Ok(Self(stream))
    }

    /// The other end says it again.
    pub(crate) async fn assert_echoes(&mut self, text: &str) {
        self.send(0x1, text.as_bytes()).await;
        assert_eq!(self.receive().await, Frame::Text(text.to_owned()));
    }

    /// What comes next, whenever that is.
    pub(crate) async fn receive(&mut self) -> Frame {
        let (head, length) = (self.0.read_u8().await.unwrap(), self.0.read_u8().await.unwrap());
        assert!(head & 0x80 != 0 && length < 126, "a short message of one frame, not masked");
        let mut body = vec![0; length.into()];
        self.0.read_exact(&mut body).await.unwrap();
        match (head & 0xf, body.as_slice()) {
            (0x1, _) => Frame::Text(String::from_utf8(body).unwrap()),
            (0x8, [high, low, text @ ..]) => {
                Frame::Close(u16::from_be_bytes([*high, *low]), String::from_utf8(text.to_vec()).unwrap())
            }
            (kind, _) => panic!("a frame of kind {kind}: {body:?}"),
        }
    }

    /// The other end closes the socket with this code before the time is up, gives no reason in words, and hangs up when it has its
    /// answer (section 7.1.1).
    pub(crate) async fn assert_is_closed(mut self, code: u16, within: Duration, why: &str) {
        let closed = tokio::time::timeout(within, self.receive()).await;
        assert_eq!(closed.unwrap_or_else(|_| panic!("still open: {why}")), Frame::Close(code, String::new()), "{why}");
        self.send(0x8, &code.to_be_bytes()).await;
        let hung_up = tokio::time::timeout(Duration::from_secs(10), self.0.read_u8()).await.unwrap();
        assert!(hung_up.is_err(), "{why}");
    }

    /// A frame is masked, with a mask of zeros as good as any for this (section 5.3).
    async fn send(&mut self, kind: u8, body: &[u8]) {
        let length = u8::try_from(body.len()).unwrap();
        let frame = [&[0x80 | kind, 0x80 | length, 0, 0, 0, 0], body].concat();
        self.0.write_all(&frame).await.unwrap();
    }
}
