//! Machines of EC2.

mod prices;
mod probe;

pub use prices::{PriceTable, SpotPrice, spot_prices};
pub use probe::{Probe, SubnetFacts};
