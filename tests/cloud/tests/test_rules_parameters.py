"""Errors that come from the parameters of a launch."""

import unittest

from rules_cloud import RulesTest, rules


def tagged(kind, **tags):
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]


class Parameters(RulesTest):
    def nic(self, **changes):
        return [
            {
                "DeviceIndex": 0,
                "SubnetId": self.subnet,
                "Groups": [self.facts["security_group"]],
                "AssociatePublicIpAddress": False,
                **changes,
            }
        ]

    def test_interfaces_exclude_what_they_hold(self):
        for name, value in (
            ("SubnetId", self.subnet),
            ("SecurityGroupIds", [self.facts["security_group"]]),
            ("PrivateIpAddress", "10.77.16.99"),
        ):
            self.refuses_launch(
                "InvalidParameterCombination", NetworkInterfaces=self.nic(), **{"SubnetId": None, name: value}
            )
        [made] = self.launch(SubnetId=None, NetworkInterfaces=self.nic())["Instances"]
        self.assertEqual([g["GroupId"] for g in made["SecurityGroups"]], [self.facts["security_group"]])
        self.assertNotIn("PublicIpAddress", made)

    def test_device_index_is_required(self):
        self.refuses_launch("InvalidParameterValue", SubnetId=None, NetworkInterfaces=[{"SubnetId": self.subnet}])

    def test_public_address_on_index_0_only(self):
        self.refuses_launch(
            "InvalidParameterCombination",
            SubnetId=None,
            NetworkInterfaces=[
                {"DeviceIndex": 0, "SubnetId": self.subnet},
                {"DeviceIndex": 1, "SubnetId": self.subnet, "AssociatePublicIpAddress": True},
            ],
        )

    def test_an_address_is_private_unless_asked(self):
        [name] = self.launch_ids()
        self.assertNotIn("PublicIpAddress", self.describe(name)[name])
        [name] = self.launch_ids(SubnetId=None, NetworkInterfaces=self.nic(AssociatePublicIpAddress=True))
        self.assertIn("PublicIpAddress", self.describe(name)[name])

    def test_security_groups(self):
        self.refuses_launch("InvalidParameter", SecurityGroupIds=[self.facts["other_security_group"]])
        self.refuses_launch("InvalidGroup.NotFound", SecurityGroupIds=["sg-00000000000000000"])

    def test_a_young_group_is_not_found(self):
        self.fault(blindness={"seconds": 0.4})
        made = self.ec2.create_security_group(GroupName="young", Description="d", VpcId=self.facts["vpc"])["GroupId"]
        self.refuses_launch("InvalidGroup.NotFound", SecurityGroupIds=[made])

    def test_user_data(self):
        self.refuses_launch("InvalidParameterValue", UserData="x" * 16385)
        self.assertEqual(len(self.launch_ids(UserData="x" * 16384)), 1)

    def test_image(self):
        self.refuses_launch("InvalidAMIID.NotFound", ImageId="ami-00000000000000000")
        self.refuses_launch("InvalidAMIID.Malformed", ImageId="ami-zz")

    def test_type_and_architecture(self):
        self.refuses_launch("InvalidParameterValue", InstanceType="t3.nonsense")
        self.refuses_launch("InvalidParameterValue", ImageId=self.facts["images"]["arm64"])
        self.assertEqual(len(self.launch_ids(ImageId=self.facts["images"]["arm64"], InstanceType="t4g.small")), 1)

    def test_subnet(self):
        self.refuses_launch("InvalidSubnetID.NotFound", SubnetId="subnet-00000000000000000")

    def test_key_and_profile(self):
        self.refuses_launch("InvalidKeyPair.NotFound", KeyName="none")
        self.refuses_launch("InvalidParameterValue", IamInstanceProfile={"Name": "none"})
        [made] = self.launch(IamInstanceProfile={"Name": "dayfly-worker"})["Instances"]
        self.assertEqual(
            self.describe(made["InstanceId"])[made["InstanceId"]]["IamInstanceProfile"]["Arn"],
            self.facts["profiles"]["worker"],
        )

    def test_a_young_profile_is_invalid(self):
        self.fault(iam_delay={"seconds": 30})
        self.aws("iam").create_instance_profile(InstanceProfileName="young")
        error = self.refuses_launch("InvalidParameterValue", IamInstanceProfile={"Name": "young"})
        self.assertIn("Invalid IAM Instance Profile", error["Error"]["Message"])

    def test_tags(self):
        self.refuses_launch("InvalidTagKey.Malformed", TagSpecifications=tagged("instance", **{"aws:x": "1"}))
        self.refuses_launch("InvalidTagKey.Malformed", TagSpecifications=tagged("instance", **{"k" * 128: "1"}))
        self.refuses_launch("InvalidParameterValue", TagSpecifications=tagged("instance", key="v" * 257))
        self.refuses_launch(
            "TagLimitExceeded", TagSpecifications=tagged("instance", **{f"k{n}": "" for n in range(51)})
        )
        self.refuses_launch("InvalidParameterValue", TagSpecifications=tagged("spot-instances-request", a="1"))
        self.refuses_launch("InvalidParameterValue", TagSpecifications=tagged("vpc-flow-log", a="1"))
        self.refuses_launch(
            "InvalidParameterValue",
            TagSpecifications=tagged("instance", **{"a/b": "1"}),
            MetadataOptions={"InstanceMetadataTags": "enabled"},
        )
        self.assertEqual(
            len(
                self.launch_ids(
                    TagSpecifications=tagged("instance", **{"k" * 127: "v" * 256, "dayfly:run": "r"}),
                    MetadataOptions={"InstanceMetadataTags": "enabled"},
                )
            ),
            1,
        )

    def test_create_tags_has_the_same_limits(self):
        [name] = self.launch_ids()
        self.refused(
            "InvalidTagKey.Malformed", self.ec2.create_tags, Resources=[name], Tags=[{"Key": "aws:x", "Value": ""}]
        )
        self.refused(
            "TagLimitExceeded",
            self.ec2.create_tags,
            Resources=[name],
            Tags=[{"Key": f"k{n}", "Value": ""} for n in range(51)],
        )

    def test_tags_reach_instance_volumes_and_interface(self):
        specs = (
            tagged("instance", **{"dayfly:run": "t1"})
            + tagged("volume", **{"dayfly:run": "t1"})
            + tagged("network-interface", **{"dayfly:run": "t1"})
        )
        [name] = self.launch_ids(TagSpecifications=specs)
        wanted = [{"Name": "tag:dayfly:run", "Values": ["t1"]}]
        self.assertEqual(self.find_by(wanted), {name})
        self.assertEqual(len(self.ec2.describe_volumes(Filters=wanted)["Volumes"]), 2)
        self.assertEqual(len(self.ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]), 1)

    def test_metadata_options(self):
        self.refuses_launch("InvalidParameterValue", MetadataOptions={"HttpTokens": "sometimes"})
        self.refuses_launch("InvalidParameterValue", MetadataOptions={"HttpPutResponseHopLimit": 65})
        [made] = self.launch(MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1})["Instances"]
        self.assertEqual(
            (made["MetadataOptions"]["HttpTokens"], made["MetadataOptions"]["HttpPutResponseHopLimit"]), ("required", 1)
        )
        [default] = self.launch()["Instances"]
        self.assertEqual(default["MetadataOptions"]["HttpTokens"], "optional")

    def test_shutdown_behaviour_defaults_to_stop(self):
        [name] = self.launch_ids()
        found = self.ec2.describe_instance_attribute(InstanceId=name, Attribute="instanceInitiatedShutdownBehavior")
        self.assertEqual(found["InstanceInitiatedShutdownBehavior"]["Value"], "stop")
        self.refuses_launch("InvalidParameterValue", InstanceInitiatedShutdownBehavior="hibernate")

    def test_volumes_of_the_image_and_of_the_request(self):
        [name] = self.launch_ids(BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 3}}])
        kept = {
            m["DeviceName"]: m["Ebs"]["DeleteOnTermination"] for m in self.describe(name)[name]["BlockDeviceMappings"]
        }
        self.assertEqual(kept, {"/dev/xvda": True, "/dev/sdf": False, "/dev/sdb": False})
        volumes = [v["VolumeId"] for v in self.volumes(**{"attachment.instance-id": name})]
        self.ended(name)
        left = [v for v in self.ec2.describe_volumes()["Volumes"] if v["VolumeId"] in volumes]
        self.assertEqual(
            [(v["State"], v["Size"]) for v in sorted(left, key=lambda v: v["Size"])],
            [("available", 3), ("available", 4)],
        )

    def test_no_volume_is_left_where_all_are_to_go(self):
        before = {v["VolumeId"] for v in self.ec2.describe_volumes()["Volumes"]}
        [name] = self.launch_ids(
            BlockDeviceMappings=[
                {"DeviceName": d, "Ebs": {"DeleteOnTermination": True}} for d in ("/dev/xvda", "/dev/sdf")
            ]
        )
        self.ended(name)
        self.assertEqual({v["VolumeId"] for v in self.ec2.describe_volumes()["Volumes"]}, before)

    def test_bad_mappings(self):
        self.refuses_launch(
            "InvalidBlockDeviceMapping", BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 1}}]
        )
        self.refuses_launch(
            "MissingParameter", BlockDeviceMappings=[{"DeviceName": "/dev/sdz", "Ebs": {"DeleteOnTermination": True}}]
        )

    def test_image_by_parameter(self):
        name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
        [made] = self.launch(ImageId=f"resolve:ssm:{name}")["Instances"]
        self.assertEqual(made["ImageId"], self.image)
        found = self.aws("ssm").get_parameters(
            Names=[
                name,
                "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
                "/aws/service/no",
            ]
        )
        self.assertEqual({p["Value"] for p in found["Parameters"]}, {self.image, self.facts["images"]["ubuntu_x86_64"]})
        self.assertEqual(found["InvalidParameters"], ["/aws/service/no"])

    def test_fleets_are_not_supported(self):
        self.refused(
            "UnsupportedOperation",
            self.ec2.create_fleet,
            Type="instant",
            TargetCapacitySpecification={"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
            LaunchTemplateConfigs=[{"LaunchTemplateSpecification": {"LaunchTemplateName": "x", "Version": "1"}}],
        )

    def test_error_in_the_query_protocol(self):
        import http.client
        from rules_cloud import switch

        connection = http.client.HTTPConnection("127.0.0.1", switch.server.port)
        connection.request(
            "POST",
            "/",
            "Action=RunInstances&Version=2016-11-15",
            {
                "Content-Type": "application/x-www-form-urlencoded",
                "Authorization": f"AWS4-HMAC-SHA256 Credential={rules.principals.ADMIN_KEY}/20260101/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=0",
            },
        )
        answer = connection.getresponse()
        body = answer.read().decode()
        self.assertEqual(answer.status, 400)
        connection.close()
        self.assertRegex(
            body,
            r"(?s)<Response><Errors><Error><Code>MissingParameter</Code><Message>.*</Message></Error></Errors><RequestID>.*</RequestID></Response>",
        )


if __name__ == "__main__":
    unittest.main()
