//! What fails inside the layer, before a handler answers.

use signoff::{Cause, Delivery};

use crate::server::{Adapter, CLEARED, cookie};

pub(crate) async fn an_error_from_within_is_looked_over_as_well(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    let (alive, dead) = (server.log_in("alice").await, server.log_in("alice").await);
    let _ = server.signoff.log_out(&[&dead], Cause::logout()).await.unwrap();
    let answer = server.send("GET", "/broken", &[&cookie(&alive)]).await;
    assert_eq!((answer.status, &*answer.body), (418, "broken"));
    assert_eq!(answer.all("cache-control"), ["no-store"], "it may say who asked");
    answer.assert_clears_nothing("the session lives");
    let answer = server.send("GET", "/broken", &[&cookie(&dead)]).await;
    assert_eq!((answer.status, answer.all("set-cookie")), (418, vec![CLEARED.to_owned()]));
    assert_eq!(answer.all("cache-control"), ["no-store"]);
}
