//! The same behind signoff on actix-web.

use std::net::SocketAddr;

use actix_web::error::ErrorServiceUnavailable;
use actix_web::web::get;
use actix_web::{App, HttpServer};
use signoff::web::Web;
use signoff::{CookieSpec, Delivery};
use signoff_actix::{Live, SignoffLayer};

use crate::Failure;
use crate::serve::{hello, log_in_a_thousand, open, tell};

/// One worker, as the peer has it. Serves until the process ends.
pub(crate) async fn run(place: &str) -> Result<(), Failure> {
    let signoff = open(Delivery::Opaque, &format!("{place}/actix.sqlite3")).await?;
    let layer = SignoffLayer::new(Web::new(signoff.clone(), CookieSpec::host("signoff")?));
    let app = move || {
        let signoff = signoff.clone();
        let tokens = move || {
            let signoff = signoff.clone();
            async move { log_in_a_thousand(&signoff).await.map_err(ErrorServiceUnavailable) }
        };
        let private = async |live: Live| hello(live.subject());
        App::new().route("/private", get().to(private)).wrap(layer.clone()).route("/tokens", get().to(tokens))
    };
    let server = HttpServer::new(app).workers(1).tcp_nodelay(true).bind(("127.0.0.1", 0))?;
    let address: SocketAddr = server.addrs()[0];
    tell(address);
    server.run().await?;
    Ok(())
}
