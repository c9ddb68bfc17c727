//! A browser of the test's own: Chromium, driven over WebDriver (W3C), or Firefox, driven over Marionette, which speaks
//! the same commands.

mod chromium;
mod firefox;
mod install;

use std::time::Duration;

use serde_json::{Value, json};

/// How long anything may take that is waited for. A loaded machine is slow; a broken page never gets there.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name under which WebDriver returns an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Chromium,
    Firefox,
}

/// A browser with a new, empty profile; ended when dropped.
pub(crate) struct Browser {
    wire: Wire,
}

enum Wire {
    Chromium(chromium::Chromium),
    Firefox(firefox::Firefox),
}

/// A tab, by its window handle.
pub(crate) struct Tab(String);

impl Browser {
    pub(crate) async fn start(kind: Kind) -> Self {
        let wire = match kind {
            Kind::Chromium => Wire::Chromium(chromium::Chromium::start().await),
            Kind::Firefox => Wire::Firefox(firefox::Firefox::start().await),
        };
        Self { wire }
    }

    /// Opens an address and waits until it has loaded.
    pub(crate) async fn open(&self, url: &str) {
        self.try_to_open(url).await.unwrap();
    }

    /// The same, where nobody may be at that address.
    pub(crate) async fn try_to_open(&self, url: &str) -> Result<Value, String> {
        self.command("POST /url", "Navigate", json!({ "url": url })).await
    }

    /// The back button.
    pub(crate) async fn back(&self) {
        self.command("POST /back", "Back", json!({})).await.unwrap();
    }

    pub(crate) async fn tab(&self) -> Tab {
        let handle = self.command("GET /window", "GetWindowHandle", Value::Null).await.unwrap();
        Tab(handle.as_str().unwrap().to_owned())
    }

    /// Opens an empty tab in front.
    pub(crate) async fn new_tab(&self) -> Tab {
        let opened = self.command("POST /window/new", "NewWindow", json!({ "type": "tab" })).await.unwrap();
        let tab = Tab(opened["handle"].as_str().unwrap().to_owned());
        self.show(&tab).await;
        tab
    }

    pub(crate) async fn show(&self, tab: &Tab) {
        self.command("POST /window", "SwitchToWindow", json!({ "handle": tab.0 })).await.unwrap();
    }

    /// Every cookie that the browser would send to the page that is shown, `HttpOnly` ones too.
    pub(crate) async fn cookies(&self) -> Vec<Value> {
        self.command("GET /cookie", "GetCookies", Value::Null).await.unwrap().as_array().unwrap().clone()
    }

    /// Every cookie that the browser keeps, of all sites, paths and partitions, with the names of WebDriver. `domain` begins
    /// with a dot if subdomains have it too; `expiry` is null if it ends with the browser, and `partition` outside of one.
    pub(crate) async fn all_cookies(&self) -> Vec<Value> {
        match &self.wire {
            Wire::Chromium(chromium) => chromium.all_cookies().await,
            Wire::Firefox(firefox) => firefox.all_cookies().await,
        }
    }

    pub(crate) async fn click(&self, css: &str) {
        let id = self.find(css).await;
        self.command(&format!("POST /element/{id}/click"), "ElementClick", json!({ "id": id })).await.unwrap();
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let id = self.find(css).await;
        let body = json!({ "id": id, "text": text });
        self.command(&format!("POST /element/{id}/value"), "ElementSendKeys", body).await.unwrap();
    }

    async fn find(&self, css: &str) -> String {
        let query = json!({ "using": "css selector", "value": css });
        self.command("POST /element", "FindElement", query).await.unwrap()[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Runs the body of an async function in the page, and returns what it returns. What shall outlive it belongs to
    /// `window`: Firefox has a global object of its own for the script.
    pub(crate) async fn run(&self, body: &str) -> Value {
        self.script(body).await.unwrap()
    }

    async fn script(&self, body: &str) -> Result<Value, String> {
        let script = format!("return (async () => {{ {body} }})();");
        self.command("POST /execute/sync", "ExecuteScript", json!({ "script": script, "args": [] })).await
    }

    /// Waits until an expression is true in the page, whichever page that is by then.
    pub(crate) async fn until(&self, expression: &str) {
        self.until_without("false", expression).await;
    }

    /// The same, for as long as another expression has not been true.
    pub(crate) async fn until_without(&self, never: &str, expression: &str) {
        let body = format!("return ({never}) ? 'never' : Boolean({expression});");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            match self.script(&body).await {
                Ok(Value::Bool(true)) => return,
                Ok(Value::String(_)) => panic!("this must not be: {never}"),
                // A page that is being left answers with an error.
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        let page = self.script("return `${location.href}\n${document.body.innerText}`;").await;
        panic!("in vain: {expression}\nthe page is {page:#?}");
    }

    /// Waits until a script finds this in the browser. The module lets go of what takes the browser longer than 5 s; a busy
    /// one does that a moment later.
    pub(crate) async fn until_found(&self, script: &str, expected: &Value) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found = self.run(script).await;
            if found == *expected {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "found {found} instead of {expected}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Takes the network away from the browser, or gives it back: its pages hear of both.
    pub(crate) async fn offline(&self, offline: bool) {
        match &self.wire {
            Wire::Chromium(chromium) => chromium.offline(offline).await,
            Wire::Firefox(firefox) => firefox.offline(offline).await,
        }
    }

    /// One command, by its name in either protocol.
    async fn command(&self, path: &str, name: &str, body: Value) -> Result<Value, String> {
        match &self.wire {
            Wire::Chromium(chromium) => chromium.command(path, &body).await,
            Wire::Firefox(firefox) => firefox.command(&format!("WebDriver:{name}"), &body).await,
        }
    }
}

/// What nobody waits for: the last of a browser's processes may still be writing there.
fn remove(folder: &std::path::Path) {
    for _ in 0..50 {
        if std::fs::remove_dir_all(folder).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
