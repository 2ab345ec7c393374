//! The run key, what is derived from it (SSH keys, sealing), and nothing that could be read without it.
