//! The simulation: the real engine over a simulated cloud, store, agents and clock, from a seed. A master can be killed at
//! every position of its journal, answers can be lost, workers can die; what the next master makes of it is compared
//! with an undisturbed run, and the simulated world's own ledger says what was really done.

mod cloud;
mod launching;
mod oracle;
mod recovery;
mod scenario;
mod world;
