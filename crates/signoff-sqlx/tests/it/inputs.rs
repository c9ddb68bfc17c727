//! Whatever an application or an attacker can put into a session comes back as it was, or is refused before anything is
//! written: on every store alike.

use serde_json::json;
use signoff::audit::AuditKind;
use signoff::{Cause, ClientId, Context, ErrorKind, Login, Scope, Subject};

use crate::service::{BOTH, accepts, each_store, serve};

/// Texts that databases like to change: case, width, forms, blanks, quotes, wildcards, escapes, the ends of planes.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "a",
        "A",
        "a ",
        "a  ",
        " a",
        "á",
        "a\u{301}",
        "ａ",
        "ß",
        "ss",
        "ẞ",
        "ı",
        "i",
        "İ",
        "ﬁ",
        "fi",
        "'",
        "''",
        "\"",
        "\\",
        "\\'",
        "\\0",
        "\\u0000",
        "%",
        "_",
        "$1",
        "?",
        ":x",
        "{}",
        "[]",
        "null",
        "NULL",
        "\u{200b}",
        "\u{ad}",
        "\u{feff}",
        "\u{2028}",
        "\u{202e}",
        "\u{10ffff}",
        "\u{fffd}",
        "\u{ffff}",
        "\u{fffe}",
        "\u{d7ff}",
        "\u{e000}",
        "👩‍👩‍👧",
        "👩",
        "𝒜",
        "-- ",
        "/*",
        ";",
        "0x41",
        "1e3",
        "0",
        "00",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("é".repeat(127));
    texts.push("x".repeat(255));
    texts.push("\u{10ffff}".repeat(63));
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_carries_comes_back_as_it_was() {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    for (name, store, _held) in each_store().await {
        let signoff = serve(store, BOTH[0]).await.unwrap();
        for (n, text) in texts().iter().enumerate() {
            let data = match n % 4 {
                0 => Vec::new(),
                1 => every_byte.clone(),
                2 => every_byte.repeat(256),
                _ => text.clone().into_bytes(),
            };
            let address = ["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7", "::"][n % 4].parse().unwrap();
            let context = Context::new().with_address(address).with_user_agent(text);
            let claims = json!({ "text": text, "nul": "\u{0}", "deep": { text.as_str(): [null, true, 1.5, text] } });
            let login = Login::new(Subject::new(text).unwrap())
                .client(ClientId::new(text).unwrap())
                .scope("read write:all")
                .data(data.clone())
                .device(text)
                .context(context.clone());
            // Some of these texts are longer in claims than claims may be.
            let login = login.clone().claims(&claims).unwrap_or(login);
            let issued = signoff.log_in(login).await.unwrap();
            let live = signoff.verify(issued.token.expose()).unwrap();
            let stored = signoff.session(&live).await.unwrap().unwrap();
            assert_eq!(stored, issued.session, "{name}, {text:?}");
            assert_eq!((stored.data, stored.context), (data, context.clone()), "{name}, {text:?}");
            assert_eq!((stored.subject.as_str(), stored.client_id.as_str()), (text.as_str(), text.as_str()));
            let listed = signoff.sessions(&live.to_subject(), None).await.unwrap();
            assert_eq!(listed.len(), 1, "{name}, {text:?}: somebody else's sessions");
            let update = signoff.update_session(&live, 1, &every_byte).await.unwrap();
            assert_eq!(update, signoff::Update::Saved(2), "{name}, {text:?}");
            assert_eq!(signoff.session(&live).await.unwrap().unwrap().data, every_byte, "{name}, {text:?}");
            let trail = signoff.audit_trail(&live.to_subject()).await.unwrap();
            assert_eq!((trail.len(), trail[0].kind), (1, AuditKind::LoggedIn), "{name}, {text:?}");
            assert_eq!(trail[0].context, context, "{name}, {text:?}");
        }
        signoff.close().await;
    }
}

