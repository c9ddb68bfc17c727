//! signoff on a store, as an application has it, and what is done with it.

use std::sync::Arc;
use std::time::Duration;

use signoff::refresh::Refresh;
use signoff::time::{Clock, SystemClock};
use signoff::{KeySet, Login, Secret, Settings, SigningKey, Signoff, Store, Subject};
use signoff_benches::{now, quantile};
use tokio::runtime::Runtime;

use crate::Failure;

/// How many ask at once, where many do.
pub(crate) const CALLERS: usize = 256;

/// With the default settings, JWTs signed by EdDSA, and refresh tokens. Only the memory of signatures is larger: of tokens that
/// are seen once each, all at a time, the default one forgets most, and then it is signatures that are measured.
pub(crate) async fn open(store: impl Store) -> Result<Signoff, Failure> {
    open_at(store, Arc::new(SystemClock::new())).await
}

pub(crate) async fn open_at(store: impl Store, clock: Arc<dyn Clock>) -> Result<Signoff, Failure> {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.refresh = Some(Refresh::default());
    settings.signature_memory = 1 << 30;
    Ok(Signoff::open_with_clock(store, KeySet::new(SigningKey::generate()?), settings, clock).await?)
}

/// What a person holds who is logged in.
pub(crate) struct Tokens {
    pub(crate) access: Secret,
    pub(crate) refresh: Secret,
}

/// How many log in at once.
pub(crate) const AT_ONCE: usize = 16;

/// Logs people in, some at once.
pub(crate) async fn log_in(signoff: &Signoff, count: usize) -> Result<Vec<Tokens>, Failure> {
    let tasks: Vec<_> = (0..AT_ONCE.min(count))
        .map(|task| {
            let signoff = signoff.clone();
            tokio::spawn(async move {
                let mut tokens = Vec::new();
                for n in (task..count).step_by(AT_ONCE) {
                    let issued = signoff.log_in(Login::new(Subject::new(&format!("person-{n}"))?)).await?;
                    let refresh = issued.refresh_token.ok_or("refresh tokens are on")?;
                    tokens.push(Tokens { access: issued.token, refresh });
                }
                Ok::<_, Failure>(tokens)
            })
        })
        .collect();
    let mut tokens = Vec::with_capacity(count);
    for task in tasks {
        tokens.append(&mut task.await??);
    }
    Ok(tokens)
}

/// Does one thing after the other for each of many callers, all callers at once, and says how many things a second.
pub(crate) async fn crowd<C: Send + 'static, F>(
    callers: Vec<C>,
    each: usize,
    work: impl Fn(C) -> F,
) -> Result<f64, Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let count = callers.len() * each;
    let start = now();
    let tasks: Vec<_> = callers.into_iter().map(|caller| tokio::spawn(work(caller))).collect();
    for task in tasks {
        task.await??;
    }
    Ok(count as f64 / (now() - start).as_secs_f64())
}

/// As in an application, where handlers run on the runtime's own threads.
pub(crate) fn on_a_worker<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    runtime.block_on(runtime.spawn(work)).expect("no panics")
}

/// Of durations, in nanoseconds.
pub(crate) fn nanos_at(taken: &[Duration], part: f64) -> f64 {
    quantile(&mut taken.iter().map(|taken| taken.as_secs_f64() * 1e9).collect::<Vec<_>>(), part)
}

/// Splits what many callers will use.
pub(crate) fn deal<T>(mut all: Vec<T>, each: usize) -> Vec<Vec<T>> {
    let mut dealt = Vec::new();
    while all.len() >= each && each > 0 {
        dealt.push(all.split_off(all.len() - each));
    }
    dealt
}
