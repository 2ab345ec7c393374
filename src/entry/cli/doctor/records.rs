//! Whether the store does what a run relies on: it takes an object once, gives it back, and tells its time.

use super::finding::Finding;
use crate::entry::reap::StoreClock;
use crate::platform::store::{Created, Store, StoreError, layout};

/// A clock that is so far off spoils signatures of requests long before it spoils a run, and deadlines from the start.
const LARGEST_OFFSET_MS: i64 = 60_000;

/// Looks at a store. One object is written and removed again.
pub async fn check(store: &dyn Store) -> Vec<Finding> {
    let place = store.location();
    let mut findings = Vec::new();
    let name = ulid::Ulid::new().to_string().to_lowercase();
    let key = layout::doctor_key(&name);
    match create_twice(store, &key, &name).await {
        Ok(Ok(())) => findings.push(Finding::ok(
            "the store",
            format!("{place} can be written and read, and takes an object once (conditional writes)"),
        )),
        Ok(Err(why)) => findings.push(Finding::problem(
            "the store",
            format!("{place} does not keep the promise that a run relies on: {why}"),
            "use a store with conditional writes: AWS S3, or one that honours If-None-Match on PutObject",
        )),
        Err(error) => {
            findings.push(Finding::problem(
                "the store",
                error.to_string(),
                "correct --store, --region or --profile; the caller needs s3:ListBucket, s3:GetObject and \
                 s3:PutObject on it (docs/aws.md has the policies)",
            ));
            return findings;
        }
    }
    // Who only launches need not be allowed this: an empty object more in index/ hurts nobody.
    if let Err(error) = store.delete(&key).await {
        let remedy = "allow s3:DeleteObject on index/ to whoever is master or reaper";
        findings.push(Finding::unknown("deleting in the store", error.to_string(), remedy));
    }
    findings.push(match StoreClock::read(store).await {
        Ok(clock) => offset(clock.offset_ms()),
        Err(why) => Finding::unknown("the clock", why.to_string(), ""),
    });
    findings
}

async fn create_twice(store: &dyn Store, key: &str, text: &str) -> Result<Result<(), &'static str>, StoreError> {
    let first = store.create(key, text.to_owned().into()).await?;
    let second = store.create(key, "another".into()).await?;
    let read = store.get(key).await?;
    Ok(match (first, second) {
        (Created::Exists, _) => Err("it says that an object exists which was never written"),
        (_, Created::New) => Err("it overwrote an object that it should have refused"),
        (Created::New, Created::Exists) if read.as_deref() != Some(text.as_bytes()) => {
            Err("it gives back another object than was written")
        }
        (Created::New, Created::Exists) => Ok(()),
    })
}

/// This machine's clock beside the store's.
fn offset(offset_ms: i64) -> Finding {
    let seconds = offset_ms.abs() as f64 / 1000.0;
    let seen = match offset_ms {
        // The store's times are whole seconds in S3.
        -2000..=2000 => "this machine's clock and the store's agree".to_owned(),
        2001.. => format!("this machine's clock is {seconds:.0} s ahead of the store's"),
        _ => format!("this machine's clock is {seconds:.0} s behind the store's"),
    };
    if offset_ms.abs() < LARGEST_OFFSET_MS {
        return Finding::ok("the clock", seen);
    }
    Finding::problem("the clock", seen, "set it (timedatectl set-ntp true): deadlines are absolute moments")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Health;
    use super::*;
    use crate::platform::store::DirectoryStore;

    #[tokio::test]
    async fn a_folder_is_a_good_store_and_nothing_is_left_in_it_but_the_clock() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirectoryStore::new(folder.path());
        let findings = check(&store).await;
        assert!(findings.iter().all(|finding| finding.health == Health::Ok), "{findings:?}");
        let left: Vec<String> = store.list("", None).await.unwrap().into_iter().map(|entry| entry.key).collect();
        assert_eq!(left, [layout::CLOCK]);
    }

    #[test]
    fn a_clock_that_is_a_minute_off_is_a_problem() {
        assert_eq!(offset(1_500).health, Health::Ok);
        assert_eq!(offset(-30_000).health, Health::Ok);
        assert!(offset(-30_000).seen.contains("30 s behind"));
        assert_eq!(offset(61_000).health, Health::Problem);
    }
}
