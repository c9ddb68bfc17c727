//! Starting with ten million live revocations, with a snapshot file and without.
//!
//! Claims: how long it takes to open SQLite and Signoff with the file, over the same without. The file is as large as the
//! log, and nothing was revoked since it was written: what came since is read from the log in either case.

use std::path::Path;

use signoff::time::{Clock, SystemClock};
use signoff::{KeySet, Settings, SigningKey, Signoff};
use signoff_benches::{Contestant, Length, Unit, claim, interleave, now, remark, time};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::database::{Database, Place};
use crate::rows::Rows;

/// Measures.
pub(crate) fn run(length: Length, runtime: &Runtime) -> Result<(), Failure> {
    let count = length.pick(10_000_000, 100_000) as u64;
    let place = Database::Sqlite.place()?;
    let hours = SystemClock::new().wall().ok_or("the clock is unreadable")?.as_micros() + 30 * 3_600_000_000;
    runtime.block_on(async {
        place.prepare().await?;
        Rows::new(count, hours).revocations(&place).await
    })?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = folder.path().join("revocations");
    let first = runtime.block_on(open(&place, Some(&file)))?;
    let ((), writing) = time(|| runtime.block_on(first.close()));
    remark(format_args!(
        "the snapshot of {count} revocations: {:.1} bytes for each, closing took {:.0} ms with it",
        file.metadata()?.len() as f64 / count as f64,
        writing.as_secs_f64() * 1e3,
    ));
    // Nothing changes any more, so that none of these writes it again.
    let start = |file| {
        let open_and_close = async {
            let start = now();
            let signoff = open(&place, file).await?;
            let taken = now() - start;
            signoff.close().await;
            Ok::<_, Failure>(taken.as_secs_f64() * 1e9)
        };
        runtime.block_on(open_and_close).expect("it opens")
    };
    let [with, without] = interleave(
        &format!("sqlite: start with {count} live revocations"),
        Unit::Nanoseconds,
        length.pick(5, 5),
        [
            Contestant::new("with a snapshot file", || start(Some(file.as_path()))),
            Contestant::new("without", || start(None)),
        ],
    );
    claim("start-1e7-snapshot", &with, &without);
    Ok(())
}

async fn open(place: &Place, file: Option<&Path>) -> Result<Signoff, Failure> {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.snapshot = file.map(Path::to_owned);
    Ok(Signoff::open(place.store().await?, KeySet::new(SigningKey::generate()?), settings).await?)
}
