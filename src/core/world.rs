//! What the engine must ask the outside for, as traits, and named points where a test may make it fail.
//!
//! Durations are measured with tokio's clock, which a test can pause; wall time and chance come through
//! [`World`], so that a simulation replays exactly.

/// Wall time and chance.
pub trait World: Send + Sync {
    /// Milliseconds since the UNIX epoch.
    fn unix_ms(&self) -> i64;
    /// Fills the buffer with random bytes.
    fn random(&self, buffer: &mut [u8]);
    /// Called at every fault point in builds with the feature `faults`: true means "die here".
    fn fault(&self, _point: &'static str) -> bool {
        false
    }
}

/// A named place where a test may stop the master, as if it had been killed there. Expands to nothing without the
/// feature `faults`.
///
/// `fault_point!(world, "launch.before_intent")` aborts the process when the world says so.
#[macro_export]
macro_rules! fault_point {
    ($world:expr, $name:literal) => {
        #[cfg(feature = "faults")]
        {
            if $world.fault($name) {
                std::process::abort();
            }
        }
    };
}
