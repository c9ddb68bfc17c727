//! Rows made within the database, as many as there may be: sessions with their opaque tokens and the records of their
//! logins, or live revocations.

use signoff::SessionId;

use crate::Failure;
use crate::database::{Place, Plain};

/// What there is so many of.
pub(crate) struct Rows {
    count: u64,
    /// When the last session ends, in microseconds; the others end within eight hours before it.
    ends: i64,
}

/// Bytes on the disk, indexes included.
pub(crate) struct Sizes {
    /// Of a session, its opaque token, and the record of its login.
    pub(crate) session: f64,
    pub(crate) token: f64,
    pub(crate) record: f64,
}

const HOUR: i64 = 3_600_000_000;
const HOURS: i64 = 8 * HOUR;

impl Rows {
    pub(crate) const fn new(count: u64, ends: i64) -> Self {
        Self { count, ends }
    }

    /// Makes sessions in a database that has the tables, and measures them.
    pub(crate) async fn sessions(&self, place: &Place) -> Result<Sizes, Failure> {
        let mut plain = place.connect().await?;
        let indexes = plain.hurry().await?;
        let mut sizes = vec![place.bytes().await?];
        for (table, indexes) in [("signoff_session", &indexes[0]), ("signoff_token", &indexes[1]), ("", &indexes[2])] {
            let sql = match table {
                "signoff_session" => self.make_sessions(&plain),
                "signoff_token" => self.make_tokens(&plain),
                _ => self.make_records(&plain),
            };
            plain.execute(&sql).await?;
            for index in indexes {
                plain.execute(index).await?;
            }
            sizes.push(place.bytes().await?);
        }
        plain.execute(&self.make_cutoffs(&plain)).await?;
        plain.settle().await?;
        let each = |n: usize| sizes[n + 1].saturating_sub(sizes[n]) as f64 / self.count as f64;
        Ok(Sizes { session: each(0), token: each(1), record: each(2) })
    }

    /// Gives each session a family of refresh tokens, whose first one has the hash [`Rows::family`].
    pub(crate) async fn families(&self, place: &Place) -> Result<(), Failure> {
        let mut plain = place.connect().await?;
        let (hash, sid, from) = (self.repeated(&plain, 4), self.sid(&plain), plain.from(self.count));
        let insert = format!(
            "INSERT INTO signoff_refresh (family, sid, current, grace_until, generation) \
             SELECT {hash}, {sid}, {hash}, 0, 0 FROM {from}"
        );
        plain.execute(&insert).await?;
        plain.settle().await
    }

    /// The key of the family of a session.
    pub(crate) fn family(id: &SessionId) -> Vec<u8> {
        id.as_bytes().repeat(2)
    }

    /// Makes revocations of sessions, and measures them.
    pub(crate) async fn revocations(&self, place: &Place) -> Result<f64, Failure> {
        let mut plain = place.connect().await?;
        let before = place.bytes().await?;
        let Self { count, ends } = self;
        let (i, from, sid) = (plain.i(), plain.from(*count), self.sid(&plain));
        let insert = format!(
            "INSERT INTO signoff_log (position, kind, id, expires_at) SELECT {i}, 2, {sid}, {ends} + {i} FROM {from}"
        );
        plain.execute(&insert).await?;
        plain.execute(&format!("UPDATE signoff_meta SET head = {count}")).await?;
        plain.settle().await?;
        Ok(place.bytes().await?.saturating_sub(before) as f64 / *count as f64)
    }

    /// The id of one of them, in no order: another one for each number below their count.
    pub(crate) const fn id(&self, number: u64) -> SessionId {
        self.nth((number as u128 * 2_654_435_761 % self.count as u128) as u64)
    }

    /// The id of one of them, in the order in which they began.
    pub(crate) const fn nth(&self, number: u64) -> SessionId {
        let half = ((number + 1) * self.step()).to_be_bytes();
        let [a, b, c, d, e, f, g, h] = half;
        SessionId::from_bytes([a, b, c, d, e, f, g, h, a, b, c, d, e, f, g, h])
    }

    /// Ids are as far apart as random ones are on average, and grow, so that making them is quick.
    const fn step(&self) -> u64 {
        i64::MAX as u64 / (self.count + 1)
    }

    fn sid(&self, plain: &Plain) -> String {
        self.repeated(plain, 2)
    }

    fn repeated(&self, plain: &Plain, times: usize) -> String {
        let step = self.step();
        match plain {
            Plain::MariaDb(_) => format!("UNHEX(REPEAT(LPAD(HEX(seq * {step}), 16, '0'), {times}))"),
            Plain::Postgres(_) => format!("decode(repeat(lpad(to_hex(i * {step}), 16, '0'), {times}), 'hex')"),
            Plain::Sqlite(_) => format!("unhex({})", vec![format!("printf('%016x', i * {step})"); times].join(" || ")),
        }
    }

