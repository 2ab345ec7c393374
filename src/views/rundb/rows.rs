//! The rows of the run database.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

macro_rules! row {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty = $column:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $ty,)*
        }
        impl $name {
            pub(super) fn of(row: &SqliteRow) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: row.try_get($column)?,)* })
            }
        }
    };
}

row!(
    /// One run.
    RunRow {
        /// Its id.
        run: String = "run",
        /// The playbook's name.
        name: String = "name",
        /// Where its records stand.
        store: String = "store",
        /// `ec2`, `local` or `inventory`.
        cloud: String = "cloud",
        /// UNIX milliseconds.
        created_ms: i64 = "created_ms",
        /// UNIX milliseconds.
        deadline_ms: i64 = "deadline_ms",
        /// UNIX milliseconds; none before the first master began.
        started_ms: Option<i64> = "started_ms",
        /// UNIX milliseconds; none while it is open.
        ended_ms: Option<i64> = "ended_ms",
        /// As in the receipt; none while it is open.
        outcome: Option<String> = "outcome",
        /// As in the receipt.
        exit_code: Option<i64> = "exit_code",
        /// Masters so far.
        epochs: i64 = "epochs",
        /// The end in one sentence.
        message: String = "message",
        /// Whether it is proven that nothing is left.
        closed: bool = "closed",
    }
);
row!(
    /// One worker.
    WorkerRow {
        /// Its name.
        host: String = "host",
        /// Which machine.
        incarnation: i64 = "incarnation",
        /// Its group.
        group: String = "grp",
        /// The cloud's name.
        instance: Option<String> = "instance",
        /// Its rank, once sealed.
        rank: Option<i64> = "rank",
        /// Its address, once sealed.
        address: Option<String> = "address",
        /// `asked`, `launched`, `sealed`, `lost`, `released`, `gone`.
        state: String = "state",
        /// How that is known, where it is not the usual course.
        evidence: String = "evidence",
    }
);
row!(
    /// One step that ended.
    StepRow {
        /// Its key.
        key: String = "key",
        /// Where its end stands in the journal.
        seq: i64 = "seq",
        /// Where it ran: `work-0.1`, or a host's name.
        host: String = "host",
        /// UNIX milliseconds.
        ended_ms: i64 = "ended_ms",
        /// Milliseconds.
        elapsed_ms: Option<i64> = "elapsed_ms",
        /// How it ended.
        ending: String = "ending",
        /// Whether it failed; none where the outcome is not here.
        failed: Option<bool> = "failed",
        /// Whether it changed something.
        changed: Option<bool> = "changed",
        /// Exit code of its program.
        rc: Option<i64> = "rc",
        /// Its message.
        msg: Option<String> = "msg",
        /// Return values as JSON; none where sealed or in a blob.
        result: Option<String> = "result",
        /// SHA-256 of the blob that holds the outcome.
        blob: Option<String> = "blob",
    }
);
row!(
    /// The zip of one worker's logs.
    ArchiveRow {
        /// The worker's name.
        host: String = "host",
        /// Which machine.
        incarnation: i64 = "incarnation",
        /// Where it stands in the store.
        store_key: String = "store_key",
        /// Bytes.
        size: i64 = "size",
        /// Hex.
        sha256: String = "sha256",
        /// The zip itself, up to the limit.
        zip: Option<Vec<u8>> = "zip",
    }
);
