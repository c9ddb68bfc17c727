//! HTML forms in the body of a request (`application/x-www-form-urlencoded`).

use super::Answer;

/// More bytes than any form of ours with a token has. Adapters read no more of a body.
pub const MAX_FORM: usize = 4096;

/// The fields of a form.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Whether a `Content-Type` says that the body is such a form.
    pub fn is_announced_by(content_type: Option<&[u8]>) -> bool {
        let kind = content_type.and_then(|value| value.split(|byte| *byte == b';').next()).unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    }

    /// Reads a body of at most [`MAX_FORM`] bytes.
    ///
    /// # Errors
    ///
    /// The answer to a body that is too long.
    pub fn parse(body: &[u8]) -> Result<Self, Answer> {
        if body.len() > MAX_FORM {
            return Err(Answer::InvalidRequest);
        }
        Ok(Self(form_urlencoded::parse(body).into_owned().collect()))
    }

    /// A field, if it is there.
    ///
    /// # Errors
    ///
    /// The answer to a form that has it twice (RFC 6749, section 3.2).
    pub fn field(&self, name: &str) -> Result<Option<&str>, Answer> {
        let mut values = self.0.iter().filter(|field| field.0 == name).map(|field| field.1.as_str());
        match (values.next(), values.next()) {
            (found, None) => Ok(found),
            _ => Err(Answer::InvalidRequest),
        }
    }
}

impl std::fmt::Debug for Form {
    // Not the values: tokens are sent by forms.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|field| &field.0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_forms() {
        let form = Form::parse(b"a=1&b=%2Fgoodbye%3Fx&c=one+two&d").unwrap();
        assert_eq!(form.field("a"), Ok(Some("1")));
        assert_eq!(form.field("b"), Ok(Some("/goodbye?x")));
        assert_eq!(form.field("c"), Ok(Some("one two")));
        assert_eq!((form.field("d"), form.field("e")), (Ok(Some("")), Ok(None)));
        assert_eq!(Form::parse(b"a=1&b=2&a=1").unwrap().field("a"), Err(Answer::InvalidRequest));
        assert_eq!(Form::parse(b"\xff&%&%zz&===").unwrap().field("a"), Ok(None));
        assert!(Form::parse(&[b'a'; MAX_FORM]).is_ok() && Form::parse(&[b'a'; MAX_FORM + 1]).is_err());
        assert!(!format!("{:?}", Form::parse(b"refresh_token=secret").unwrap()).contains("secret"));
    }

    #[test]
    fn knows_forms_by_their_type() {
        for (kind, is_form) in [
            ("application/x-www-form-urlencoded", true),
            ("Application/X-WWW-Form-Urlencoded ; charset=utf-8", true),
            ("application/json", false),
            ("multipart/form-data; boundary=x", false),
            ("", false),
        ] {
            assert_eq!(Form::is_announced_by(Some(kind.as_bytes())), is_form, "{kind}");
        }
        assert!(!Form::is_announced_by(None));
    }
}
