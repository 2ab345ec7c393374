//! Machines of EC2.

mod expired;
mod prices;
mod probe;

pub use expired::{Dated, dated_machines, terminate_machines};
pub use prices::{PriceTable, SpotPrice, spot_prices};
pub use probe::{Probe, SubnetFacts};