/// "app", "APP" and "app " are three clients, as they are three people.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_look_alike_are_ended_one_by_one() {
    let texts = texts();
    for (name, store, _held) in each_store().await {
        let signoff = serve(store, BOTH[1]).await.unwrap();
        let mut tokens = Vec::new();
        for text in &texts {
            let one = Login::new(Subject::new("alice").unwrap()).client(ClientId::new(text).unwrap());
            let other = Login::new(Subject::new(text).unwrap());
            let one = signoff.log_in(one).await.unwrap().token.expose().to_owned();
            tokens.push((one, signoff.log_in(other).await.unwrap().token.expose().to_owned()));
        }
        for (n, text) in texts.iter().enumerate() {
            let _ = signoff.revoke(Scope::Client(text), Cause::logout()).await.unwrap();
            let _ = signoff.revoke(Scope::Subject(text), Cause::logout()).await.unwrap();
            for (m, (of_client, of_subject)) in tokens.iter().enumerate().skip(n.saturating_sub(3)).take(7) {
                assert_eq!(accepts(&signoff, of_client).await, m > n, "{name}: {:?} ended {:?}", text, texts[m]);
                assert_eq!(accepts(&signoff, of_subject).await, m > n, "{name}: {:?} ended {:?}", text, texts[m]);
            }
        }
        signoff.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_refused_before_anything_is_written() {
    let megabyte = "x".repeat(1 << 20);
    for text in ["", "\0", "a\0b", "\u{7f}", "\u{85}", "\n", &"x".repeat(256), &"é".repeat(128), &megabyte] {
        assert_eq!(Subject::new(text).unwrap_err().kind(), ErrorKind::Misuse, "{:?}", text.len());
        assert_eq!(ClientId::new(text).unwrap_err().kind(), ErrorKind::Misuse, "{:?}", text.len());
    }
    for (name, store, _held) in each_store().await {
        let signoff = serve(store, BOTH[0]).await.unwrap();
        let alice = || Login::new(Subject::new("alice").unwrap());
        assert_eq!(alice().claims(&json!({ "x": megabyte })).unwrap_err().kind(), ErrorKind::Misuse);
        for login in
            [alice().data(megabyte.as_bytes()), alice().scope(&megabyte), alice().scope("a  b"), alice().scope("\0")]
        {
            assert_eq!(signoff.log_in(login).await.unwrap_err().kind(), ErrorKind::Misuse, "{name}");
        }
        let alice = Subject::new("alice").unwrap();
        assert!(signoff.sessions(&alice, None).await.unwrap().is_empty(), "{name}");
        assert!(signoff.audit_trail(&alice).await.unwrap().is_empty(), "{name}");
        // What is only a description is cut instead, and holds no NUL.
        let context = Context::new().with_user_agent(&format!("\0{megabyte}"));
        let login = Login::new(alice.clone()).device(&format!("\0{megabyte}")).context(context);
        let issued = signoff.log_in(login).await.unwrap();
        let live = signoff.verify(issued.token.expose()).unwrap();
        assert_eq!(signoff.session(&live).await.unwrap().unwrap(), issued.session, "{name}");
        assert_eq!(issued.session.device.as_deref(), Some("x".repeat(128).as_str()), "{name}");
        let refused = signoff.update_session(&live, 1, megabyte.as_bytes()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Misuse, "{name}");
        // Scopes of a megabyte, by whoever may revoke: an error, or an entry; never another scope.
        for scope in [Scope::Key(&megabyte), Scope::Client(&megabyte), Scope::Key("a\0b")] {
            match signoff.revoke(scope, Cause::logout()).await {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::Misuse, "{name}: {error}"),
            }
            assert!(accepts(&signoff, issued.token.expose()).await, "{name}");
        }
        let refused = signoff.revoke(Scope::Subject(&megabyte), Cause::logout()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Misuse, "{name}");
        let _ = signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        assert!(!accepts(&signoff, issued.token.expose()).await, "{name}");
        signoff.close().await;
    }
}
