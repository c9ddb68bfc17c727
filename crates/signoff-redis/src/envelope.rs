//! What is written around a relay's message, for Redis knows no questions and answers: where the answer is to go, and which
//! question it belongs to. It protects nothing; the message does that itself.

use redis::{Cmd, ToRedisArgs};

/// Hexadecimal digits of the name of whoever asks.
const NAME: usize = 32;

/// Where answers go to whoever has this name: below the relay's channel, so that one who repeats a question with another
/// name does not make the relay speak where it has no business.
pub(crate) fn replies(channel: &str, name: &str) -> String {
    format!("{channel}.{name}")
}

pub(crate) fn question(name: &str, number: u64, message: &[u8]) -> Vec<u8> {
    [name.as_bytes(), &number.to_be_bytes(), message].concat()
}

/// The name, the number and the message of a question.
pub(crate) fn open_question(bytes: &[u8]) -> Option<(&str, u64, &[u8])> {
    let (name, rest) = bytes.split_at_checked(NAME)?;
    let name = std::str::from_utf8(name).ok()?;
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    let (number, message) = open_answer(rest)?;
    name.chars().all(is_digit).then_some((name, number, message))
}

pub(crate) fn answer(number: u64, message: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes(), message].concat()
}

/// The number and the message of an answer.
pub(crate) fn open_answer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, message) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), message))
}

pub(crate) fn publish(channel: &str, what: impl ToRedisArgs) -> Cmd {
    let mut publish = redis::cmd("PUBLISH");
    publish.arg(channel).arg(what);
    publish
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_are_read() {
        let name = "0123456789abcdef0123456789abcdef";
        let sealed = question(name, 7, b"\0hello");
        assert_eq!(open_question(&sealed), Some((name, 7, &b"\0hello"[..])));
        assert!((0..NAME + 8).all(|at| open_question(&sealed[..at]).is_none()));
        for bad in
            ["0123456789ABCDEF0123456789abcdef", "../3456789abcdef0123456789abcdef", "ä123456789abcdef0123456789abcde"]
        {
            assert_eq!(open_question(&question(bad, 7, b"hello")), None);
        }
        assert_eq!(open_answer(&answer(9, b"")), Some((9, &b""[..])));
        assert_eq!(open_answer(b"short"), None);
        assert_eq!(replies("bank.relay", name), "bank.relay.0123456789abcdef0123456789abcdef");
    }
}
