//! What an application on tower-sessions answers.

use std::net::SocketAddr;

use axum::Router;

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What to send back of the cookie that it sets.
    pub(crate) cookie: Option<String>,
    pub(crate) body: String,
}

pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Without a cookie when that is empty.
pub(crate) async fn send(address: SocketAddr, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
    let request = reqwest::Client::new().request(method.parse().unwrap(), format!("http://{address}{path}"));
    let response = request.header("cookie", cookie).body(body.to_owned()).send().await.unwrap();
    let cookie = response.headers().get("set-cookie").map(|set| pair(set.to_str().unwrap()));
    Answer { status: response.status().as_u16(), cookie, body: response.text().await.unwrap() }
}

/// The name and the value, without the attributes.
pub(crate) fn pair(set_cookie: &str) -> String {
    set_cookie.split(';').next().unwrap().to_owned()
}
