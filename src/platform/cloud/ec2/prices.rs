//! What machines cost, as an estimate: a dated table of list prices that is shipped, and spot prices as EC2 tells them.
//!
//! EC2's own API knows no list prices, and the price list service lives in few regions: so a table. It says its date, and
//! every number that comes from it is to be called an estimate.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aws_sdk_ec2::types::InstanceType;

use super::client::client;
use super::failure::Failure;
use crate::platform::aws::Access;
use crate::platform::cloud::CloudError;

/// The table (see its own first lines).
const TABLE: &str = include_str!("prices.csv");

static PRICES: LazyLock<PriceTable> = LazyLock::new(|| PriceTable::read(TABLE));

/// List prices in USD.
#[derive(Debug, Default)]
pub struct PriceTable {
    date: String,
    /// By type, in us-east-1.
    types: BTreeMap<String, f64>,
    /// Of a family's `large`, in us-east-1.
    families: BTreeMap<String, f64>,
    /// By region, over us-east-1.
    regions: BTreeMap<String, f64>,
    /// Of a GiB for a month, by kind of volume, in us-east-1.
    volumes: BTreeMap<String, f64>,
}

/// A month as AWS counts it for volumes.
const HOURS_PER_MONTH: f64 = 730.0;

impl PriceTable {
    /// The table that is shipped.
    pub fn shipped() -> &'static Self {
        &PRICES
    }

    /// The day of the list that it was made from.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// An hour of a machine on demand; none where the table knows the type or the region not.
    pub fn on_demand(&self, region: &str, instance_type: &str) -> Option<f64> {
        let factor = self.regions.get(region)?;
        let base = self.types.get(instance_type).copied().or_else(|| {
            let (family, size) = instance_type.split_once('.')?;
            Some(self.families.get(family)? * larges(size)?)
        })?;
        Some(base * factor)
    }

    /// An hour of a gp3 volume of so many GiB.
    pub fn volume(&self, region: &str, gib: u64) -> Option<f64> {
        let factor = self.regions.get(region)?;
        Some(self.volumes.get("gp3")? * factor * gib as f64 / HOURS_PER_MONTH)
    }

    /// Reads a table; a line that is none says nothing.
    fn read(text: &str) -> Self {
        let mut table = Self::default();
        for line in text.lines() {
            if let Some(date) = line.strip_prefix("# date: ") {
                date.trim().clone_into(&mut table.date);
            }
            let mut cells = line.split(',');
            let (Some(kind), Some(name), Some(number)) = (cells.next(), cells.next(), cells.next()) else { continue };
            let Ok(number) = number.trim().parse::<f64>() else { continue };
            let column = match kind {
                "type" => &mut table.types,
                "family" => &mut table.families,
                "region" => &mut table.regions,
                "volume" => &mut table.volumes,
                _ => continue,
            };
            column.insert(name.to_owned(), number);
        }
        table
    }
}

/// How many times a `large` a size is; none for bare metal, whose sizes differ by family.
fn larges(size: &str) -> Option<f64> {
    Some(match size {
        "nano" => 1.0 / 16.0,
        "micro" => 1.0 / 8.0,
        "small" => 1.0 / 4.0,
        "medium" => 1.0 / 2.0,
        "large" => 1.0,
        "xlarge" => 2.0,
        _ => 2.0 * size.strip_suffix("xlarge")?.parse::<u32>().ok().map(f64::from)?,
    })
}

/// The price of a type on the spot market of a zone, now.
#[derive(Clone, Debug, PartialEq)]
pub struct SpotPrice {
    /// The type.
    pub instance_type: String,
    /// The zone.
    pub zone: String,
    /// USD for an hour.
    pub usd: f64,
}

/// The newest spot prices of types, in every zone of the region that has them. Needs `ec2:DescribeSpotPriceHistory`.
pub async fn spot_prices(access: &Access, instance_types: &[String]) -> Result<Vec<SpotPrice>, CloudError> {
    if instance_types.is_empty() {
        return Ok(Vec::new());
    }
    let client = client(access).await;
    let mut pages = client
        .describe_spot_price_history()
        .set_instance_types(Some(instance_types.iter().map(|name| InstanceType::from(name.as_str())).collect()))
        .product_descriptions("Linux/UNIX")
        // The price that holds at the start of the window is part of the answer: a window of no length gives just that.
        .start_time(std::time::SystemTime::now().into())
        .into_paginator()
        .items()
        .send();
    let mut newest: BTreeMap<(String, String), (i64, f64)> = BTreeMap::new();
    while let Some(item) = pages.next().await {
        let item = item.map_err(|error| Failure::of(&error).into_cloud_error("ec2:DescribeSpotPriceHistory"))?;
        let (Some(kind), Some(zone), Some(price)) = (item.instance_type(), item.availability_zone(), item.spot_price())
        else {
            continue;
        };
        let Ok(usd) = price.parse::<f64>() else { continue };
        let at = item.timestamp().map_or(0, aws_smithy_types::DateTime::secs);
        let key = (kind.as_str().to_owned(), zone.to_owned());
        if newest.get(&key).is_none_or(|(before, _)| *before <= at) {
            newest.insert(key, (at, usd));
        }
    }
    Ok(newest.into_iter().map(|((instance_type, zone), (_, usd))| SpotPrice { instance_type, zone, usd }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_table_is_dated_and_every_line_of_it_counts() {
        let table = PriceTable::shipped();
        assert_eq!(table.date().len(), "2026-01-19".len(), "{}", table.date());
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        let read = table.types.len() + table.families.len() + table.regions.len() + table.volumes.len();
        assert_eq!(read, lines, "a line says the same as another, or nothing");
        assert!(table.types.values().chain(table.families.values()).all(|usd| *usd > 0.0 && *usd < 200.0));
        assert!(table.regions.values().all(|factor| (1.0..2.0).contains(factor)));
    }

    #[test]
    fn sizes_cost_in_proportion_and_what_is_not_listed_is_unknown() {
        let table = PriceTable::shipped();
        let near = |usd: Option<f64>, expected: f64| {
            let usd = usd.expect("a price");
            assert!((usd - expected).abs() < 1e-9, "{usd} is not {expected}");
        };
        near(table.on_demand("us-east-1", "c7i.large"), 0.08925);
        near(table.on_demand("us-east-1", "c7i.24xlarge"), 4.284);
        near(table.on_demand("us-west-2", "t3.small"), 0.0208);
        near(table.on_demand("eu-west-1", "g6.xlarge"), 0.8048 * 1.15);
        near(table.volume("us-east-1", 730), 0.08);
        assert_eq!(table.on_demand("us-east-1", "c7i.metal-24xl"), None);
        assert_eq!(table.on_demand("us-east-1", "zz9.large"), None);
        assert_eq!(table.on_demand("us-east-1", "large"), None);
        assert_eq!(table.on_demand("mars-1", "c7i.large"), None);
    }
}
