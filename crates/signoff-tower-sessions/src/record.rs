//! What is kept of a record as a session's data: its end and its values, as JSON. Whose session it is it does not know.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use signoff::time::Timestamp;
use signoff::{Error, ErrorKind};
use time::OffsetDateTime;

use crate::rotations::MARK;

/// A record as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stored<'a> {
    /// The end that the layer gave it, in microseconds since 1970. That of the session may be earlier.
    expires: i64,
    #[serde(serialize_with = "without_mark")]
    pub(crate) data: Cow<'a, HashMap<String, Value>>,
}

impl<'a> Stored<'a> {
    pub(crate) fn new(data: &'a HashMap<String, Value>, expires: OffsetDateTime) -> Self {
        // What ends before 1970 has ended; what ends after 9999 ends with the session.
        let micros = i64::try_from(expires.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
        let expires = micros.clamp(Timestamp::MIN.as_micros(), Timestamp::MAX.as_micros());
        Self { expires, data: Cow::Borrowed(data) }
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let misfit = |error| Error::new(ErrorKind::Data, "the session's data is no record").with_source(error);
        serde_json::from_slice(bytes).map_err(misfit)
    }

    pub(crate) fn write(&self) -> Result<Vec<u8>, Error> {
        let misuse = |error| Error::new(ErrorKind::Misuse, "the record is no JSON").with_source(error);
        serde_json::to_vec(self).map_err(misuse)
    }

    /// When it ends. A number that is no time is long over.
    pub(crate) fn expires(&self) -> Timestamp {
        Timestamp::from_micros(self.expires).unwrap_or(Timestamp::MIN)
    }
}

/// The time as tower-sessions has it.
pub(crate) fn to_date(time: Timestamp) -> OffsetDateTime {
    let nanos = i128::from(time.as_micros()) * 1_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn without_mark<S: serde::Serializer>(data: &HashMap<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(data.iter().filter(|(key, _)| key.as_str() != MARK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let data: HashMap<_, _> = [("user".to_owned(), Value::from(7)), ("a \"b\"".to_owned(), 0.1.into())].into();
        let end = OffsetDateTime::from_unix_timestamp_nanos(1_800_000_000_123_456_000).unwrap();
        let bytes = Stored::new(&data, end).write().unwrap();
        let read = Stored::read(&bytes).unwrap();
        assert_eq!((&*read.data, to_date(read.expires())), (&data, end));
        assert_eq!(Stored::read(b"{}").unwrap_err().kind(), ErrorKind::Data);
    }

    #[test]
    fn the_mark_is_not_stored() {
        let data: HashMap<_, _> = [(MARK.to_owned(), Value::from(7)), ("user".to_owned(), Value::from(8))].into();
        let bytes = Stored::new(&data, OffsetDateTime::UNIX_EPOCH).write().unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), r#"{"expires":0,"data":{"user":8}}"#);
    }

    #[test]
    fn ends_beyond_all_time_are_bounded() {
        let end =
            |nanos| Stored::new(&HashMap::new(), OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap()).expires();
        assert_eq!(end(-1_000_000), Timestamp::MIN);
        let last = OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT);
        assert!(Stored::new(&HashMap::new(), last).expires() <= Timestamp::MAX);
    }
}
