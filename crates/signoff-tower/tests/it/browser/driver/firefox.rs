//! Firefox, over its own Marionette: the commands of WebDriver as JSON on a TCP connection. Debian has no geckodriver,
//! which would only translate.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::{PATIENCE, install, remove};

/// Marionette chooses a free port; and Firefox shall not ask anybody anything.
const SETTINGS: &str = r#"
user_pref("marionette.port", 0);
user_pref("app.normandy.enabled", false);
user_pref("app.update.disabledForTesting", true);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.startup.page", 0);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
"#;

const ALL_COOKIES: &str = r#"
    // What has expired is not sent, but may be in the list for a while.
    const kept = Services.cookies.cookies.filter((cookie) => cookie.isSession || cookie.expiry > Date.now());
    return kept.map((cookie) => ({
        name: cookie.name,
        value: cookie.value,
        domain: cookie.host,
        path: cookie.path,
        secure: cookie.isSecure,
        httpOnly: cookie.isHttpOnly,
        sameSite: ["None", "Lax", "Strict"][cookie.sameSite],
        // In milliseconds.
        expiry: cookie.isSession ? null : cookie.expiry / 1000,
        partition: cookie.originAttributes.partitionKey.replace(/^\((\w+),([^,)]+).*/, "$1://$2") || null,
    }));
"#;

pub(super) struct Firefox {
    line: Mutex<Line>,
    process: Child,
    folder: tempfile::TempDir,
}

/// One command at a time.
struct Line {
    stream: TcpStream,
    count: u64,
}

impl Firefox {
    pub(super) async fn start() -> Self {
        let firefox = install::firefox();
        let folder = tempfile::tempdir().unwrap();
        let profile = folder.path().join("profile");
        std::fs::create_dir(&profile).unwrap();
        std::fs::write(profile.join("user.js"), SETTINGS).unwrap();
        let mut process = Command::new(firefox)
            .args(["--headless", "--no-remote", "--marionette", "--remote-allow-system-access"])
            .args(["--width", "1280", "--height", "1000", "--profile"])
            .arg(&profile)
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env("MOZ_CRASHREPORTER_DISABLE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let Some(stream) = connect(&profile).await else {
            let _ = process.kill();
            panic!("Firefox did not start: {:?}", process.wait());
        };
        let browser = Self { line: Mutex::new(Line { stream, count: 0 }), process, folder };
        let greeting = browser.line.lock().await.receive().await.unwrap();
        assert_eq!(greeting["marionetteProtocol"], 3);
        let patience = json!({ "script": PATIENCE.as_millis() as u64, "pageLoad": PATIENCE.as_millis() as u64 });
        browser.command("WebDriver:NewSession", &json!({ "timeouts": patience })).await.unwrap();
        browser
    }

    pub(super) async fn offline(&self, offline: bool) {
        self.as_browser(&format!("Services.io.manageOfflineStatus = false; Services.io.offline = {offline};")).await;
    }

    /// Out of its cookie service: WebDriver knows no partitions.
    pub(super) async fn all_cookies(&self) -> Vec<Value> {
        self.as_browser(ALL_COOKIES).await.as_array().unwrap().clone()
    }

    /// Runs a script with the rights of the browser itself.
    async fn as_browser(&self, script: &str) -> Value {
        let context = async |name| {
            self.command("Marionette:SetContext", &json!({ "value": name })).await.unwrap();
        };
        context("chrome").await;
        let result = self.command("WebDriver:ExecuteScript", &json!({ "script": script, "args": [] })).await;
        context("content").await;
        result.unwrap()
    }

    pub(super) async fn command(&self, name: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { &json!({}) } else { body };
        let answer = tokio::time::timeout(2 * PATIENCE, async { self.line.lock().await.ask(name, body).await }).await;
        let mut answer =
            answer.map_err(|_| format!("{name}: no answer"))?.map_err(|error| format!("{name}: {error}"))?;
        let error = &answer[2];
        if !error.is_null() {
            return Err(format!("{name}: {}: {}", error["error"], error["message"]));
        }
        let mut result = answer[3].take();
        Ok(if result.get("value").is_some() { result["value"].take() } else { result })
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        // Its other processes end when this one is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
        remove(self.folder.path());
    }
}

impl Line {
    async fn ask(&mut self, name: &str, body: &Value) -> std::io::Result<Value> {
        self.count += 1;
        let text = json!([0, self.count, name, body]).to_string();
        self.stream.write_all(format!("{}:{text}", text.len()).as_bytes()).await?;
        loop {
            let answer = self.receive().await?;
            // The answer to a command that nobody waited for may come before.
            if answer[1] == self.count {
                return Ok(answer);
            }
        }
    }

    /// The length in decimal, a colon, and as many bytes of JSON.
    async fn receive(&mut self) -> std::io::Result<Value> {
        let mut length = 0;
        loop {
            match self.stream.read_u8().await? {
                b':' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut text = vec![0; length];
        self.stream.read_exact(&mut text).await?;
        Ok(serde_json::from_slice(&text)?)
    }
}

/// Firefox writes the port into its profile, and listens a moment later.
async fn connect(profile: &Path) -> Option<TcpStream> {
    for _ in 0..PATIENCE.as_millis() / 100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let port = std::fs::read_to_string(profile.join("MarionetteActivePort")).unwrap_or_default();
        let Ok(port) = port.trim().parse::<u16>() else { continue };
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
            return Some(stream);
        }
    }
    None
}
