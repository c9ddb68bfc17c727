//! The quick reader and the general one: where the first decides, the second decides alike.

use proptest::prelude::*;

use super::*;
use crate::claims::read::read;
use crate::settings::{Policy, Settings};

fn policy() -> Policy {
    Settings::new("https://bank.example", "https://bank.example/api").into_policy().unwrap()
}

fn draft<'a>(subject: &'a str, scope: Option<&'a str>, application: &'a str) -> Draft<'a> {
    let fixed = Fixed {
        session_id: SessionId::from_bytes([0xa5; 16]),
        token_id: Some(TokenId::from_bytes([0x5a; 16])),
        position: Position::new(1_800_000_000_000_001).unwrap(),
        issued_at: Timestamp::from_secs(1_800_000_000).unwrap(),
        authenticated_at: Timestamp::from_secs(1_799_999_000),
        not_before: None,
        expires_at: Timestamp::from_secs(1_800_000_900).unwrap(),
        idle_expires_at: Timestamp::MAX,
    };
    let scope = scope.map(Cow::from);
    Draft { fixed, subject: subject.into(), client_id: "app".into(), scope, application: application.into() }
}

fn write(policy: &Policy, draft: &Draft<'_>) -> String {
    policy.layout.write(draft, &draft.fixed.token_id.unwrap())
}

/// What two drafts have in common is all that there is.
fn same(one: &Draft<'_>, other: &Draft<'_>) -> bool {
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(&format!("{{{text}}}")).unwrap();
    one.fixed == other.fixed
        && (&one.subject, &one.client_id, &one.scope) == (&other.subject, &other.client_id, &other.scope)
        && parsed(&one.application) == parsed(&other.application)
}

#[test]
fn a_payload_looks_like_this() {
    let policy = policy();
    assert_eq!(
        write(&policy, &draft("alice", Some("read write"), r#""role":"teller""#)),
        concat!(
            r#"{"iss":"https://bank.example","sub":"alice","aud":"https://bank.example/api","exp":1800000900,"#,
            r#""iat":1800000000,"auth_time":1799999000,"jti":"WlpaWlpaWlpaWlpaWlpaWg","sid":"paWlpaWlpaWlpaWlpaWlpQ","#,
            r#""pos":1800000000000001,"client_id":"app","scope":"read write","role":"teller"}"#
        )
    );
}

#[test]
fn both_readers_read_what_is_written() {
    let policy = policy();
    let odd = ["alice", "a\"b", "a\\b", "älice", "a/b", " ", "\u{1f600}", "\u{7f}x", "sub\",\"sub\":\"x"];
    for (subject, quick) in odd.into_iter().zip([true, false, false, false, true, true, false, false, false]) {
        for scope in [None, Some("read"), Some("")] {
            for application in ["", r#""role":"teller""#, r#""a":{"b":[1]},"c":"\u00e9""#] {
                let mut draft = draft(subject, scope, application);
                // Earlier versions did not say when the person authenticated.
                draft.fixed.authenticated_at = draft.fixed.authenticated_at.filter(|_| application.is_empty());
                let payload = write(&policy, &draft);
                if subject.contains('\u{7f}') {
                    assert!(read(payload.as_bytes(), &policy).is_err(), "a control character is no part of a name");
                    continue;
                }
                assert!(same(&read(payload.as_bytes(), &policy).unwrap(), &draft), "{payload}");
                let scanned = policy.layout.scan(payload.as_bytes());
                assert_eq!(scanned.is_some(), quick, "{payload}");
                assert!(scanned.is_none_or(|scanned| same(&scanned, &draft)));
            }
        }
    }
}

/// Every payload that differs in one character from a good one, or lacks one, or has one more.
#[test]
fn the_quick_reader_agrees_with_the_general_one_nearby() {
    let policy = policy();
    let (mut quick, mut refused) = (0, 0);
    for (scope, application) in [(None, ""), (Some("read"), r#""role":"x","n":10,"ok":true"#), (None, r#""a":"#)] {
        let good = write(&policy, &draft("alice", scope, application)).into_bytes();
        for at in 0..=good.len() {
            for byte in 0..=u8::MAX {
                for how in 0..3 {
                    let mut changed = good.clone();
                    match how {
                        0 => changed.insert(at, byte),
                        1 if at < good.len() => changed[at] = byte,
                        2 if at < good.len() && byte == 0 => drop(changed.remove(at)),
                        _ => continue,
                    }
                    if let Some(scanned) = policy.layout.scan(&changed) {
                        let read = read(&changed, &policy);
                        let text = String::from_utf8_lossy(&changed);
                        assert!(read.is_ok_and(|read| same(&read, &scanned)), "{text}");
                        quick += 1;
                    } else {
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(quick > 5_000 && refused > 100_000, "{quick} {refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn the_quick_reader_agrees_with_the_general_one(
        subject in "[ -~]{0,4}|\\PC{0,4}|a{250,258}",
        scope in proptest::option::of("[ -~]{0,5}"),
        application in "(\"(a|b|sub|nbf|scope)\":([0-9]{1,18}|\"[ -~]{0,3}\"|true|\\{\\}|-1|1e3),?){0,3}",
        cut in proptest::option::weighted(0.2, (0..400_usize, 0..4_usize, "[ -~]{0,3}")),
    ) {
        let policy = policy();
        let mut payload = write(&policy, &draft(&subject, scope.as_deref(), &application));
        if let Some((at, length, with)) = cut
            && payload.is_char_boundary(at) && payload.is_char_boundary(at + length)
        {
            payload.replace_range(at..at + length, &with);
        }
        if let Some(scanned) = policy.layout.scan(payload.as_bytes()) {
            let read = read(payload.as_bytes(), &policy);
            prop_assert!(read.is_ok_and(|read| same(&read, &scanned)), "{}", payload);
        }
    }
}

/// How many random payloads are tried; `SIGNOFF_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("SIGNOFF_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(4_000)
}
