//! A Chromium of the test's own, driven over WebDriver (W3C) through a chromedriver of the test's own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// How long anything may take that is waited for. A loaded machine is slow; a broken page never gets there.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name under which WebDriver returns an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a new, empty profile; ended when dropped.
pub(crate) struct Browser {
    http: reqwest::Client,
    port: u16,
    session: String,
    driver: Child,
    folder: tempfile::TempDir,
}

/// A tab, by its window handle.
pub(crate) struct Tab(String);

impl Browser {
    pub(crate) async fn start() -> Self {
        let (chromium, chromedriver) = installed();
        let folder = tempfile::tempdir().unwrap();
        let mut driver = Command::new(chromedriver)
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = port(&mut driver);
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
        let created = browser.send("POST", "/session", Some(&wanted)).await.unwrap();
        browser.session = format!("/session/{}", created["sessionId"].as_str().unwrap());
        browser
    }

    /// Opens an address and waits until it has loaded.
    pub(crate) async fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url })).await.unwrap();
    }

    /// The back button.
    pub(crate) async fn back(&self) {
        self.command("POST", "/back", &json!({})).await.unwrap();
    }

    pub(crate) async fn tab(&self) -> Tab {
        Tab(self.command("GET", "/window", &Value::Null).await.unwrap().as_str().unwrap().to_owned())
    }

    /// Opens an empty tab in front.
    pub(crate) async fn new_tab(&self) -> Tab {
        let opened = self.command("POST", "/window/new", &json!({ "type": "tab" })).await.unwrap();
        let tab = Tab(opened["handle"].as_str().unwrap().to_owned());
        self.show(&tab).await;
        tab
    }

    pub(crate) async fn show(&self, tab: &Tab) {
        self.command("POST", "/window", &json!({ "handle": tab.0 })).await.unwrap();
    }

    /// Every cookie that the browser would send to the page that is shown, `HttpOnly` ones too.
    pub(crate) async fn cookies(&self) -> Vec<Value> {
        self.command("GET", "/cookie", &Value::Null).await.unwrap().as_array().unwrap().clone()
    }

    pub(crate) async fn click(&self, css: &str) {
        self.command("POST", &format!("/element/{}/click", self.find(css).await), &json!({})).await.unwrap();
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        self.command("POST", &format!("/element/{element}/value"), &json!({ "text": text })).await.unwrap();
    }

    async fn find(&self, css: &str) -> String {
        let query = json!({ "using": "css selector", "value": css });
        self.command("POST", "/element", &query).await.unwrap()[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Runs the body of an async function in the page, and returns what it returns.
    pub(crate) async fn run(&self, body: &str) -> Value {
        self.script(body).await.unwrap()
    }

    async fn script(&self, body: &str) -> Result<Value, String> {
        let script = format!("return (async () => {{ {body} }})();");
        self.command("POST", "/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Waits until an expression is true in the page, whichever page that is by then.
    pub(crate) async fn until(&self, expression: &str) {
        self.until_without("false", expression).await;
    }

    /// The same, for as long as another expression has not been true.
    pub(crate) async fn until_without(&self, never: &str, expression: &str) {
        let body = format!("return ({never}) ? 'never' : Boolean({expression});");
        let reached = async {
            loop {
                match self.script(&body).await {
                    Ok(Value::Bool(true)) => break,
                    Ok(Value::String(_)) => panic!("this must not be: {never}"),
                    // A page that is being left answers with an error.
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            let page = self.script("return `${location.href}\n${document.body.innerText}`;").await;
            panic!("in vain: {expression}\nthe page is {page:#?}");
        }
    }

    async fn command(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = (!body.is_null()).then_some(body);
        self.send(method, &format!("{}{path}", self.session), body).await
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("http://127.0.0.1:{}{path}", self.port)).timeout(PATIENCE);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| format!("{path}: {error:?}"))?;
        let good = answer.status().is_success();
        let mut answer: Value = answer.json().await.map_err(|error| format!("{path}: {error:?}"))?;
        let value = answer["value"].take();
        if good { Ok(value) } else { Err(format!("{path}: {}: {}", value["error"], value["message"])) }
    }
}

impl Drop for Browser {
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
        // The last of Chromium's processes may still be writing.
        for _ in 0..50 {
            if std::fs::remove_dir_all(self.folder.path()).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Where a chromedriver listens: it chooses a free port and says so.
fn port(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.trim_end_matches('.').split_once("started successfully on port ")?;
        port.parse().ok()
    });
    // What else it prints is read and dropped, so that it is never blocked.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    port.expect("chromedriver did not start")
}

/// Chromium and chromedriver; installed when they are missing, because a test that is skipped proves nothing.
fn installed() -> (PathBuf, PathBuf) {
    let find = || Some((on_path("chromium")?, on_path("chromedriver")?));
    if let Some(found) = find() {
        return found;
    }
    // Tests run in parallel, in threads or processes: one of them installs, the others wait for it.
    let lock = File::create(std::env::temp_dir().join("install-chromium.lock")).unwrap();
    lock.lock().unwrap();
    if find().is_none() {
        apt(&["update"]);
        apt(&["install", "-y", "chromium", "chromium-driver"]);
    }
    find().expect("chromium and chromedriver are not on the PATH, although their packages are installed")
}

fn apt(arguments: &[&str]) {
    let done = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output();
    let trouble = match done {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    panic!(
        "These tests need chromium and chromedriver on the PATH (Debian: packages chromium and chromium-driver), and \
         `apt-get {}` failed: {trouble}",
        arguments.join(" ")
    );
}

fn on_path(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name.as_ref())).find(|file| file.is_file())
}
