//! Who may log in: two people, with hashed passwords.

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use signoff::Subject;
use tokio::sync::Semaphore;

pub(crate) struct Person {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// In the open, because this is a demonstration: the sign-in page shows it.
    password: &'static str,
}

pub(crate) const PEOPLE: [Person; 2] = [
    Person { id: "alice", name: "Alice Ames", password: "correct horse" },
    Person { id: "bob", name: "Bob Brandt", password: "battery staple" },
];

pub(crate) struct People {
    hashes: Vec<(&'static str, String)>,
    /// Argon2 takes 19 MiB and tens of milliseconds: a flood of guesses must not take the machine.
    turns: Semaphore,
}

impl People {
    pub(crate) fn new() -> Self {
        let hash =
            |person: &Person| Argon2::default().hash_password(person.password.as_bytes()).expect("argon2").to_string();
        Self { hashes: PEOPLE.iter().map(|person| (person.id, hash(person))).collect(), turns: Semaphore::new(2) }
    }

    /// The subject, if the password is right. An unknown name takes as long as a wrong password.
    pub(crate) async fn authenticate(&self, user: &str, password: &str) -> Option<Subject> {
        let _turn = self.turns.acquire().await.ok()?;
        let known = self.hashes.iter().find(|(id, _)| *id == user);
        let hash = known.unwrap_or(&self.hashes[0]).1.clone();
        let password = password.to_owned();
        let right = tokio::task::spawn_blocking(move || {
            let parsed = PasswordHash::new(&hash).ok()?;
            Argon2::default().verify_password(password.as_bytes(), &parsed).ok()
        });
        let right = right.await.ok().flatten().is_some();
        known.filter(|_| right).and_then(|(id, _)| Subject::new(id).ok())
    }
}

pub(crate) fn person(id: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.id == id)
}
