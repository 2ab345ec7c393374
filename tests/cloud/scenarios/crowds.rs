//! Many runs in one account and one store.

use crate::cloud::Cloud;
use crate::desk::{Desk, PIPELINE};
use crate::oracle;

#[test]
fn ten_runs_at_once() {
    let cloud = Cloud::start();
    // Twenty machines share this one: what is slow here is not dead.
    let desk = Desk::new(&cloud).env(
        "DAYFLY_TIMING",
        r#"{"closing_wait_ms": 4000, "boot_ms": 120000, "beat_dead_ms": 30000, "self_fence_ms": 25000}"#,
    );
    desk.playbook("p.yml", &PIPELINE.replace("count: 2", "count: 1"));
    let runs: Vec<String> = std::thread::scope(|scope| {
        let launches: Vec<_> = (0..10).map(|_| scope.spawn(|| desk.launch("p.yml"))).collect();
        launches.into_iter().map(|launch| launch.join().expect("a launch")).collect()
    });
    for run in &runs {
        desk.attach(run).exits(0);
    }
    for run in &runs {
        desk.close(run);
        oracle::satisfied(&desk, run);
        assert_eq!(oracle::workers(&cloud, run).len(), 1, "{run}");
        assert_eq!(oracle::masters(&cloud, run).len(), 1, "{run}");
    }
}
