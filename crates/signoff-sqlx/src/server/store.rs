//! The store made of a server's connections and a dialect's statements, which are the functions of its modules
//! `sessions`, `create`, `exchange`, `elsewhere`, `log`, `audit`, `key_ring`, `nodes`, `purge` and `sign_off`.

/// Once more where the database has certainly rolled back: it chose this transaction to end a deadlock, or found that it
/// came too late. After a moment, so that the other transaction gets the locks that this one has let go. A second refusal
/// is the caller's to repeat.
macro_rules! twice {
    ($attempt:expr) => {
        match $attempt {
            Err(error) if crate::error::is_rolled_back(&error) => {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                $attempt
            }
            result => result,
        }
    };
}

/// A public store over a [`Server`](super::Server) of this dialect.
macro_rules! server_store {
    ($(#[$docs:meta])* $store:ident, $dialect:ident, $pool:ident) => {
        $(#[$docs])*
        #[derive(Debug)]
        pub struct $store(crate::server::Server<$dialect>, tokio::sync::Mutex<Option<nodes::Ear>>);

        impl $store {
            /// Opens the database at `url` with connections of its own, and sets up or migrates the tables.
            ///
            /// # Errors
            ///
            /// * [`ErrorKind::Misuse`](signoff::ErrorKind::Misuse): the URL is of another kind, the user or the password
            ///   is refused, there is no such database, somebody else has it open, or its settings lose commits.
            /// * [`ErrorKind::Data`](signoff::ErrorKind::Data): the tables are not as signoff made them, or were made by a
            ///   newer version.
            /// * [`ErrorKind::Unavailable`](signoff::ErrorKind::Unavailable): the server does not answer.
            pub async fn open(url: &str) -> Result<Self, signoff::Error> {
                Self::open_with(url, &crate::ServerOptions::new()).await
            }

            /// As [`open`](Self::open), with options.
            ///
            /// # Errors
            ///
            /// As [`open`](Self::open).
            pub async fn open_with(url: &str, options: &crate::ServerOptions) -> Result<Self, signoff::Error> {
                crate::server::Server::open(url, options).await.map(|server| Self(server, tokio::sync::Mutex::default()))
            }

            /// Uses a pool that the application has. The three connections that the store keeps for itself are made
            /// by the pool, as the application told it to, but are no longer counted by it.
            ///
            /// # Errors
            ///
            /// As [`open`](Self::open).
            pub async fn with_pool(pool: $pool, options: &crate::ServerOptions) -> Result<Self, signoff::Error> {
                crate::server::Server::with_pool(pool, options).await.map(|server| Self(server, tokio::sync::Mutex::default()))
            }

            /// What a confirmed commit survives, as the settings were when the store was opened.
            pub fn durability(&self) -> crate::Durability {
                self.0.durability().clone()
            }

            /// Waits until the store's own connections are closed and the database is free for another owner. Dropping
            /// the store does the same without waiting. The pool stays open.
            pub async fn close(self) {
                self.0.close().await;
            }
        }

        #[async_trait::async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl signoff::Store for $store {
            fn seat(&self) -> &signoff::store::Seat {
                &self.0.seat
            }

            fn nodes(&self) -> Option<&dyn signoff::store::Nodes> {
                self.0.lease().map(|_| self as &dyn signoff::store::Nodes)
            }

            fn commits_at_once(&self) -> usize {
                crate::server::WRITERS as usize
            }

            async fn agree(&self, terms: signoff::store::Terms) -> Result<signoff::store::Terms, signoff::Error> {
                twice!(log::agree(self.0.pool()?, terms).await)
            }

            async fn create_sessions(
                &self,
                batch: &[signoff::store::NewSession],
                now: signoff::time::Timestamp,
            ) -> Result<signoff::store::CreatedSessions, signoff::Error> {
                let mut writer = self.0.writer().await?;
                let created = twice!(create::run(&mut writer, batch, now).await);
                writer.done(created).await
            }

            async fn load_session(
                &self,
                key: signoff::store::SessionKey<'_>,
                now: signoff::time::Timestamp,
            ) -> Result<Option<signoff::Session>, signoff::Error> {
                sessions::load(self.0.pool()?, key, now).await
            }

            async fn find_by_token(
                &self,
                token: &signoff::TokenHash,
            ) -> Result<Option<signoff::Session>, signoff::Error> {
                sessions::find_by_token(self.0.pool()?, token).await
            }

            async fn find_by_family(
                &self,
                family: &signoff::TokenHash,
            ) -> Result<Option<signoff::Session>, signoff::Error> {
                exchange::find(self.0.pool()?, family).await
            }

            async fn list_sessions(
                &self,
                subject: &signoff::Subject,
                after: Option<&signoff::SessionId>,
                limit: u32,
                now: signoff::time::Timestamp,
            ) -> Result<Vec<signoff::Session>, signoff::Error> {
                sessions::list(self.0.pool()?, subject, after, limit, now).await
            }

            async fn update_session(
                &self,
                id: &signoff::SessionId,
                version: u64,
                data: &[u8],
                now: signoff::time::Timestamp,
            ) -> Result<signoff::Update, signoff::Error> {
                twice!(sessions::update(self.0.pool()?, id, version, data, now).await)
            }

            async fn touch_sessions(
                &self,
                batch: &[signoff::store::Touch],
                now: signoff::time::Timestamp,
            ) -> Result<Vec<Option<signoff::Session>>, signoff::Error> {
                let once = crate::touch::once_each(batch);
                let touched = twice!(sessions::touch(self.0.pool()?, &once, now).await)?;
                Ok(crate::touch::in_order(batch, &touched))
            }

            async fn sign_off(
                &self,
                batch: &[signoff::store::SignOff],
                now: signoff::time::Timestamp,
            ) -> Result<signoff::store::SignedOff, signoff::Error> {
                let mut writer = self.0.writer().await?;
                let signed_off = twice!(sign_off::run(&mut writer, batch, now).await);
                writer.done(signed_off).await
            }

            async fn exchange(
                &self,
                batch: &[signoff::store::Exchange],
                now: signoff::time::Timestamp,
            ) -> Result<signoff::store::Exchanged, signoff::Error> {
                let mut writer = self.0.writer().await?;
                let exchanged = twice!(exchange::run(&mut writer, batch, now).await);
                writer.done(exchanged).await
            }

            async fn intents(
                &self,
                of: signoff::store::IntentsOf<'_>,
                limit: u32,
                now: signoff::time::Timestamp,
            ) -> Result<Vec<signoff::store::Intent>, signoff::Error> {
                twice!(crate::elsewhere::intents(self.0.pool()?, of, limit, now).await)
            }

            async fn postpone(
                &self,
                postponed: &[signoff::store::Postponed],
            ) -> Result<Vec<bool>, signoff::Error> {
                twice!(elsewhere::postpone(self.0.pool()?, postponed).await)
            }

            async fn settle(&self, settled: &[signoff::store::Settled]) -> Result<(), signoff::Error> {
                twice!(elsewhere::settle(self.0.pool()?, settled).await)
            }

            async fn log_after(
                &self,
                after: signoff::Position,
                limit: u32,
            ) -> Result<signoff::store::LogRead, signoff::Error> {
                log::read(self.0.pool()?, after, limit).await
            }

            async fn record(&self, event: &signoff::audit::AuditEvent) -> Result<(), signoff::Error> {
                let mut connection = self.0.pool()?.acquire().await.map_err(crate::error::database)?;
                twice!(audit::insert(&mut connection, std::slice::from_ref(event)).await)
            }

            async fn audit_trail(
                &self,
                subject: &signoff::Subject,
                limit: u32,
            ) -> Result<Vec<signoff::audit::AuditEvent>, signoff::Error> {
                audit::trail(self.0.pool()?, subject, limit).await
            }

            async fn purge(
                &self,
                horizon: signoff::time::Timestamp,
                limit: u32,
            ) -> Result<signoff::store::Purged, signoff::Error> {
                twice!(purge::run(self.0.pool()?, horizon, limit).await)
            }

            async fn load_key_ring(&self) -> Result<Option<signoff::store::StoredKeyRing>, signoff::Error> {
                key_ring::load(self.0.pool()?).await
            }

            async fn save_key_ring(&self, expected: u64, document: &str) -> Result<bool, signoff::Error> {
                twice!(key_ring::save(self.0.pool()?, expected, document).await)
            }
        }

        #[async_trait::async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl signoff::store::Nodes for $store {
            fn lease(&self) -> std::time::Duration {
                self.0.lease().unwrap_or_default()
            }

            async fn join(&self, id: &signoff::NodeId, name: &str) -> Result<(), signoff::Error> {
                let mut pulse = self.0.pulse().await?;
                let joined = nodes::join(&mut pulse, id, name).await;
                match pulse.done(joined).await? {
                    true => Ok(()),
                    false => Err(signoff::Error::new(signoff::ErrorKind::Conflict, "a node of this id has joined")),
                }
            }

            async fn renew(&self, id: &signoff::NodeId, applied: signoff::Position) -> Result<bool, signoff::Error> {
                let mut pulse = self.0.pulse().await?;
                let renewed = nodes::renew(&mut pulse, id, applied).await;
                pulse.done(renewed).await
            }

            async fn behind(
                &self,
                position: signoff::Position,
            ) -> Result<Vec<signoff::store::Node>, signoff::Error> {
                let mut pulse = self.0.pulse().await?;
                let found = nodes::behind(&mut pulse, position).await;
                pulse.done(found).await
            }

            async fn expel(&self, id: &signoff::NodeId, renewals: u64) -> Result<bool, signoff::Error> {
                let mut pulse = self.0.pulse().await?;
                let expelled = nodes::expel(&mut pulse, id, renewals).await;
                pulse.done(expelled).await
            }

            async fn leave(&self, id: &signoff::NodeId) -> Result<(), signoff::Error> {
                let mut pulse = self.0.pulse().await?;
                let left = nodes::leave(&mut pulse, id).await;
                pulse.done(left).await
            }

            async fn announce(&self) -> Result<(), signoff::Error> {
                let mut pulse = self.0.pulse().await?;
                let announced = nodes::announce(&mut pulse).await;
                pulse.done(announced).await
            }

            async fn heard(&self) -> Result<(), signoff::Error> {
                nodes::heard(self.0.pool()?, &mut *self.1.lock().await).await
            }
        }
    };
}

pub(crate) use {server_store, twice};
