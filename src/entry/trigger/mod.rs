//! From an event to a spec and a master.
