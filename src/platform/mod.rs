//! Where a run happens: the way to AWS, stores, clouds, secrets, the playbook's folder, and the way to a worker.

pub mod aws;
pub mod bundle;
pub mod cloud;
pub mod remote;
pub mod secrets;
pub mod store;
