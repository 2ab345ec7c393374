//! What runs next: expansion, keys and next_state, pure.

pub mod hosts;
