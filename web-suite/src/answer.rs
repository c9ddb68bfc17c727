//! An answer, read to its end.

use serde_json::Value;

/// An answer of any server.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    /// The values of all fields of this name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    /// The session cookie that is set, as `name=value`.
    pub(crate) fn cookie(&self) -> String {
        let set = self.all("set-cookie");
        assert_eq!(set.len(), 1, "{} {:?}", self.status, self.headers);
        set[0].split(';').next().unwrap().to_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Nothing that a browser would take for the end of a session.
    pub fn assert_clears_nothing(&self, context: &str) {
        assert!(self.all("set-cookie").is_empty(), "{context}: {:?}", self.headers);
        assert!(self.all("clear-site-data").is_empty(), "{context}");
        assert!(!self.body.contains("destroyed"), "{context}: {}", self.body);
    }
}
