//! Questions to AWS that launch nothing: who is asking, what is there, what would be allowed. For a plan and a doctor.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

use crate::platform::aws::{Access, config};
use crate::platform::cloud::CloudError;

/// A caller that was recognized, in a region.
pub struct Probe {
    pub(super) ec2: aws_sdk_ec2::Client,
    ssm: aws_sdk_ssm::Client,
    region: String,
    caller: String,
}

/// What is known of a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubnetFacts {
    /// `subnet-…`
    pub id: String,
    /// Its network.
    pub vpc: String,
    /// Its zone.
    pub zone: String,
    /// Addresses that are free now.
    pub free: u32,
}

impl Probe {
    /// Finds credentials and asks AWS whose they are (`sts:GetCallerIdentity`, which needs no permission).
    pub async fn connect(access: &Access) -> Result<Self, CloudError> {
        let config = config(access).await;
        let region = config.region().map(|region| region.as_ref().to_owned()).ok_or_else(|| {
            CloudError("no region is chosen: write cluster.region, give --region or set AWS_REGION".to_owned())
        })?;
        let answer = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        let identity = answer.map_err(|error| CloudError(said(&error)))?;
        Ok(Self {
            ec2: aws_sdk_ec2::Client::new(&config),
            ssm: aws_sdk_ssm::Client::new(&config),
            region,
            caller: identity.arn().unwrap_or("unknown").to_owned(),
        })
    }

    /// The region of every answer.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Whose credentials these are.
    pub fn caller(&self) -> &str {
        &self.caller
    }

    /// Facts about subnets; every one of them must exist.
    pub async fn subnets(&self, ids: &[String]) -> Result<Vec<SubnetFacts>, CloudError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.ec2.describe_subnets().set_subnet_ids(Some(ids.to_vec())).send().await;
        let answer = answer.map_err(|error| CloudError(said(&error)))?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(answer
            .subnets()
            .iter()
            .map(|subnet| SubnetFacts {
                id: text(subnet.subnet_id()),
                vpc: text(subnet.vpc_id()),
                zone: text(subnet.availability_zone()),
                free: subnet.available_ip_address_count().and_then(|free| u32::try_from(free).ok()).unwrap_or(0),
            })
            .collect())
    }

    /// The image that an id or an `ssm:` parameter means now.
    pub async fn image(&self, ami: &str) -> Result<String, CloudError> {
        let Some(name) = ami.strip_prefix("ssm:") else {
            if ami.starts_with("ami-") {
                return Ok(ami.to_owned());
            }
            return Err(CloudError("only an id or an ssm: parameter is resolved before a launch".to_owned()));
        };
        let answer = self.ssm.get_parameters().names(name).send().await.map_err(|error| CloudError(said(&error)))?;
        let value = answer.parameters().first().and_then(|parameter| parameter.value());
        value.map(str::to_owned).ok_or_else(|| CloudError(format!("there is no parameter {name} in {}", self.region)))
    }
}

/// What an error of AWS says: its code and its message, or why there was no answer.
pub(super) fn said<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match error.as_service_error() {
        Some(service) => match (service.code(), service.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => service.to_string(),
        },
        // The reason stands at the end of the chain of causes.
        None => {
            let mut cause: &dyn std::error::Error = error;
            let mut text = cause.to_string();
            while let Some(deeper) = cause.source() {
                cause = deeper;
                text = format!("{text}: {cause}");
            }
            text
        }
    }
}
