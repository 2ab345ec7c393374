//! Tasks on the master behind one trait.
