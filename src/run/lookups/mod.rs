//! What templates may ask of the world: files, environment, programs, passwords.
