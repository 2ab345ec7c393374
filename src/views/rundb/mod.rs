//! The SQL projection of the store.
