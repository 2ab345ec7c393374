//! What a subnet lets through: addresses that are free, and the ways to the services that a master needs.

use aws_sdk_ec2::types::{RouteTable, VpcEndpointType};

use super::Probe;
use crate::platform::cloud::CloudError;
use crate::platform::cloud::ec2::describing::filter;
use crate::platform::cloud::ec2::failure::Failure;

/// What is known of a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// `subnet-…`
    pub subnet: String,
    /// Its network.
    pub vpc: String,
    /// Its zone.
    pub zone: String,
    /// Addresses that are free now.
    pub free: u32,
}

/// How machines of a subnet reach AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways {
    /// By what they reach the internet: `igw-…`, `nat-…` and the like; none in a private subnet.
    pub out: Option<String>,
    /// Services with an endpoint that the subnet can use: `s3`, `ec2`, `sts`.
    pub endpoints: Vec<String>,
}

impl Ways {
    /// Whether the way out is an internet gateway: only machines with public addresses can use it.
    pub fn need_public_address(&self) -> bool {
        self.out.as_deref().is_some_and(|way| way.starts_with("igw-"))
    }
}

impl Probe {
    /// Facts about subnets, those that are seen.
    pub async fn networks(&self, ids: &[String]) -> Result<Vec<Network>, CloudError> {
        let ec2 = &self.clients.ec2;
        let asked = ec2.describe_subnets().filters(filter("subnet-id", ids)).send().await;
        let subnets = asked.map_err(|error| Failure::of(&error).into_cloud_error("ec2:DescribeSubnets"))?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let networks = subnets.subnets().iter().map(|subnet| Network {
            subnet: text(subnet.subnet_id()),
            vpc: text(subnet.vpc_id()),
            zone: text(subnet.availability_zone()),
            free: subnet.available_ip_address_count().and_then(|free| u32::try_from(free).ok()).unwrap_or(0),
        });
        Ok(networks.collect())
    }

    /// The ways from a subnet; none where it has no route table.
    pub async fn ways(&self, network: &Network) -> Result<Option<Ways>, CloudError> {
        let Some(table) = self.route_table(&network.subnet, &network.vpc).await? else { return Ok(None) };
        Ok(Some(Ways { out: way_out(&table), endpoints: self.endpoints(&network.vpc, &table).await? }))
    }

    /// The table of a subnet: its own, else the main one of its network.
    async fn route_table(&self, subnet: &str, vpc: &str) -> Result<Option<RouteTable>, CloudError> {
        let own = vec![filter("association.subnet-id", &[subnet])];
        let main = vec![filter("vpc-id", &[vpc]), filter("association.main", &["true"])];
        for filters in [own, main] {
            let asked = self.clients.ec2.describe_route_tables().set_filters(Some(filters)).send().await;
            let answer = asked.map_err(|error| Failure::of(&error).into_cloud_error("ec2:DescribeRouteTables"))?;
            if let Some(table) = answer.route_tables().first() {
                return Ok(Some(table.clone()));
            }
        }
        Ok(None)
    }

    /// The services that have an endpoint here: a gateway in the table's routes, or an interface in the network.
    async fn endpoints(&self, vpc: &str, table: &RouteTable) -> Result<Vec<String>, CloudError> {
        let asked = self.clients.ec2.describe_vpc_endpoints().filters(filter("vpc-id", &[vpc])).send().await;
        let answer = asked.map_err(|error| Failure::of(&error).into_cloud_error("ec2:DescribeVpcEndpoints"))?;
        let own = table.route_table_id().unwrap_or_default();
        let mut found: Vec<String> = answer
            .vpc_endpoints()
            .iter()
            .filter(|endpoint| {
                // One that was deleted is shown for a while.
                let works = endpoint.state().is_some_and(|state| state.as_str().eq_ignore_ascii_case("available"));
                let is_gateway = endpoint.vpc_endpoint_type() == Some(&VpcEndpointType::Gateway);
                works && (!is_gateway || endpoint.route_table_ids().iter().any(|id| id == own))
            })
            .filter_map(|endpoint| endpoint.service_name()?.rsplit('.').next().map(str::to_owned))
            .collect();
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

/// Where the table sends what is for everywhere.
fn way_out(table: &RouteTable) -> Option<String> {
    let everywhere = |route: &&aws_sdk_ec2::types::Route| route.destination_cidr_block() == Some("0.0.0.0/0");
    let route = table.routes().iter().find(everywhere)?;
    [
        route.nat_gateway_id(),
        route.gateway_id(),
        route.transit_gateway_id(),
        route.network_interface_id(),
        route.instance_id(),
        route.vpc_peering_connection_id(),
    ]
    .into_iter()
    .flatten()
    .next()
    .map(str::to_owned)
}
