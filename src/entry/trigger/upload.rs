//! The programs of a run go to the store once, under their hashes: masters fetch them from there.

use std::path::Path;

use anyhow::Context as _;

use super::binaries::Executables;
use super::find::store_failed;
use super::machine::Program;
use crate::entry::exit::Problem;
use crate::platform::store::Store;
use crate::views::report::bytes_text;

/// Uploads what is not there yet; `note` says what takes a while.
pub(super) async fn upload(
    store: &dyn Store,
    from: &Executables,
    programs: &[Program],
    note: &(dyn Fn(&str) + Sync),
) -> Result<(), Problem> {
    for (program, path) in programs.iter().zip([&from.dayfly, &from.agent]) {
        // An object appears whole or not at all, and its name says its bytes: one that is there is right.
        if store.list(&program.key, None).await.map_err(store_failed)?.iter().any(|there| there.key == program.key) {
            continue;
        }
        let size = size_of(path)?;
        note(&format!(
            "uploading {} ({}) to {}, once for this build",
            program.name,
            bytes_text(size),
            store.location()
        ));
        store.put_file(&program.key, path).await.map_err(store_failed)?;
    }
    Ok(())
}

fn size_of(path: &Path) -> Result<u64, Problem> {
    Ok(std::fs::metadata(path).with_context(|| format!("read {}", path.display()))?.len())
}
