//! Images: by id, by a parameter of Systems Manager, or by owner and name; and Amazon Linux 2023 where none is named.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{ArchitectureValues, DeviceType, Image as Described};

use super::{Wanted, Wrong, failed};
use crate::language::playbook::AmiName;
use crate::platform::cloud::CloudError;
use crate::platform::cloud::ec2::client::Clients;
use crate::platform::cloud::ec2::describing::filter;
use crate::platform::cloud::ec2::resolved::{Disk, Image, Resolved};

/// Amazon Linux 2023 of an architecture, as AWS publishes it.
const DEFAULT: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-";
/// What only the owner's patterns mean: stands for itself in a filter of ours.
const AVAILABLE: &str = "available";

pub(super) async fn resolve(
    clients: &Clients,
    wanted: &[Wanted<'_>],
    resolved: &mut Resolved,
    wrong: &mut Vec<Wrong>,
) -> Result<(), CloudError> {
    for wanted in wanted {
        let shapes = wanted.types.iter().filter_map(|name| resolved.types.get(*name));
        let architectures: BTreeSet<String> = shapes.map(|shape| shape.architecture.clone()).collect();
        let mut images = BTreeMap::new();
        for architecture in &architectures {
            let found = match image(clients, wanted, architecture).await? {
                Ok(found) => found,
                // One image for several architectures is wrong in one way for each: said once.
                Err(problem) if wrong.contains(&problem) => continue,
                Err(problem) => {
                    wrong.push(problem);
                    continue;
                }
            };
            match checked(wanted, architecture, &found) {
                Ok(image) => drop(images.insert(architecture.clone(), image)),
                Err(problem) => wrong.push(problem),
            }
        }
        resolved.images.insert(wanted.name.clone(), images);
    }
    Ok(())
}

/// The image that a group's `ami` means for an architecture.
async fn image(
    clients: &Clients,
    wanted: &Wanted<'_>,
    architecture: &str,
) -> Result<Result<Described, Wrong>, CloudError> {
    let region = &clients.region;
    let default = format!("ssm:{DEFAULT}{architecture}");
    let text = wanted.ami.unwrap_or(&default);
    let Some(name) = AmiName::parse(text) else {
        let what = format!("{text:?} is not the name of an image");
        return Ok(Err(wanted.wrong("ami", what, AmiName::FORMS)));
    };
    let id = match name {
        AmiName::Named { owner, pattern } => {
            let found = newest(clients, &owner, &pattern, architecture).await?;
            return Ok(found.ok_or_else(|| {
                let what = format!("there is no image {pattern:?} of {owner} for {architecture} in {region}");
                wanted.wrong("ami", what, "correct its owner or name")
            }));
        }
        AmiName::Parameter(name) => match parameter(clients, &name).await? {
            Some(id) => id,
            None => {
                let what = format!("there is no parameter {name} in {region} (or it names no image)");
                return Ok(Err(wanted.wrong(
                    "ami",
                    what,
                    "correct its name: aws ssm get-parameters shows what there is",
                )));
            }
        },
        AmiName::Id(id) => id,
    };
    let answer = clients.ec2.describe_images().filters(filter("image-id", &[&id])).send().await;
    let answer = answer.map_err(|error| failed("ec2:DescribeImages", &error))?;
    Ok(answer.images().first().cloned().ok_or_else(|| {
        let what = format!("there is no image {id} in {region} that these credentials can see");
        wanted.wrong("ami", what, "correct its id: images of other regions have other ids")
    }))
}

/// What an image must be to carry workers.
fn checked(wanted: &Wanted<'_>, architecture: &str, image: &Described) -> Result<Image, Wrong> {
    let id = image.image_id().unwrap_or_default().to_owned();
    let own = image.architecture().map(ArchitectureValues::as_str).unwrap_or_default();
    if own != architecture {
        let what = format!("{id} is an image for {own}, and {} has {architecture}", wanted.types.join(", "));
        return Err(wanted.wrong("ami", what, "name an image of that architecture, or other instance types"));
    }
    if image.root_device_type() != Some(&DeviceType::Ebs) {
        let what = format!("{id} does not start from a disk of its own (EBS)");
        return Err(wanted.wrong("ami", what, "name one that does"));
    }
    let name = image.name().unwrap_or_default().to_owned();
    let disks = disks(image);
    if let (Some(root_gib), Some(root)) = (wanted.root_gib, disks.first())
        && root_gib < root.size_gib
    {
        let what = format!("{root_gib}GiB are less than the {}GiB that {id} needs", root.size_gib);
        return Err(wanted.wrong("volume.size", what, "name a larger size"));
    }
    Ok(Image { id, user: user(&name).to_owned(), name, disks })
}

/// The image's disks, its root first, as a launch has to name them.
fn disks(image: &Described) -> Vec<Disk> {
    let root = image.root_device_name().unwrap_or_default();
    let mut disks: Vec<Disk> = image
        .block_device_mappings()
        .iter()
        .filter_map(|mapping| {
            let ebs = mapping.ebs()?;
            Some(Disk {
                device: mapping.device_name()?.to_owned(),
                size_gib: ebs.volume_size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                encrypted: ebs.encrypted() == Some(true),
            })
        })
        .collect();
    disks.sort_by_key(|disk| (disk.device != root, disk.device.clone()));
    disks
}

/// The user that an image's cloud-init makes, by what such images are called.
fn user(name: &str) -> &'static str {
    let name = name.to_lowercase();
    if name.contains("ubuntu") {
        "ubuntu"
    } else if name.starts_with("debian") {
        "admin"
    } else {
        "ec2-user"
    }
}

/// The newest image of an owner by that name.
async fn newest(
    clients: &Clients,
    owner: &str,
    pattern: &str,
    architecture: &str,
) -> Result<Option<Described>, CloudError> {
    // The pattern is the user's own: its `*` and `?` mean what they mean to EC2.
    let name = aws_sdk_ec2::types::Filter::builder().name("name").values(pattern).build();
    let asked = clients.ec2.describe_images().owners(owner).filters(name);
    let asked = asked.filters(filter("architecture", &[architecture])).filters(filter("state", &[AVAILABLE]));
    let mut pages = asked.into_paginator().send();
    let mut found: Vec<Described> = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed("ec2:DescribeImages", &error))?;
        found.extend(page.images().iter().cloned());
    }
    let age = |image: &Described| (image.creation_date().map(str::to_owned), image.image_id().map(str::to_owned));
    Ok(found.into_iter().max_by_key(age))
}

/// The image id that a parameter holds.
async fn parameter(clients: &Clients, name: &str) -> Result<Option<String>, CloudError> {
    let answer = clients.ssm.get_parameters().names(name).send().await;
    let answer = answer.map_err(|error| failed("ssm:GetParameters", &error))?;
    let value = answer.parameters().first().and_then(|parameter| parameter.value());
    Ok(value.filter(|value| value.starts_with("ami-")).map(str::to_owned))
}
