//! Beats, deadlines, sweeps, and the proof that nothing is left.
