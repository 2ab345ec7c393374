//! Where a run happens: stores, clouds, secrets, the playbook's folder, and the way to a worker.

pub mod bundle;
pub mod cloud;
pub mod remote;
pub mod secrets;
pub mod store;
