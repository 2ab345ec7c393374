//! Output of every kind and size.

use std::time::Duration;

use tokio::sync::mpsc;

use super::harness::{Worker, follow, peak_kib, run, shell, write};

#[tokio::test]
async fn bytes_pass_as_they_are() {
    let worker = Worker::child();
    let script = r"printf 'a\000b\377\376c\n'; printf 'no newline'";
    let (outcome, said) = run(&*worker.link(1), &shell("k", script)).await;
    assert_eq!(said.bytes, b"a\0b\xff\xfec\nno newline");
    assert_eq!(outcome.result["stdout"], "a\0b\u{fffd}\u{fffd}c\nno newline");
}

#[tokio::test]
async fn a_flood_arrives_whole_at_bounded_memory() {
    const BYTES: u64 = 200 << 20;
    let worker = Worker::ssh();
    let link = worker.link(1);
    let order = shell("k", &format!("head -c {BYTES} /dev/zero"));
    let (output, mut chunks) = mpsc::channel::<dayfly::platform::remote::OutputChunk>(4);
    let listen = async {
        let (mut bytes, mut slow) = (0_u64, true);
        while let Some(chunk) = chunks.recv().await {
            bytes += chunk.data.len() as u64;
            assert_eq!(chunk.lost, 0);
            if std::mem::take(&mut slow) {
                // The spool fills while nobody reads; other calls go on.
                tokio::time::sleep(Duration::from_millis(500)).await;
                link.sample().await.unwrap();
            }
        }
        let agents = worker.processes().into_iter().filter(|(_, line)| line.contains("dayfly-agent"));
        (bytes, agents.map(|(pid, line)| (peak_kib(pid), line)).max().unwrap_or_default())
    };
    let (outcome, (bytes, agent)) = tokio::join!(link.run(&order, 0, output), listen);
    let outcome = outcome.unwrap();
    assert_eq!((bytes, outcome.output_bytes, outcome.output_lost), (BYTES, BYTES, 0));
    assert!(outcome.result["stdout"].as_str().unwrap().len() <= (1 << 20) + 100);
    assert!(agent.0 > 0 && agent.0 < 100 << 10, "the agent took {agent:?} KiB");
    assert!(peak_kib(std::process::id()) < 400 << 10, "this side took {} KiB", peak_kib(std::process::id()));
}

#[tokio::test]
async fn a_full_disk_neither_blocks_nor_kills_a_step() {
    if !nix::unistd::geteuid().is_root() {
        // Only root can mount a small disk; the spool's unit tests hold the rest.
        return;
    }
    let worker = Worker::child();
    let base = worker.home().join(".dayfly");
    std::fs::create_dir(&base).unwrap();
    let mounted = Mounted::small(&base);
    let link = worker.link(1);
    let order = shell("k", "head -c 50000000 /dev/zero; echo last >&2; echo alive > side; exit 4");
    let (outcome, said) = run(&*link, &order).await;
    assert_eq!(outcome.result["rc"], 4);
    assert_eq!(outcome.output_bytes, 50_000_005);
    assert!(outcome.output_lost > 0, "{}", outcome.output_lost);
    assert!(said.bytes.len() as u64 + outcome.output_lost >= outcome.output_bytes);
    assert!(worker.home().join("side").exists());

    // Full to the last byte: an outcome can still be written, and a step is taken in the room that was set aside. Where
    // that does not make room, the next one is refused and can be tried again.
    let fill = format!("head -c 8000000 /dev/zero >> {}/fill; echo told; exit 6", base.display());
    for key in ["k2", "k3"] {
        let (outcome, _) = run(&*link, &shell(key, &fill)).await;
        assert_eq!(outcome.result["rc"], 6, "{key}");
    }
    let (refused, _) = follow(&*link, &shell("k4", "true"), 0).await;
    assert!(matches!(refused, Err(dayfly::platform::remote::LinkError::Refused(_))), "{refused:?}");
    std::fs::remove_file(base.join("fill")).unwrap();
    let (outcome, _) = run(&*link, &shell("k4", "true")).await;
    assert_eq!(outcome.result["rc"], 0);
    link.close().await;
    drop(mounted);
}

struct Mounted(std::path::PathBuf);

impl Mounted {
    fn small(path: &std::path::Path) -> Self {
        let none = None::<&str>;
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(none, path, Some("tmpfs"), flags, Some("size=4m,mode=700")).unwrap();
        Self(path.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

#[tokio::test]
async fn output_that_is_safe_leaves_the_worker_while_the_step_runs() {
    let worker = Worker::child();
    let link = worker.link(1);
    let order = shell("k", "head -c 60000000 /dev/zero; touch full; while [ ! -e go ]; do sleep 0.05; done; echo end");
    let (output, mut chunks) = mpsc::channel::<dayfly::platform::remote::OutputChunk>(4);
    let files = || {
        std::fs::read_dir(worker.step("k"))
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("out."))
            .count()
    };
    let listen = async {
        let mut bytes = 0;
        while let Some(chunk) = chunks.recv().await {
            bytes += chunk.data.len();
            if bytes == 60_000_000 {
                assert!(files() >= 3, "{}", files());
                link.acknowledge_output(&order.key, chunk.next_offset).await.unwrap();
                assert_eq!(files(), 1);
                write(&worker.home().join("go"), b"");
            }
        }
        bytes
    };
    let (outcome, bytes) = tokio::join!(link.run(&order, 0, output), listen);
    assert_eq!((outcome.unwrap().output_lost, bytes), (0, 60_000_004));
    // From the start, what is gone is a gap, and the rest is there.
    let (outcome, said) = follow(&*link, &order, 0).await;
    assert_eq!(outcome.unwrap().output_bytes, 60_000_004);
    assert!(said.lost > 30_000_000 && said.bytes.ends_with(b"end\n"), "{}", said.lost);
}
