//! Chromium, over HTTP to a chromedriver of the test's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{PATIENCE, install, remove};

pub(super) struct Chromium {
    http: reqwest::Client,
    port: u16,
    session: String,
    driver: Child,
    folder: tempfile::TempDir,
}

impl Chromium {
    pub(super) async fn start() -> Self {
        let [chromium, chromedriver] = install::chromium();
        let folder = tempfile::tempdir().unwrap();
        let (driver, port) = listening(&chromedriver, folder.path());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut browser = Self { http, port, session: String::new(), driver, folder };
        let options = json!({
            "binary": chromium,
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--window-size=1280,1000",
                // Chromium ends itself when the pipe closes, also when chromedriver is killed.
                "--remote-debugging-pipe",
                format!("--user-data-dir={}", browser.folder.path().join("profile").display()),
            ],
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let created = browser.command("POST /session", &wanted).await.unwrap();
        browser.session = format!("/session/{}", created["sessionId"].as_str().unwrap());
        browser
    }

    pub(super) async fn offline(&self, offline: bool) {
        let conditions = json!({ "offline": offline, "latency": 0, "throughput": if offline { 0 } else { -1 } });
        let body = json!({ "network_conditions": conditions });
        self.command("POST /chromium/network_conditions", &body).await.unwrap();
    }

    /// Over the protocol of its developer tools: WebDriver knows no partitions.
    pub(super) async fn all_cookies(&self) -> Vec<Value> {
        let body = json!({ "cmd": "Storage.getCookies", "params": {} });
        let mut answer = self.command("POST /goog/cdp/execute", &body).await.unwrap();
        let mut cookies = answer["cookies"].take().as_array().unwrap().clone();
        for cookie in &mut cookies {
            cookie["expiry"] = if cookie["session"] == true { Value::Null } else { cookie["expires"].take() };
            cookie["partition"] = cookie["partitionKey"]["topLevelSite"].take();
        }
        cookies
    }

    pub(super) async fn command(&self, path: &str, body: &Value) -> Result<Value, String> {
        let (method, path) = path.split_once(' ').unwrap();
        let url = format!("http://127.0.0.1:{}{}{path}", self.port, self.session);
        let mut request = self.http.request(method.parse().unwrap(), url).timeout(PATIENCE);
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| format!("{path}: {error:?}"))?;
        let good = answer.status().is_success();
        let mut answer: Value = answer.json().await.map_err(|error| format!("{path}: {error:?}"))?;
        let value = answer["value"].take();
        if good { Ok(value) } else { Err(format!("{path}: {}: {}", value["error"], value["message"])) }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Asked, chromedriver ends its browser and then itself. There is no runtime to wait with here.
        let ask = || -> std::io::Result<()> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
            stream.read_to_end(&mut Vec::new())?;
            Ok(())
        };
        let _ = ask();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        remove(self.folder.path());
    }
}

/// A chromedriver, and where it listens: it chooses a free port of IPv4 and says so. It ends where somebody has that port of
/// IPv6, which happens among many tests, and is started again then.
fn listening(chromedriver: &Path, folder: &Path) -> (Child, u16) {
    let mut said = Vec::new();
    for _ in 0..5 {
        let mut driver = Command::new(chromedriver)
            .arg("--port=0")
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        for line in lines.by_ref() {
            let port =
                line.trim_end_matches('.').split_once("started successfully on port ").map(|(_, port)| port.parse());
            said.push(line);
            if let Some(port) = port {
                // What else it prints is read and dropped, so that it is never blocked.
                std::thread::spawn(move || lines.for_each(drop));
                return (driver, port.unwrap());
            }
        }
        driver.wait().unwrap();
    }
    panic!("chromedriver did not start: {}", said.join("\n"));
}
