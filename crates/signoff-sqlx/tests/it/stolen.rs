//! What a stolen copy of the files gives away.

use signoff::Delivery;
use signoff::opaque::{Kind, Opaque};

use crate::service::{log_in, open};

#[tokio::test]
async fn the_files_hold_no_token() {
    for delivery in [Delivery::Jwt, Delivery::Opaque] {
        let folder = tempfile::tempdir().unwrap();
        let signoff = open(&folder.path().join("bank.sqlite3"), delivery).await.unwrap();
        let token = log_in(&signoff).await;
        let _ = signoff.authenticate(&token).await.unwrap();
        // An opaque token counts by its random digits, a JWT by its signature.
        let secret = match Opaque::parse(Kind::Access, &token) {
            Ok(_) => &token[4..47],
            Err(_) => token.rsplit_once('.').unwrap().1,
        };
        let (mut bytes, mut seen) = (0, false);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let content = std::fs::read(entry.unwrap().path()).unwrap();
            let holds = |text: &str| content.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!holds(&token) && !holds(secret), "{delivery:?}");
            bytes += content.len();
            seen |= holds("alice");
        }
        assert!(bytes > 0 && seen, "these are the files of the session");
    }
}
