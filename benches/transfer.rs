//! Moves one file into a store and out of it again, and says in JSON how many seconds each took: the part of `make bench`
//! that is compared with the aws cli.
//!
//!     transfer STORE FILE

use std::path::PathBuf;
use std::time::Instant;

use dayfly::platform::aws::Access;
use dayfly::platform::store::open;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let (Some(store), Some(file)) = (words.next(), words.next().map(PathBuf::from)) else {
        anyhow::bail!("usage: transfer STORE FILE");
    };
    let access = Access { endpoint_url: std::env::var("AWS_ENDPOINT_URL").ok(), ..Access::default() };
    let store = open(&store, &access).await?;
    let key = "bench/transfer";
    let started = Instant::now();
    store.put_file(key, &file).await?;
    let up = started.elapsed().as_secs_f64();
    let back = file.with_extension("back");
    let started = Instant::now();
    anyhow::ensure!(store.get_file(key, &back).await?, "what was put is not there");
    let down = started.elapsed().as_secs_f64();
    let peak = std::fs::read_to_string("/proc/self/status")?
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or_default()
        .trim()
        .to_owned();
    std::fs::remove_file(&back)?;
    store.delete(key).await?;
    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    {
        println!("{{\"up_s\": {up:.3}, \"down_s\": {down:.3}, \"peak\": \"{peak}\"}}");
    }
    Ok(())
}
