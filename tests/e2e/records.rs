//! What a run wrote: read as another program would read it, by docs/formats.md.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::scene::{Scene, walk};

impl Scene {
    /// The runs of the store, oldest first.
    pub fn runs(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.store().join("runs"))
            .map(|entries| entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
            .unwrap_or_default();
        names.sort();
        names
    }
    /// The only run.
    pub fn run(&self) -> String {
        let runs = self.runs();
        assert_eq!(runs.len(), 1, "one run is expected: {runs:?}");
        runs[0].clone()
    }
    /// A file of a run.
    pub fn of_run(&self, run: &str, name: &str) -> PathBuf {
        self.store().join("runs").join(run).join(name)
    }
    /// A JSON file of a run.
    pub fn record(&self, run: &str, name: &str) -> Value {
        let path = self.of_run(run, name);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
    /// Every line of the journal, headers included, as text.
    pub fn journal(&self, run: &str) -> Vec<String> {
        let mut segments = walk(&self.of_run(run, "journal"));
        segments.sort();
        segments
            .iter()
            .flat_map(|segment| {
                let bytes = zstd::decode_all(std::fs::File::open(segment).expect("a segment")).expect("zstd");
                String::from_utf8(bytes).expect("UTF-8").lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect()
    }
    /// Result files by `host/path`.
    pub fn results(&self, run: &str) -> BTreeMap<String, Vec<u8>> {
        let root = self.of_run(run, "results");
        walk(&root)
            .into_iter()
            .filter(|path| path.is_file())
            .map(|path| {
                let name = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
                (name, std::fs::read(&path).expect("a result"))
            })
            .collect()
    }
    /// The log archives of a run by worker (`work-0.1`).
    pub fn archives(&self, run: &str) -> BTreeMap<String, Vec<u8>> {
        walk(&self.of_run(run, "logs"))
            .into_iter()
            .filter(|path| path.extension().is_some_and(|ending| ending == "zip"))
            .map(|path| {
                let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
                (name, std::fs::read(&path).expect("a zip"))
            })
            .collect()
    }
    /// A query on the run database.
    pub fn sql(&self, query: &str) -> Vec<Vec<SqlValue>> {
        let path = self.store().join("runs.db");
        assert!(path.exists(), "no run database at {}", path.display());
        let query = query.to_owned();
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async move {
            use sqlx::{Connection as _, Row as _};
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).read_only(true);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("the database");
            let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut connection).await.expect("the query");
            rows.iter()
                .map(|row| {
                    (0..row.len())
                        .map(|index| {
                            if let Ok(number) = row.try_get::<i64, _>(index) {
                                SqlValue::Number(number)
                            } else if let Ok(text) = row.try_get::<String, _>(index) {
                                SqlValue::Text(text)
                            } else if let Ok(bytes) = row.try_get::<Vec<u8>, _>(index) {
                                SqlValue::Bytes(bytes)
                            } else {
                                SqlValue::Null
                            }
                        })
                        .collect()
                })
                .collect()
        })
    }
    /// Asserts that a run is over, that everything that it made is proven gone, and that nothing is left here.
    pub fn is_closed(&self, run: &str, outcome: &str) {
        let receipt = self.record(run, "receipt.json");
        assert_eq!(receipt["outcome"], outcome, "{receipt:#}");
        assert_eq!(receipt["unresolved"], serde_json::json!([]), "{receipt:#}");
        for resource in receipt["resources"].as_array().expect("resources") {
            assert!(resource["gone"].is_object(), "not proven gone: {resource:#}");
        }
        let closed = self.record(run, "closed.json");
        for sweep in closed["sweeps"].as_array().expect("sweeps") {
            assert_eq!(sweep["found"], 0, "{closed:#}");
        }
        assert!(!self.store().join("index/open").join(run).exists(), "the run is still listed as open");
        self.nothing_left();
    }
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlValue {
    /// INTEGER
    Number(i64),
    /// TEXT
    Text(String),
    /// BLOB
    Bytes(Vec<u8>),
    /// NULL
    Null,
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The files of a zip.
pub fn unzip(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("a zip");
    (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).expect("a file");
            let mut content = Vec::new();
            file.read_to_end(&mut content).expect("content");
            (file.name().to_owned(), content)
        })
        .collect()
}

/// Whether bytes hold other bytes.
pub fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
