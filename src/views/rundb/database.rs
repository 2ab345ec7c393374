//! The SQLite file: opened, migrated, filled.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row as _, SqlSafeStr as _, SqliteConnection};

use super::project::{RunRows, read_run};
use super::rows::{ArchiveRow, RunRow, StepRow, WorkerRow};
use crate::core::ids::RunId;
use crate::platform::store::journal::JournalError;
use crate::platform::store::{Store, StoreError, layout};

/// Log archives up to this size are kept inside; larger ones by their key alone.
const ARCHIVE_LIMIT: u64 = 64 << 20;
/// Two runs may end at once; one waits for the other.
const BUSY: Duration = Duration::from_secs(30);

/// Why the run database cannot be used. Nothing of a run depends on it.
#[derive(Debug, thiserror::Error)]
pub enum RundbError {
    /// SQLite said no.
    #[error("{0}")]
    Sql(#[from] sqlx::Error),
    /// The file was made by another release and cannot be brought to this one.
    #[error("migrate: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record in the store is not what the format says.
    #[error("{key}: {why}")]
    Record {
        /// Its key.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// The folder of the file cannot be made.
    #[error("make the folder of {path}: {why}")]
    Folder {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
}

/// An open run database.
#[derive(Clone, Debug)]
pub struct Database {
    pool: SqlitePool,
    archive_limit: u64,
}

impl Database {
    /// Opens or makes the file and brings its tables to this release.
    pub async fn open(path: &Path) -> Result<Self, RundbError> {
        if let Some(parent) = path.parent() {
            let failed =
                |error: std::io::Error| RundbError::Folder { path: path.display().to_string(), why: error.to_string() };
            tokio::fs::create_dir_all(parent).await.map_err(failed)?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY)
            .foreign_keys(true);
        // One connection: writers would only wait for each other.
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let mut connection = pool.acquire().await?;
        // SQLite has no lock for migrations: without a writer's transaction two processes would both make the tables.
        let mut transaction = sqlx::Connection::begin_with(&mut *connection, "BEGIN IMMEDIATE").await?;
        migrations().run(&mut *transaction).await?;
        transaction.commit().await?;
        drop(connection);
        Ok(Self { pool, archive_limit: ARCHIVE_LIMIT })
    }

    /// Keeps log archives up to this many bytes inside.
    #[must_use]
    pub fn archive_limit(mut self, bytes: u64) -> Self {
        self.archive_limit = bytes;
        self
    }

    /// Brings one run up to date with the store.
    pub async fn project(&self, store: &dyn Store, run: &RunId) -> Result<(), RundbError> {
        let rows = read_run(store, run, self.archive_limit).await?;
        let mut connection = self.pool.acquire().await?;
        // From the start a writer: a reader that becomes one could not wait for another.
        let mut transaction = sqlx::Connection::begin_with(&mut *connection, "BEGIN IMMEDIATE").await?;
        write_run(&mut transaction, &rows).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Rebuilds all rows from the store; runs that are no longer there are forgotten. Returns how many runs there are.
    pub async fn sync(&self, store: &dyn Store) -> Result<u64, RundbError> {
        let listed = store.list(layout::INDEX_DAY, None).await?;
        let runs: Vec<RunId> = listed.iter().filter_map(|entry| entry.key.rsplit('/').next()).map(RunId::new).collect();
        let known =
            sqlx::query("SELECT run FROM runs WHERE store = ?").bind(store.location()).fetch_all(&self.pool).await?;
        for row in known {
            let run: String = row.try_get("run")?;
            if !runs.iter().any(|there| there.as_str() == run) {
                sqlx::query("DELETE FROM runs WHERE run = ?").bind(run).execute(&self.pool).await?;
            }
        }
        for run in &runs {
            self.project(store, run).await?;
        }
        Ok(runs.len() as u64)
    }

    /// One run.
    pub async fn run(&self, run: &RunId) -> Result<Option<RunRow>, RundbError> {
        let row = sqlx::query("SELECT * FROM runs WHERE run = ?").bind(run.as_str()).fetch_optional(&self.pool).await?;
        Ok(row.as_ref().map(RunRow::of).transpose()?)
    }

    /// A run's workers.
    pub async fn workers(&self, run: &RunId) -> Result<Vec<WorkerRow>, RundbError> {
        let rows = sqlx::query("SELECT * FROM workers WHERE run = ? ORDER BY host, incarnation").bind(run.as_str());
        let rows = rows.fetch_all(&self.pool).await?;
        Ok(rows.iter().map(WorkerRow::of).collect::<Result<_, _>>()?)
    }

    /// A run's steps in the order of their ends.
    pub async fn steps(&self, run: &RunId) -> Result<Vec<StepRow>, RundbError> {
        let rows = sqlx::query("SELECT * FROM steps WHERE run = ? ORDER BY seq").bind(run.as_str());
        let rows = rows.fetch_all(&self.pool).await?;
        Ok(rows.iter().map(StepRow::of).collect::<Result<_, _>>()?)
    }

    /// A run's log archives.
    pub async fn archives(&self, run: &RunId) -> Result<Vec<ArchiveRow>, RundbError> {
        let rows =
            sqlx::query("SELECT * FROM log_archives WHERE run = ? ORDER BY host, incarnation").bind(run.as_str());
        let rows = rows.fetch_all(&self.pool).await?;
        Ok(rows.iter().map(ArchiveRow::of).collect::<Result<_, _>>()?)
    }
}

fn migrations() -> Migrator {
    let first = include_str!("0001_first.sql");
    let migration = |version: i64, name: &'static str, sql: &'static str| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![migration(1, "first", first)])
}

async fn write_run(connection: &mut SqliteConnection, rows: &RunRows) -> Result<(), sqlx::Error> {
    let run = &rows.run;
    // What hangs on the run goes with it.
    sqlx::query("DELETE FROM runs WHERE run = ?").bind(&run.run).execute(&mut *connection).await?;
    sqlx::query("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(&run.run)
        .bind(&run.name)
        .bind(&run.store)
        .bind(&run.cloud)
        .bind(run.created_ms)
        .bind(run.deadline_ms)
        .bind(run.started_ms)
        .bind(run.ended_ms)
        .bind(&run.outcome)
        .bind(run.exit_code)
        .bind(run.epochs)
        .bind(&run.message)
        .bind(run.closed)
        .execute(&mut *connection)
        .await?;
    for worker in &rows.workers {
        sqlx::query("INSERT INTO workers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(&run.run)
            .bind(&worker.host)
            .bind(worker.incarnation)
            .bind(&worker.group)
            .bind(&worker.instance)
            .bind(worker.rank)
            .bind(&worker.address)
            .bind(&worker.state)
            .bind(&worker.evidence)
            .execute(&mut *connection)
            .await?;
    }
    for step in &rows.steps {
        sqlx::query("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(&run.run)
            .bind(&step.key)
            .bind(step.seq)
            .bind(&step.host)
            .bind(step.ended_ms)
            .bind(step.elapsed_ms)
            .bind(&step.ending)
            .bind(step.failed)
            .bind(step.changed)
            .bind(step.rc)
            .bind(&step.msg)
            .bind(&step.result)
            .bind(&step.blob)
            .execute(&mut *connection)
            .await?;
    }
    for archive in &rows.archives {
        sqlx::query("INSERT INTO log_archives VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(&run.run)
            .bind(&archive.host)
            .bind(archive.incarnation)
            .bind(&archive.store_key)
            .bind(archive.size)
            .bind(&archive.sha256)
            .bind(&archive.zip)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
