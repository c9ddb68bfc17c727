//! What the tests have in common: a service on a file.

use std::path::Path;

use signoff::{Algorithm, Delivery, Error, KeySet, Login, Settings, SigningKey, Signoff, Subject};
use signoff_sqlx::SqliteStore;

pub(crate) const BOTH: [Delivery; 2] = [Delivery::Jwt, Delivery::Opaque];

/// Opens the file with a key that survives restarts.
pub(crate) async fn open(path: &Path, delivery: Delivery) -> Result<Signoff, Error> {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.delivery = delivery;
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    Signoff::open(SqliteStore::open(path).await?, keys, settings).await
}

pub(crate) fn alice() -> Subject {
    Subject::new("alice").unwrap()
}

/// Logs alice in and gives her token away.
pub(crate) async fn log_in(signoff: &Signoff) -> String {
    signoff.log_in(Login::new(alice())).await.unwrap().token.expose().to_owned()
}

pub(crate) async fn accepts(signoff: &Signoff, token: &str) -> bool {
    signoff.authenticate(token).await.is_ok()
}
