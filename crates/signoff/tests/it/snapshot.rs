//! The memory store as one document.

use std::sync::Arc;

use signoff::refresh::Refresh;
use signoff::{Cause, Context, Delivery, ErrorKind, Login, MemoryStore, Scope};

use crate::bank::{Bank, settings, subject};

#[tokio::test]
async fn a_snapshot_knows_who_is_dead() {
    let store = Arc::new(MemoryStore::new());
    let mut settings = settings(Delivery::Jwt);
    settings.refresh = Some(Refresh::default());
    let bank = Bank::open_on(Arc::clone(&store), settings.clone()).await;
    let context = Context::new().with_address([192, 0, 2, 1].into()).with_user_agent("test");
    let login = Login::new(subject("alice")).context(context).device("phone").data(b"\0data".to_vec());
    let alive = bank.signoff.log_in(login).await.unwrap();
    let dead = bank.log_in("bob").await;
    let _ = bank.signoff.log_out(&[dead.token.expose()], Cause::logout()).await.unwrap();
    let _ = bank.signoff.revoke(Scope::Client("other"), Cause::logout()).await.unwrap();
    let (trail, snapshot) = (bank.signoff.audit_trail(&subject("bob")).await.unwrap(), store.to_snapshot().unwrap());

    let again = Bank::open_on(MemoryStore::from_snapshot(&snapshot).unwrap(), settings).await;
    assert!(again.accepts(alive.token.expose()).await);
    assert!(!again.accepts(dead.token.expose()).await);
    assert_eq!(again.signoff.sessions(&subject("alice"), None).await.unwrap(), [alive.session]);
    assert_eq!(again.signoff.audit_trail(&subject("bob")).await.unwrap(), trail);
    let refreshed = again.signoff.refresh(alive.refresh_token.unwrap().expose(), Context::new()).await;
    assert!(refreshed.is_ok());
    let receipt = again.signoff.log_out(&[dead.token.expose()], Cause::logout()).await.unwrap();
    assert_eq!(receipt.destroyed(), 0, "found gone, not unknown");
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let good = MemoryStore::new().to_snapshot().unwrap();
    assert!(MemoryStore::from_snapshot(&good).is_ok());
    let text = String::from_utf8(good).unwrap();
    let torn = &text[..text.len() - 1];
    let strange = text.replace("\"head\"", "\"hed\"");
    let behind = text.replace("\"log\":[]", r#""log":[[5,2,[1,2,3],7]]"#);
    for bad in ["", "null", torn, &strange, &behind] {
        assert_eq!(MemoryStore::from_snapshot(bad.as_bytes()).unwrap_err().kind(), ErrorKind::Data, "{bad}");
    }
}
