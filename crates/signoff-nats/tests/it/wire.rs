//! What goes over a broker, heard and said again with none of our code.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::broker::Broker;

/// A message, as a broker has it.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) topic: String,
    /// NATS knows where an answer is to go.
    pub(crate) reply: Option<String>,
    pub(crate) what: Vec<u8>,
}

impl Said {
    /// The same, so that an answer comes to another.
    pub(crate) fn to_be_answered(&self, name: &str) -> Self {
        let mut said = self.clone();
        match &mut said.reply {
            Some(reply) => *reply = format!("{}.{name}.7", self.topic),
            // Redis does not; the message says it first.
            None => said.what[..32].copy_from_slice(name.as_bytes()),
        }
        said
    }
}

/// Listens to all topics for as long as the broker lives.
pub(crate) fn eavesdrop(broker: &Broker) -> Arc<Mutex<Vec<Said>>> {
    let mut stream = TcpStream::connect(("127.0.0.1", broker.port())).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let is_nats = matches!(broker, Broker::Nats(_));
    if is_nats {
        stream.write_all(b"CONNECT {\"verbose\":false}\r\nSUB > 1\r\nPING\r\n").unwrap();
        while line(&mut reader).unwrap() != "PONG" {}
    } else {
        stream.write_all(b"PSUBSCRIBE *\r\n").unwrap();
        (0..6).for_each(|_| drop(line(&mut reader).unwrap()));
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&heard);
    std::thread::spawn(move || {
        while let Some(said) = if is_nats { next_of_nats(&mut reader, &mut stream) } else { next_of_redis(&mut reader) }
        {
            all.lock().unwrap().push(said);
        }
    });
    heard
}

pub(crate) fn say(broker: &Broker, all: &[Said]) {
    let mut stream = TcpStream::connect(("127.0.0.1", broker.port())).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut bytes = Vec::new();
    match broker {
        Broker::Nats(_) => {
            bytes.extend(b"CONNECT {\"verbose\":false}\r\n");
            for Said { topic, reply, what } in all {
                let reply = reply.as_deref().unwrap_or_default();
                bytes.extend(format!("PUB {topic} {reply} {}\r\n", what.len()).as_bytes());
                bytes.extend(what);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"PING\r\n");
            stream.write_all(&bytes).unwrap();
            while line(&mut reader).unwrap() != "PONG" {}
        }
        Broker::Redis(_) => {
            for Said { topic, what, .. } in all {
                bytes.extend(format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{topic}\r\n", topic.len()).as_bytes());
                bytes.extend(format!("${}\r\n", what.len()).as_bytes());
                bytes.extend(what);
                bytes.extend(b"\r\n");
            }
            stream.write_all(&bytes).unwrap();
            (0..all.len()).for_each(|_| assert!(line(&mut reader).unwrap().starts_with(':')));
        }
    }
}

fn line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}

fn bytes(reader: &mut BufReader<TcpStream>, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length + 2];
    reader.read_exact(&mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

fn next_of_nats(reader: &mut BufReader<TcpStream>, stream: &mut TcpStream) -> Option<Said> {
    loop {
        let line = line(reader)?;
        let parts: Vec<_> = line.split(' ').collect();
        let (topic, reply, length) = match parts[..] {
            ["MSG", topic, _, length] => (topic, None, length),
            ["MSG", topic, _, reply, length] => (topic, Some(reply.to_owned()), length),
            ["PING"] => {
                stream.write_all(b"PONG\r\n").ok()?;
                continue;
            }
            _ => continue,
        };
        return Some(Said { topic: topic.to_owned(), reply, what: bytes(reader, length.parse().ok()?)? });
    }
}

fn next_of_redis(reader: &mut BufReader<TcpStream>) -> Option<Said> {
    line(reader)?;
    let mut part = || {
        let length = line(reader)?.strip_prefix('$')?.parse().ok()?;
        bytes(reader, length)
    };
    let [_, _, topic, what] = [part()?, part()?, part()?, part()?];
    Some(Said { topic: String::from_utf8(topic).ok()?, reply: None, what })
}
