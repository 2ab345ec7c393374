//! Words to the outside when a run ends.