    /// Two or three sessions a person, ends in no order, and what browsers call themselves. They began 31 hours before they
    /// end, so that those that live have been used before now, and can be noted to be used once more.
    fn make_sessions(&self, plain: &Plain) -> String {
        let Self { count, ends } = self;
        let (i, from, sid) = (plain.i(), plain.from(*count), self.sid(plain));
        let end = format!("{} + ({i} * 7919) % {count} * {}", ends - HOURS, HOURS / *count as i64);
        let (created, idle) = (format!("{end} - {}", 31 * HOUR), format!("{end} - {HOUR}"));
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let subject = plain.subject(*count);
        format!(
            "INSERT INTO signoff_session (sid, subject, client_id, born, created_at, authenticated_at, last_seen_at, \
             idle_expires_at, expires_at, version, data, device, address, user_agent) \
             SELECT {sid}, {subject}, 'https://bank.example/api', {i}, {created}, {created}, {created}, \
             {idle}, {end}, 1, {}, 'Firefox on Linux', '203.0.113.77', '{agent}' FROM {from}",
            plain.empty(),
        )
    }

    /// Other people's: one in a hundred has logged out everywhere.
    fn make_cutoffs(&self, plain: &Plain) -> String {
        let (sid, i, from) = (self.sid(plain), plain.i(), plain.from(self.count / 100));
        format!(
            "INSERT INTO signoff_cutoff (kind, id, position, expires_at) SELECT 3, {sid}, {i}, {} FROM {from}",
            self.ends
        )
    }

    fn make_tokens(&self, plain: &Plain) -> String {
        let (hash, sid, from) = (self.repeated(plain, 4), self.sid(plain), plain.from(self.count));
        format!("INSERT INTO signoff_token (hash, sid) SELECT {hash}, {sid} FROM {from}")
    }

    fn make_records(&self, plain: &Plain) -> String {
        let (i, from, subject) = (plain.i(), plain.from(self.count), plain.subject(self.count));
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        format!(
            "INSERT INTO signoff_audit (at, kind, subject, actor, session, address, user_agent) \
             SELECT {} + {i}, 'session_created', {subject}, 'subject', '0123456789ab', '203.0.113.77', '{agent}' \
             FROM {from}",
            self.ends - 2 * HOURS,
        )
    }
}

impl Plain {
    /// What counts.
    const fn i(&self) -> &'static str {
        match self {
            Self::MariaDb(_) => "CAST(seq AS SIGNED)",
            _ => "i",
        }
    }

    /// What counts it.
    fn from(&self, count: u64) -> String {
        match self {
            Self::MariaDb(_) => format!("seq_1_to_{count}"),
            Self::Postgres(_) => format!("generate_series(1, {count}::bigint) AS i"),
            Self::Sqlite(_) => {
                format!(
                    "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n)"
                )
            }
        }
    }

    fn subject(&self, count: u64) -> String {
        let number = format!("{} * 104729 % {}", self.i(), count / 2 + 1);
        match self {
            Self::MariaDb(_) => format!("CONCAT('person-', {number})"),
            _ => format!("'person-' || {number}"),
        }
    }

    const fn empty(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "x''",
            _ => "''",
        }
    }

    /// Making the rows need not be durable, nor the indexes be there from the start. The statements that make those of
    /// sessions, tokens and records.
    async fn hurry(&mut self) -> Result<[Vec<String>; 3], Failure> {
        let indexes = match self {
            Self::MariaDb(_) => {
                self.execute("SET SESSION unique_checks = 0").await?;
                Vec::new()
            }
            Self::Postgres(_) => {
                self.execute("SET synchronous_commit = off; SET jit = off").await?;
                self.texts(
                    "SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'signoff%' AND indexname NOT LIKE '%pkey'",
                )
                .await?
            }
            Self::Sqlite(_) => {
                self.execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; PRAGMA journal_mode = OFF")
                    .await?;
                self.texts("SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").await?
            }
        };
        let of = |table: &str| {
            let of_table = |sql: &&String| sql.contains(&format!(" {table} ")) || sql.contains(&format!(".{table} "));
            indexes.iter().filter(of_table).cloned().collect::<Vec<_>>()
        };
        let indexes = ["signoff_session", "signoff_token", "signoff_audit"].map(of);
        for index in indexes.iter().flatten() {
            let name = index.split(' ').find(|word| word.starts_with("signoff_")).ok_or("an index without a name")?;
            self.execute(&format!("DROP INDEX {name}")).await?;
        }
        Ok(indexes)
    }

    /// Ends it: as durable as before, and statistics as if the rows had come one by one.
    async fn settle(mut self) -> Result<(), Failure> {
        match self {
            Self::MariaDb(_) => {}
            Self::Postgres(_) => {
                for sql in ["VACUUM ANALYZE", "CHECKPOINT"] {
                    self.execute(sql).await?;
                }
            }
            Self::Sqlite(_) => self.execute("PRAGMA journal_mode = WAL; PRAGMA wal_checkpoint(TRUNCATE)").await?,
        }
        self.close().await
    }
}
