//! Whose session a record is, where axum-login keeps it.

use std::collections::HashMap;

use serde_json::Value;
use signoff::{Error, Subject};

/// Where axum-login keeps who is logged in, unless the application has chosen another key.
const KEY: &str = "axum-login.data";

/// The subject of a record of axum-login under its default key: the user's id, a string as it is and everything else as its
/// JSON text. For [`TowerSessions::new`](crate::TowerSessions::new).
///
/// # Errors
///
/// [`ErrorKind::Misuse`](signoff::ErrorKind::Misuse) when that is no [`Subject`].
pub fn axum_login(data: &HashMap<String, Value>) -> Result<Option<Subject>, Error> {
    match data.get(KEY).and_then(|data| data.get("user_id")) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => Subject::new(id).map(Some),
        Some(id) => Subject::new(&id.to_string()).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_user_id_of_any_type_is_a_subject() {
        let subject = |data: Value| axum_login(&[(KEY.to_owned(), data)].into());
        for (id, expected) in [(json!(7), "7"), (json!("alice"), "alice"), (json!([1, 2]), "[1,2]")] {
            let found = subject(json!({ "user_id": id, "auth_hash": [1] })).unwrap();
            assert_eq!(found, Some(Subject::new(expected).unwrap()));
        }
        assert_eq!(subject(json!({ "user_id": null, "auth_hash": null })).unwrap(), None);
        assert_eq!(axum_login(&HashMap::new()).unwrap(), None);
        assert!(subject(json!({ "user_id": "a\nb" })).is_err());
    }
}
