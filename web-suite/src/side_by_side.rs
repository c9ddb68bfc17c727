//! The same steps against applications on signoff and on what others have, by what goes over HTTP alone.
//!
//! | route | what it is |
//! |---|---|
//! | `POST /login` | the body is the name; sets a session cookie |
//! | `GET /me` | 200 for somebody, else 401 |
//! | `POST /note`, `POST /renew` | looks at the session, receives the body, and then keeps it in the session, or changes the session's id |
//! | `GET /begun` | how many of those have looked at their session so far |
//! | `POST /logout` | |

use std::net::SocketAddr;
use std::time::Duration;

use signoff::time::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::Answer;
use crate::jar::{By, Jar, Visit};

/// What came of a request that was under way while its session was logged out.
#[derive(PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tests write what they expect")]
pub struct Late {
    /// Of the late answer.
    pub status: u16,
    /// What the late answer does to the browser's cookie.
    pub cookie: Cookie,
    /// What `/me` says to whoever kept the cookie from before the logout.
    pub captured: u16,
}

/// What an answer does to the browser's cookie.
#[derive(PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "tests write what they expect")]
pub enum Cookie {
    /// It sets another one, for which `/me` says this.
    Another(u16),
    /// It sets the one that the logout had cleared.
    Old,
    Untouched,
}

/// What a logout leaves behind.
#[derive(PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tests write what they expect")]
pub struct Left {
    /// Of the logout's answer.
    pub status: u16,
    /// Whether the browser goes on sending the cookie.
    pub cookie: bool,
    /// What `/me` says to whoever kept the cookie.
    pub captured: u16,
}

/// Logs in, begins a request to this path, logs out, and lets the request end.
pub async fn log_out_meanwhile(address: SocketAddr, path: &str) -> Late {
    let cookie = log_in(address).await;
    let before = begun(address).await;
    let mut late = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nContent-Length: 4\r\n\
         Sec-Fetch-Site: same-origin\r\nConnection: close\r\n\r\n"
    );
    late.write_all(head.as_bytes()).await.unwrap();
    let until = SystemClock::new().elapsed() + Duration::from_secs(60);
    while begun(address).await == before {
        assert!(SystemClock::new().elapsed() < until, "{path} does not begin");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((log_out(address, &cookie).await, me(address, &cookie).await), (200, 401));

    late.write_all(b"late").await.unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let set = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).map(pair);
    let cookie_after = match set {
        None => Cookie::Untouched,
        Some(set) if set == cookie => Cookie::Old,
        Some(set) => Cookie::Another(me(address, &set).await),
    };
    Late { status, cookie: cookie_after, captured: me(address, &cookie).await }
}

/// Logs in and out by a browser that keeps to RFC 6265bis, over TLS as far as it knows. `before_logout` may break something.
pub async fn log_in_and_out(address: SocketAddr, before_logout: impl FnOnce()) -> Left {
    let mut jar = Jar::default();
    let visit = Visit {
        host: "shop.example",
        path: "/",
        tls: true,
        by: By::SameSite,
        top: "https://shop.example",
        now: SystemClock::new().wall().unwrap().as_secs(),
    };
    for field in send(address, "POST", "/login", "", "alice").await.all("set-cookie") {
        jar.set(&field, &visit).unwrap();
    }
    let cookie = jar.send(&visit);
    assert_eq!(me(address, &cookie).await, 200);
    before_logout();
    let logout = send(address, "POST", "/logout", &cookie, "").await;
    for field in logout.all("set-cookie") {
        // What a browser ignores, it ignores.
        let _ = jar.set(&field, &visit);
    }
    Left { status: logout.status, cookie: !jar.send(&visit).is_empty(), captured: me(address, &cookie).await }
}

/// Logs in as `alice`. The cookie, as `name=value`.
pub async fn log_in(address: SocketAddr) -> String {
    let login = send(address, "POST", "/login", "", "alice").await;
    assert_eq!(login.status, 200, "{}", login.body);
    let cookie = login.cookie();
    assert_eq!(me(address, &cookie).await, 200);
    cookie
}

/// The status.
pub async fn log_out(address: SocketAddr, cookie: &str) -> u16 {
    send(address, "POST", "/logout", cookie, "").await.status
}

/// The status.
pub async fn me(address: SocketAddr, cookie: &str) -> u16 {
    send(address, "GET", "/me", cookie, "").await.status
}

async fn begun(address: SocketAddr) -> String {
    send(address, "GET", "/begun", "", "").await.body
}

/// As a page of the application sends it, without a cookie when that is empty.
async fn send(address: SocketAddr, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
    let request = reqwest::Client::new().request(method.parse().unwrap(), format!("http://{address}{path}"));
    let request = request.header("sec-fetch-site", "same-origin").body(body.to_owned());
    let request = if cookie.is_empty() { request } else { request.header("cookie", cookie) };
    Answer::read(request.send().await.unwrap()).await
}

/// The name and the value, without the attributes.
fn pair(set_cookie: &str) -> String {
    set_cookie.split(';').next().unwrap().to_owned()
}
