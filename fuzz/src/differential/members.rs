//! A JSON object as a list of texts, so that it can be spelled in ways that no writer of JSON would.

use super::literal;
use super::prng::Prng;

/// Name and value of each member, both as JSON text.
pub(super) struct Members(pub(super) Vec<(Vec<u8>, Vec<u8>)>);

impl Members {
    pub(super) fn print(&self) -> Vec<u8> {
        let members: Vec<_> = self.0.iter().map(|(name, value)| [name, b":".as_slice(), value].concat()).collect();
        [b"{".as_slice(), &members.join(b",".as_slice()), b"}"].concat()
    }

    pub(super) fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((literal::quote(name), value.into()));
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let name = literal::quote(name);
        match self.0.iter_mut().find(|(member, _)| *member == name) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name, value.into())),
        }
    }

    pub(super) fn insert_anywhere(&mut self, name: Vec<u8>, value: Vec<u8>, prng: &mut Prng) {
        // As often as not behind the others, where we mint the application's own members.
        let at = if prng.one_in(2) { self.0.len() } else { prng.below(self.0.len() + 1) };
        self.0.insert(at, (name, value));
    }

    /// A change that makes sense for any object.
    pub(super) fn mutate(&mut self, prng: &mut Prng) {
        let Some((name, value)) = self.0.get(prng.below(self.0.len())).cloned() else { return };
        let at = self.0.iter().position(|member| member.0 == name).unwrap_or_default();
        match prng.below(10) {
            0 => drop(self.0.remove(at)),
            1 => self.0[at].1 = literal::odd_value(prng),
            2 => self.duplicate(name, value, prng),
            3 => {
                let other = prng.below(self.0.len());
                self.0.swap(at, other);
            }
            4 => prng.shuffle(&mut self.0),
            5 => self.0[at].0 = respelled(&name, prng),
            6 => self.0[at].1 = respelled(&value, prng),
            7 => self.0[at].0 = renamed(&name, prng),
            8 => self.0[at].1 = odd(&value, prng),
            _ => {
                let depth = 5 + prng.below(5);
                let value = if prng.one_in(3) { literal::odd_value(prng) } else { literal::nested(depth, prng) };
                self.insert_anywhere(literal::quote("extra"), value, prng);
            }
        }
    }

    /// The same name once more, perhaps spelled differently, with the same value or another.
    fn duplicate(&mut self, name: Vec<u8>, value: Vec<u8>, prng: &mut Prng) {
        let name = if prng.one_in(2) { respelled(&name, prng) } else { name };
        let value = match prng.below(3) {
            0 => value,
            1 => odd(&value, prng),
            _ => literal::odd_value(prng),
        };
        self.insert_anywhere(name, value, prng);
    }
}

/// The same string with other escapes, if it is one.
fn respelled(string: &[u8], prng: &mut Prng) -> Vec<u8> {
    match serde_json::from_slice::<String>(string) {
        Ok(text) => literal::escape(&text, prng),
        Err(_) => string.to_vec(),
    }
}

fn renamed(name: &[u8], prng: &mut Prng) -> Vec<u8> {
    let Ok(text) = serde_json::from_slice::<String>(name) else { return name.to_vec() };
    match prng.below(8) {
        0 => literal::quote(&text.to_ascii_uppercase()),
        1 => literal::quote(&format!("{text}\0")),
        2 => literal::quote(&format!(" {text}")),
        3 => literal::quote(text.strip_suffix(|_| true).unwrap_or_default()),
        4 => literal::quote(""),
        5 => text.into_bytes(),
        6 => literal::odd_string(&text, prng),
        _ => format!("'{text}'").into_bytes(),
    }
}

/// The value spelled or changed so that it is just no longer right, or just still.
fn odd(value: &[u8], prng: &mut Prng) -> Vec<u8> {
    match (serde_json::from_slice::<String>(value), serde_json::from_slice::<u64>(value)) {
        (Ok(text), _) => literal::odd_string(&text, prng),
        (_, Ok(number)) => literal::odd_number(number, prng),
        _ => literal::odd_value(prng),
    }
}
