//! PyJWT and jose as partners: they read our tokens, our keys and our JWK set, and we read their tokens. It installs
//! them by itself, in the versions that `tests/interop` pins, and it never skips.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use signoff::time::{Clock, SystemClock};
use signoff::{Algorithm, KeySet, Login, MemoryStore, Rejection, Settings, SigningKey, Signoff, TokenId};

use crate::bank::subject;

const ISSUER: &str = "https://bank.example";
const AUDIENCE: &str = "https://bank.example/api";
/// With escapes in the JSON of one partner, and without in that of the other.
const SUBJECT: &str = "Ärger \"🦊\" \\";

const REQUIRED: [&str; 9] = ["iss", "sub", "aud", "exp", "iat", "jti", "sid", "pos", "client_id"];

/// What is exchanged with each partner. The partner makes the key, so that its documents are tried too.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256];

#[tokio::test]
async fn jose() {
    let answers = exchange(&install_jose()).await;
    // jose computes thumbprints (RFC 7638), and ours are the same.
    let thumbprints: Vec<_> = answers.iter().filter(|(_, answer)| answer["thumbprint"].is_string()).collect();
    assert!(thumbprints.len() >= 2);
    for (kid, answer) in thumbprints {
        assert_eq!(answer["thumbprint"], *kid);
    }
}

#[tokio::test]
async fn pyjwt() {
    exchange(&install_pyjwt()).await;
}

/// Everything that is exchanged with a partner; returns its answers, each with the `kid` of the key.
async fn exchange(partner: &Partner) -> Vec<(String, Value)> {
    let names = ALGORITHMS.map(Algorithm::name);
    let generated = partner.ask(&json!({ "generate": names }));
    let mut orders = Vec::new();
    let mut services = Vec::new();
    for (n, algorithm) in ALGORITHMS.into_iter().enumerate() {
        let signoff = service(&generated, n).await;
        let kid = import(algorithm, &generated[n]).kid().to_owned();
        let login = Login::new(subject(SUBJECT)).scope("read write").claims(&json!({ "role": "teller" })).unwrap();
        let token = signoff.log_in(login).await.unwrap().token.expose().to_owned();
        orders.push(json!({
            "alg": algorithm.name(), "jwk": generated[n]["jwk"], "kid": kid, "jwks": signoff.jwks(),
            "changed": changed(&token), "token": token, "claims": claims(), "required": REQUIRED, "issuer": ISSUER, "audience": AUDIENCE,
        }));
        services.push((algorithm, kid, signoff));
    }
    let answers = partner.ask(&json!({ "exchange": orders }));
    let mut named = Vec::new();
    for (n, (algorithm, kid, signoff)) in services.into_iter().enumerate() {
        check_reading(&answers[n], &orders[n], algorithm);
        check_minted(&answers[n], &orders[n]["claims"], &signoff);
        named.push((kid, answers[n].clone()));
    }
    named
}

/// The partner has read from our token what we said.
fn check_reading(answer: &Value, order: &Value, algorithm: Algorithm) {
    let payload = order["token"].as_str().unwrap().split('.').nth(1).unwrap();
    let ours: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    assert_eq!(answer["read"], ours, "{algorithm:?}");
    assert_eq!(ours["sub"], SUBJECT);
    let by_set = if algorithm == Algorithm::Hs256 { &Value::Null } else { &ours };
    assert_eq!(answer["read_by_set"], *by_set, "{algorithm:?}");
    // Lest it accepts everything.
    assert!(
        ["ERR_JWS_SIGNATURE_VERIFICATION_FAILED", "InvalidSignatureError"]
            .map(Value::from)
            .contains(&answer["refusal_of_changed"]),
        "{answer}"
    );
    assert!(
        ["ERR_JWT_CLAIM_VALIDATION_FAILED", "InvalidAudienceError"]
            .map(Value::from)
            .contains(&answer["refusal_of_audience"]),
        "{answer}"
    );
}

/// We read from the partner's token what it said, and only from one that is an access token.
fn check_minted(answer: &Value, claims: &Value, signoff: &Signoff) {
    let minted = answer["minted"].as_str().unwrap();
    let live = signoff.verify(minted).unwrap_or_else(|reason| panic!("{reason:?}: {minted}"));
    assert_eq!(live.subject().to_string(), claims["sub"]);
    assert_eq!(live.client_id().to_string(), claims["client_id"]);
    assert_eq!(live.session_id().to_string(), claims["sid"]);
    assert_eq!(live.token_id().unwrap().to_string(), claims["jti"]);
    assert_eq!(live.position().get(), claims["pos"]);
    assert_eq!(live.issued_at().as_secs(), claims["iat"]);
    assert_eq!(live.expires_at().as_secs(), claims["exp"]);
    assert_eq!(live.scope().unwrap(), claims["scope"]);
    assert_eq!(live.application::<Map<String, Value>>().unwrap()["nested"], claims["nested"]);
    assert_eq!(signoff.verify(&changed(minted)).unwrap_err(), Rejection::BadSignature);
    // jose says no `typ` unless told to, PyJWT says `JWT`.
    let default = signoff.verify(answer["minted_by_default"].as_str().unwrap()).unwrap_err();
    assert!(matches!(default, Rejection::Malformed | Rejection::WrongType), "{default:?}");
}

