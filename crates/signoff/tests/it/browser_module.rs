//! The browser module as it is served: made from the sources beside it, and small.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use signoff::web::SIGNOFF_JS;

#[test]
fn it_was_built_from_these_sources() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("client/src");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let served = |path: &Path| path.extension().is_some_and(|end| end == "js") && !path.ends_with("react.js");
    let mut sources: Vec<_> = entries.filter(|path| served(path)).collect();
    sources.sort();
    assert!(sources.len() >= 7, "{sources:?}");
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    for source in sources {
        hash.update(&fs::read(source).unwrap());
    }
    let hex: String = hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, code) = SIGNOFF_JS.split_once('\n').unwrap();
    assert!(first.ends_with(&format!("sources sha256:{hex} */")), "client/check.sh builds it: {first}");
    assert!(first.contains(env!("CARGO_PKG_VERSION")), "{first}");
    assert!(code.len() > 4096, "more than a line");
}

#[test]
fn it_is_smaller_than_4_kib_compressed() {
    let mut gzip = Command::new("gzip").arg("-9c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    gzip.stdin.take().unwrap().write_all(SIGNOFF_JS.as_bytes()).unwrap();
    let compressed = gzip.wait_with_output().unwrap();
    assert!(compressed.status.success());
    let size = compressed.stdout.len();
    assert!((1_024..4_096).contains(&size), "{size} bytes");
}

#[test]
fn it_does_nothing_that_a_strict_policy_forbids() {
    // What `script-src 'self'` and trusted types refuse; the tests in browsers have pages with such a policy.
    for word in
        ["eval(", "new Function", "innerHTML", "outerHTML", "insertAdjacent", "document.write", ".style=", "import("]
    {
        assert!(!SIGNOFF_JS.contains(word), "{word}");
    }
}
