//! Reading `Set-Cookie` as browsers do (RFC 6265bis, section 5.6): every text means something, or nothing.

use super::date;

/// The lifetime cap of section 5.5.
pub(crate) const MAX_AGE: i64 = 400 * 24 * 60 * 60;

/// What the text says, before any of it is judged. Of attributes that are there twice, the last counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct SetCookie {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Seconds since the epoch.
    pub(crate) expires: Option<i64>,
    pub(crate) max_age: Option<i64>,
    pub(crate) domain: Option<String>,
    /// `None` when there is no such attribute, `Some(None)` when it stands for the default path.
    pub(crate) path: Option<Option<String>>,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) same_site: SameSite,
    pub(crate) partitioned: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum SameSite {
    #[default]
    Default,
    Lax,
    None,
    Strict,
}

/// `None` when the whole field is ignored.
pub(crate) fn parse(field: &str) -> Option<SetCookie> {
    // Step 1: control characters, but for the tab.
    if field.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return None;
    }
    let (pair, attributes) = field.split_once(';').unwrap_or((field, ""));
    let (name, value) = pair.split_once('=').unwrap_or(("", pair));
    let (name, value) = (trim(name), trim(value));
    // Step 5.
    if name.len() + value.len() > 4096 {
        return None;
    }
    let mut parsed = SetCookie { name: name.to_owned(), value: value.to_owned(), ..Default::default() };
    for attribute in attributes.split(';') {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let (name, value) = (trim(name), trim(value));
        if value.len() <= 1024 {
            parsed.apply(&name.to_ascii_lowercase(), value);
        }
    }
    Some(parsed)
}

impl SetCookie {
    /// Sections 5.6.1 to 5.6.7, and CHIPS.
    fn apply(&mut self, name: &str, value: &str) {
        match name {
            "expires" => self.expires = date::parse(value).or(self.expires),
            "max-age" => {
                let digits = value.strip_prefix('-').unwrap_or(value);
                if value.starts_with(|c: char| c == '-' || c.is_ascii_digit())
                    && digits.bytes().all(|b| b.is_ascii_digit())
                {
                    // What is too long for a number is longer than the cap.
                    let seconds = digits.parse::<i64>().unwrap_or(if digits.is_empty() { 0 } else { MAX_AGE });
                    self.max_age = Some(if value.starts_with('-') { 0 } else { seconds.min(MAX_AGE) });
                }
            }
            "domain" => self.domain = Some(value.strip_prefix('.').unwrap_or(value).to_ascii_lowercase()),
            "path" => self.path = Some(value.starts_with('/').then(|| value.to_owned())),
            "secure" => self.secure = true,
            "httponly" => self.http_only = true,
            "samesite" => {
                self.same_site = match value.to_ascii_lowercase().as_str() {
                    "lax" => SameSite::Lax,
                    "none" => SameSite::None,
                    "strict" => SameSite::Strict,
                    _ => SameSite::Default,
                }
            }
            "partitioned" => self.partitioned = true,
            _ => {}
        }
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