/// What the partners mint: the claims of one of our access tokens.
fn claims() -> Value {
    let now = SystemClock::new().wall().unwrap();
    let id = || TokenId::generate().unwrap().to_string();
    json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "exp": now.as_secs() + 600, "iat": now.as_secs(), "jti": id(),
        "sid": id(), "pos": now.as_micros(), "client_id": "partner", "scope": "read", "nested": { "a": [1, null, "é"] },
    })
}

/// A service that signs with the partner's key number `signing` and verifies with all of them.
async fn service(generated: &Value, signing: usize) -> Signoff {
    let key = |n: usize| import(ALGORITHMS[n], &generated[n]);
    let others = (0..ALGORITHMS.len()).filter(|n| *n != signing);
    let keys = others.fold(KeySet::new(key(signing)), |keys, n| keys.with_retired(key(n).verifying_key().clone()));
    Signoff::open(MemoryStore::new(), keys, Settings::new(ISSUER, AUDIENCE)).await.unwrap()
}

/// A key that the partner made.
fn import(algorithm: Algorithm, generated: &Value) -> SigningKey {
    let raw = URL_SAFE_NO_PAD.decode(generated["raw"].as_str().unwrap()).unwrap();
    match algorithm {
        Algorithm::Hs256 => SigningKey::from_secret(algorithm, &raw).unwrap(),
        _ => SigningKey::from_pkcs8(algorithm, &raw).unwrap(),
    }
}

/// The token with another character in the middle of its signature.
fn changed(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let digit = if signature.as_bytes()[20] == b'A' { "B" } else { "A" };
    format!("{input}.{}{digit}{}", &signature[..20], &signature[21..])
}

/// A program that speaks JSON on standard input and output.
struct Partner {
    program: PathBuf,
    script: PathBuf,
}

impl Partner {
    fn ask(&self, order: &Value) -> Value {
        let mut command = Command::new(&self.program);
        command.arg(&self.script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        child.stdin.take().unwrap().write_all(order.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} failed:\n{complaint}", self.script.display());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn install_pyjwt() -> Partner {
    let folder = install("pyjwt", &["pyjwt.py", "requirements.txt"], |folder| {
        run(folder, "python3", &["-m", "venv", "venv"], "python3 with its venv module");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
        run(folder, "venv/bin/python", &pip, "access to the Python package index");
    });
    Partner { program: folder.join("venv/bin/python"), script: folder.join("pyjwt.py") }
}

fn install_jose() -> Partner {
    let folder = install("jose", &["jose.mjs", "package.json", "package-lock.json"], |folder| {
        let npm = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
        run(folder, "npm", &npm, "node 20 or later with npm, and access to the npm registry");
    });
    Partner { program: "node".into(), script: folder.join("jose.mjs") }
}

/// A folder with these files and what `setup` makes of them. It is kept between runs, as long as the files are the same.
fn install(name: &str, files: &[&str], setup: impl FnOnce(&Path)) -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop");
    fs::create_dir_all(&parent).unwrap();
    let folder = parent.join(name);
    // Every test may be a process of its own, and only one may install.
    let lock = File::create(parent.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    let wanted: String = files.iter().map(|file| fs::read_to_string(source.join(file)).unwrap()).collect();
    // Written last, so it stands only in a folder that is complete.
    let stamp = folder.join("stamp");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    for file in files {
        fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    setup(&folder);
    fs::write(stamp, wanted).unwrap();
    folder
}

fn run(folder: &Path, program: &str, arguments: &[&str], need: &str) {
    // A program in the folder is named by its whole path: whose a relative one is, differs between systems.
    let program = if program.contains('/') { folder.join(program) } else { program.into() };
    let output = Command::new(&program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}. This test needs {need}.", program.display()));
    let [out, complaint] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let command = format!("{} {}", program.display(), arguments.join(" "));
    assert!(output.status.success(), "`{command}` failed. This test needs {need}.\n{out}{complaint}");
}
