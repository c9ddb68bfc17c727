//! A process that is killed at any point of a logout, and callers that vanish at any await: the session is wholly
//! alive and nobody was told otherwise, or it is dead; and a retry completes.

use std::ffi::OsStr;
use std::future::Future;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::task::{Context, Poll};

use signoff::{Cause, Delivery, Signoff};

use crate::service::{BOTH, accepts, alice, log_in, open, open_at};

/// Every named point, in order. `the_points_are_these` proves that none is missing.
pub(crate) const STEPS: [&str; 12] = [
    "logout: queued",
    "logout: before the transaction",
    "sign-off: begun",
    "sign-off: destroyed",
    "sign-off: head moved",
    "sign-off: logged",
    "sign-off: recorded",
    "sign-off: before the commit",
    "sign-off: committed",
    "logout: after the transaction",
    "logout: in force",
    "logout: before the answer",
];

pub(crate) const FIRST_DURABLE: &str = "sign-off: committed";

/// Those that a logout of single sessions does not reach: its transaction is one statement.
const OF_MANY_STATEMENTS: [&str; 5] = [
    "sign-off: destroyed",
    "sign-off: head moved",
    "sign-off: logged",
    "sign-off: recorded",
    "sign-off: before the commit",
];

async fn log_out(signoff: &Signoff, everywhere: bool, token: &str) {
    let receipt = match everywhere {
        true => signoff.log_out_everywhere(&[token], Cause::logout()).await.unwrap(),
        false => signoff.log_out(&[token], Cause::logout()).await.unwrap(),
    };
    assert!(receipt.body().contains("destroyed"));
}

