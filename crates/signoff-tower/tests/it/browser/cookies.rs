//! Every cookie that can be described, in real browsers: what is kept of it, what clears it, and what does not. The jar of
//! `signoff/tests/jar` is asked the same, so that it stays what browsers are.

mod duplicates;
mod partitions;
mod trial;

#[path = "../../../../signoff/tests/jar/date.rs"]
mod date;
#[path = "../../../../signoff/tests/jar/jar.rs"]
#[expect(dead_code, reason = "the tests of the jar need more of it")]
mod jar;
#[path = "../../../../signoff/tests/jar/set_cookie.rs"]
mod set_cookie;
#[path = "../../../../signoff/tests/jar/words.rs"]
mod words;

use signoff::cookie::SameSite;
use signoff::{CookieLedger, CookieSpec, Secret};

use super::driver::Kind;
use super::in_every_browser;
use trial::{DOMAIN, HOST, Kept, SITE, Trial};
use words::{Described, Kind as Prefix, with};

in_every_browser! {
    every_description_is_kept_and_cleared
}

const DAYS: i64 = 30;

/// What makes another cookie of the one that is to be cleared, or nothing.
struct Mistake {
    name: &'static str,
    /// How many of all cookies it leaves in the browser.
    leaves: usize,
    make: fn(&str) -> String,
}

const MISTAKES: [Mistake; 9] = [
    Mistake { name: "no Path", leaves: 308, make: |header| with(header, "Path", None) },
    Mistake { name: "another Path", leaves: 308, make: |header| with(header, "Path", Some("/elsewhere")) },
    // Where there is one.
    Mistake { name: "no Domain", leaves: 136, make: |header| with(header, "Domain", None) },
    Mistake {
        name: "another Domain, or one where there is none",
        leaves: 308,
        make: |header| format!("{}; Domain={HOST}", with(header, "Domain", None)),
    },
    Mistake {
        name: "the other Partitioned",
        leaves: 308,
        make: |header| match header.split_once("; Partitioned") {
            Some((before, after)) => format!("{before}{after}"),
            None => format!("{header}; Partitioned"),
        },
    },
    // With a prefix, SameSite=None or Partitioned.
    Mistake { name: "no Secure", leaves: 244, make: |header| with(header, "Secure", None) },
    // With a prefix that promises it.
    Mistake { name: "no HttpOnly", leaves: 60, make: |header| with(header, "HttpOnly", None) },
    // It matters where another site embeds the page.
    Mistake { name: "no SameSite", leaves: 0, make: |header| with(header, "SameSite", None) },
    Mistake { name: "no end", leaves: 308, make: |header| with(&with(header, "Max-Age", None), "Expires", None) },
];

/// All combinations that are not refused and do not print the same as another.
fn all_described() -> Vec<Described> {
    let mut all = Vec::new();
    for n in 0..1 << 8 {
        let bit = |at: u32| n >> at & 1 == 1;
        for kind in [Prefix::Host, Prefix::HostHttp, Prefix::Http, Prefix::Secure, Prefix::Unprefixed] {
            let same_site = match (bit(0), bit(1)) {
                (false, false) => SameSite::Lax,
                (false, true) => SameSite::None,
                (true, false) => SameSite::Strict,
                (true, true) => continue,
            };
            let described = Described {
                kind,
                name: format!("c{}", all.len()),
                path: if bit(2) { "/app" } else { "/" }.to_owned(),
                domain: bit(3).then_some(DOMAIN),
                same_site,
                max_age: bit(4).then_some(DAYS as u64 * 86_400),
                partitioned: bit(5),
                readable: bit(6),
                secure: !bit(7),
            };
            // `host` and `host_http` have no choice of path and domain; the other two bring `Secure` along.
            let fixed = matches!(kind, Prefix::Host | Prefix::HostHttp) && (bit(2) || bit(3));
            let implied = !described.secure && (same_site == SameSite::None || described.partitioned);
            if !fixed && !implied && described.spec().is_some() {
                all.push(described);
            }
        }
    }
    all
}

/// What a browser is to keep, by what was described rather than by what was printed.
fn expected(described: &Described) -> Kept {
    Kept {
        name: described.spec().unwrap().name().to_owned(),
        value: format!("v-{}", described.name),
        domain: described.domain.map_or_else(|| HOST.to_owned(), |domain| format!(".{domain}")),
        path: described.path.clone(),
        secure: described.secure,
        http_only: !described.readable,
        same_site: format!("{:?}", described.same_site),
        days: described.max_age.map(|_| DAYS),
        partition: described.partitioned.then(|| SITE.to_owned()),
    }
}

/// The first as the cookie of the session, the others in turn as in use and as retired.
fn ledger(specs: &[CookieSpec]) -> CookieLedger {
    let others = specs.iter().skip(1).enumerate();
    others.fold(CookieLedger::new(specs[0].clone()), |ledger, (n, spec)| {
        if n % 2 == 0 { ledger.and(spec.clone()) } else { ledger.retired(spec.clone()) }.unwrap()
    })
}

async fn every_description_is_kept_and_cleared(kind: Kind) {
    let mut trial = Trial::start(kind).await;
    trial.open(SITE).await;
    let all = all_described();
    assert_eq!(all.len(), 308);
    let mut left = [0; MISTAKES.len()];
    // As many as a ledger holds.
    for some in all.chunks(32) {
        let specs: Vec<_> = some.iter().map(|described| described.spec().unwrap()).collect();
        let set = |described: &Described, spec: &CookieSpec| spec.set(&Secret::new(format!("v-{}", described.name)));
        let set: Vec<_> = some.iter().zip(&specs).map(|(described, spec)| set(described, spec).unwrap()).collect();
        let mut wanted: Vec<_> = some.iter().map(expected).collect();
        wanted.sort();
        let clear = trial.cleared(&ledger(&specs));
        assert_eq!(trial.answer(&set).await, wanted);
        let sent = trial.ask().await;
        assert!(wanted.iter().all(|kept| sent.contains(&format!("{}={}", kept.name, kept.value))), "{sent:?}");

        for (Mistake { name, make, .. }, left) in MISTAKES.iter().zip(&mut left) {
            let wrong: Vec<_> = clear.iter().map(|header| make(header)).collect();
            let kept = trial.answer_with(name, &wrong).await;
            *left += kept.len();
            if kept != wanted {
                assert_eq!(trial.answer(&set).await, wanted);
            }
        }
        assert_eq!(trial.answer(&clear).await, []);
        assert_eq!(trial.ask().await, [""; 0]);
    }
    for (Mistake { name, leaves, .. }, left) in MISTAKES.iter().zip(left) {
        assert_eq!(left, *leaves, "{name}");
    }
}