/// Starts this very test binary as another process that runs only [`child`].
pub(crate) fn spawn(task: &str, place: impl AsRef<OsStr>, delivery: Delivery, argument: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--include-ignored"])
        .env("SIGNOFF_CHILD", task)
        .env("SIGNOFF_PATH", place)
        .env("SIGNOFF_DELIVERY", format!("{delivery:?}"))
        .env("SIGNOFF_ARGUMENT", argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test of its own: what the children of the tests below do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(task) = std::env::var("SIGNOFF_CHILD") else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let delivery = if variable("SIGNOFF_DELIVERY") == "Jwt" { Delivery::Jwt } else { Delivery::Opaque };
    let tokens = variable("SIGNOFF_ARGUMENT");
    let signoff = open_at(&variable("SIGNOFF_PATH"), delivery).await.unwrap();
    if task == "many" {
        let logouts: Vec<_> = tokens
            .split(' ')
            .enumerate()
            .map(|(n, token)| {
                let (signoff, token) = (signoff.clone(), token.to_owned());
                tokio::spawn(async move {
                    tokio::time::sleep(std::time::Duration::from_millis(n as u64)).await;
                    log_out(&signoff, false, &token).await;
                    println!("told {n}");
                })
            })
            .collect();
        for logout in logouts {
            logout.await.unwrap();
        }
    } else {
        let (everywhere, step) = task.split_once('|').unwrap();
        static STEP: OnceLock<String> = OnceLock::new();
        static WAITED: AtomicBool = AtomicBool::new(false);
        // One that waits does so once, until it is told to go on.
        let (everywhere, waits) = everywhere.strip_prefix("waiting ").map_or((everywhere, false), |word| (word, true));
        WAITED.store(!waits, Ordering::SeqCst);
        STEP.set(step.to_owned()).unwrap();
        signoff::test_util::on_step(|step| {
            if STEP.get().is_none_or(|wanted| wanted != step) {
                return;
            }
            if !WAITED.swap(true, Ordering::SeqCst) {
                println!("\nwaiting");
                std::io::stdin().read_line(&mut String::new()).unwrap();
                // From here on it goes on, also when it comes by again.
                GOES_ON.store(true, Ordering::SeqCst);
            }
            if !GOES_ON.load(Ordering::SeqCst) {
                Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status().unwrap();
                loop {
                    std::thread::park();
                }
            }
        });
        let outcome = match everywhere {
            "everywhere" => signoff.log_out_everywhere(&[&tokens], Cause::logout()).await,
            _ => signoff.log_out(&[&tokens], Cause::logout()).await,
        };
        match outcome {
            Ok(_) => println!("told"),
            Err(denied) => println!("refused {denied:?}"),
        }
    }
}

static GOES_ON: AtomicBool = AtomicBool::new(false);

#[tokio::test]
async fn killed_at_every_point() {
    for delivery in BOTH {
        for everywhere in ["one", "everywhere"] {
            for step in STEPS {
                if everywhere == "one" && OF_MANY_STATEMENTS.contains(&step) {
                    continue;
                }
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("bank.sqlite3");
                let signoff = open(&path, delivery).await.unwrap();
                let (token, sibling) = (log_in(&signoff).await, log_in(&signoff).await);
                signoff.close().await;

                let mut child = spawn(&format!("{everywhere}|{step}"), &path, delivery, &token);
                let mut told = String::new();
                child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
                assert_eq!(child.wait().unwrap().signal(), Some(9), "{step}: the point was not reached\n{told}");
                assert!(!told.contains("told"), "{step}");

                let signoff = open(&path, delivery).await.unwrap();
                let durable = STEPS.iter().position(|s| *s == step) >= STEPS.iter().position(|s| *s == FIRST_DURABLE);
                let context = format!("{delivery:?}, {everywhere}, {step}");
                assert_eq!(accepts(&signoff, &token).await, !durable, "{context}");
                let sibling_dies = everywhere == "everywhere";
                assert_eq!(accepts(&signoff, &sibling).await, !(durable && sibling_dies), "{context}");
                let listed = signoff.sessions(&alice(), None).await.unwrap().len();
                assert_eq!(listed, if !durable { 2 } else { usize::from(!sibling_dies) }, "{context}: half dead");
                let events = signoff.audit_trail(&alice()).await.unwrap().len();
                assert_eq!(events > 2, durable, "{context}: the record belongs to the transaction");

                log_out(&signoff, sibling_dies, &token).await;
                assert!(!accepts(&signoff, &token).await, "{context}: a retry completes");
                assert_eq!(accepts(&signoff, &sibling).await, !sibling_dies, "{context}");
                signoff.close().await;
            }
        }
    }
}

#[tokio::test]
async fn the_points_are_these() {
    static SEEN: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let folder = tempfile::tempdir().unwrap();
    let signoff = open(&folder.path().join("bank.sqlite3"), Delivery::Jwt).await.unwrap();
    let token = log_in(&signoff).await;
    // Other tests of this process log out as well, so what is checked is that no unknown point is ever reached; and they
    // refresh, whose points are tested elsewhere.
    signoff::test_util::on_step(|step| SEEN.lock().unwrap().push(step));
    log_out(&signoff, false, &token).await;
    log_out(&signoff, true, &token).await;
    let seen = SEEN.lock().unwrap();
    let is_of_refresh =
        |step: &str| ["refresh: ", "exchange: ", "elsewhere: "].iter().any(|other| step.starts_with(other));
    for step in seen.iter().filter(|step| !is_of_refresh(step)) {
        assert!(STEPS.contains(step), "{step:?} is not tested");
    }
    for step in STEPS {
        assert!(seen.contains(&step), "{step:?} was not reached");
    }
}

#[tokio::test]
async fn killed_at_any_time_under_load() {
    const SESSIONS: usize = 100;
    let mut interrupted = 0;
    for round in 0..16u64 {
        let delivery = BOTH[round as usize % 2];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bank.sqlite3");
        let signoff = open(&path, delivery).await.unwrap();
        let mut tokens = Vec::new();
        for _ in 0..SESSIONS {
            tokens.push(log_in(&signoff).await);
        }
        signoff.close().await;

        let mut child = spawn("many", &path, delivery, &tokens.join(" "));
        // Killed after so many answers; what was answered by then, and whatever else was, must hold.
        let stop_after = 1 + (round as usize * 7) % 60;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = Vec::new();
        while let Some(Ok(line)) = lines.next() {
            told.extend(line.strip_prefix("told ").map(|n| n.parse::<usize>().unwrap()));
            if told.len() == stop_after {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        interrupted += usize::from(told.len() < SESSIONS);

        let signoff = open(&path, delivery).await.unwrap();
        let listed: Vec<_> = signoff.sessions(&alice(), None).await.unwrap();
        let mut alive = 0;
        for (n, token) in tokens.iter().enumerate() {
            let accepted = accepts(&signoff, token).await;
            assert!(!(accepted && told.contains(&n)), "round {round}: logout {n} was confirmed and is undone");
            alive += usize::from(accepted);
        }
        assert_eq!(alive, listed.len(), "round {round}: half dead");
        signoff.close().await;
    }
    assert!(interrupted > 4, "the kills came too late to mean anything");
}

/// Polls its future so many times, then gives up and drops it.
struct Impatient<F> {
    future: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future> Future for Impatient<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        match self.future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                if self.polls == 0 {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_at_every_await() {
    for delivery in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let signoff = open(&folder.path().join("bank.sqlite3"), delivery).await.unwrap();
        let mut dropped = 0;
        for polls in 1.. {
            let token = log_in(&signoff).await;
            let tokens = [token.as_str()];
            let future = Box::pin(signoff.log_out(&tokens, Cause::logout()));
            let finished = Impatient { future, polls }.await.is_some();
            // A logout that was queued before is done before this one.
            log_out(&signoff, false, &log_in(&signoff).await).await;
            let listed = signoff.sessions(&alice(), None).await.unwrap().len();
            let alive = accepts(&signoff, &token).await;
            assert_eq!(usize::from(alive), listed, "{delivery:?} after {polls} polls: half dead");
            assert!(!(finished && alive));
            log_out(&signoff, false, &token).await;
            assert!(!accepts(&signoff, &token).await);
            if finished {
                break;
            }
            dropped += 1;
        }
        assert!(dropped > 0, "the logout never waited, so nothing was tested");
        signoff.close().await;
    }
}
