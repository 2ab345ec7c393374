"""Identity policies: who may do what, the shipped policies, and what a refusal tells."""

import json
import unittest

from rules_cloud import RulesTest, rules
from pocket.rules import policy

RUN = [{"Key": "dayfly:run", "Value": "r1"}]


def tagged(*kinds, tags=RUN):
    return [{"ResourceType": k, "Tags": tags} for k in kinds]


class Evaluator(unittest.TestCase):
    def allowed(self, statement, context=None, action="ec2:RunInstances", arn="arn:aws:ec2:eu-west-1:1:instance/i-1"):
        return policy.decide(statement if isinstance(statement, list) else [statement], action, arn, context or {})[0]

    def test_actions_resources_and_deny(self):
        allow = {"Effect": "Allow", "Action": "ec2:Run*", "Resource": "arn:aws:ec2:*:*:instance/*"}
        self.assertTrue(self.allowed(allow))
        self.assertTrue(self.allowed(allow, action="EC2:runinstances"))
        self.assertFalse(self.allowed(allow, action="ec2:StopInstances"))
        self.assertFalse(self.allowed(allow, arn="arn:aws:ec2:eu-west-1:1:volume/vol-1"))
        self.assertFalse(self.allowed([allow, {"Effect": "Deny", "Action": "*", "Resource": "*"}]))
        self.assertTrue(self.allowed({"Effect": "Allow", "NotAction": "s3:*", "NotResource": "arn:aws:s3:::*"}))

    def test_conditions(self):
        cases = [
            ({"StringEquals": {"aws:RequestTag/a": "1"}}, {"aws:RequestTag/a": "1"}, True),
            ({"StringEquals": {"aws:RequestTag/a": "1"}}, {"aws:RequestTag/A": "1"}, False),
            ({"StringEquals": {"EC2:InstanceType": "t3.small"}}, {"ec2:InstanceType": "t3.small"}, True),
            ({"StringEquals": {"a": "1"}}, {}, False),
            ({"StringEqualsIfExists": {"a": "1"}}, {}, True),
            ({"StringNotEquals": {"a": "1"}}, {"a": "1"}, False),
            ({"StringNotEquals": {"a": "1"}}, {}, True),
            ({"StringLike": {"a": "x*"}}, {"a": "xyz"}, True),
            ({"StringLike": {"a": "?*"}}, {"a": ""}, False),
            ({"Null": {"a": "false"}}, {"a": "1"}, True),
            ({"Null": {"a": "true"}}, {"a": "1"}, False),
            ({"Bool": {"a": "false"}}, {"a": "false"}, True),
            ({"ArnLike": {"a": "arn:aws:iam::*:role/x*"}}, {"a": "arn:aws:iam::1:role/xy"}, True),
            ({"ArnLike": {"a": "arn:aws:*:role/x"}}, {"a": "arn:aws:iam::1:role/x"}, False),
            ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a"]}, True),
            ({"ForAllValues:StringEquals": {"k": ["a"]}}, {"k": ["a", "c"]}, False),
            ({"ForAllValues:StringEquals": {"k": ["a"]}}, {}, True),
            ({"ForAnyValue:StringEquals": {"k": ["a"]}}, {"k": ["a", "c"]}, True),
            ({"ForAnyValue:StringEquals": {"k": ["a"]}}, {}, False),
        ]
        for condition, context, wanted in cases:
            statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
            self.assertEqual(self.allowed(statement, context), wanted, (condition, context))
        with self.assertRaises(policy.UnknownOperator):
            self.allowed(
                {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringAlmost": {"a": "1"}}},
                {"a": "1"},
            )


class Shipped(RulesTest):
    """The policies of docs/aws/policies, as the pocket cloud loads them."""

    def allowed_launch(self, profile="dayfly-master", **changes):
        base = {
            "SubnetId": None,
            "IamInstanceProfile": {"Name": profile},
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            "NetworkInterfaces": [
                {
                    "DeviceIndex": 0,
                    "SubnetId": self.subnet,
                    "Groups": [self.facts["security_group"]],
                    "AssociatePublicIpAddress": False,
                }
            ],
            "TagSpecifications": tagged("instance", "volume", "network-interface"),
        }
        return self.request(**{**base, **changes})

    def denied(self, action, resource, call, **named):
        error = self.refused("UnauthorizedOperation", call, status=403, **named)
        encoded = error["Error"]["Message"].rsplit(": ", 1)[-1]
        decoded = json.loads(
            self.aws("sts", "trigger").decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"]
        )
        self.assertEqual(decoded["context"]["action"], action)
        self.assertIn(resource, decoded["context"]["resource"])
        return decoded

    def test_trigger_launches_a_master_and_no_other(self):
        run = self.aws("ec2", "trigger").run_instances
        [made] = run(**self.allowed_launch())["Instances"]
        self.assertTrue(made["InstanceId"])
        self.denied("ec2:RunInstances", ":instance/*", run, **self.allowed_launch("dayfly-worker"))
        self.denied(
            "ec2:RunInstances", ":instance/*", run, **self.allowed_launch(MetadataOptions={"HttpTokens": "optional"})
        )
        self.denied(
            "ec2:RunInstances",
            ":instance/*",
            run,
            **self.allowed_launch(TagSpecifications=tagged("volume", "network-interface")),
        )
        self.denied("ec2:RunInstances", ":volume/*", run, **self.allowed_launch(TagSpecifications=tagged("instance")))
        public = [{"DeviceIndex": 0, "SubnetId": self.subnet, "AssociatePublicIpAddress": True}]
        self.denied("ec2:RunInstances", ":network-interface/*", run, **self.allowed_launch(NetworkInterfaces=public))
        self.refused(
            "UnauthorizedOperation", self.aws("ec2", "trigger").terminate_instances, InstanceIds=[made["InstanceId"]]
        )

    def test_dry_run_tells_the_decision_only(self):
        self.fault(capacity={"left": 0})
        self.refused(
            "DryRunOperation", self.aws("ec2", "trigger").run_instances, status=412, **self.allowed_launch(DryRun=True)
        )
        self.refused(
            "UnauthorizedOperation",
            self.aws("ec2", "nobody").run_instances,
            status=403,
            **self.allowed_launch(DryRun=True),
        )
        self.refused(
            "DryRunOperation",
            self.ec2.terminate_instances,
            status=412,
            InstanceIds=["i-00000000000000000"],
            DryRun=True,
        )

    def test_master_launches_workers_and_ends_what_is_ours(self):
        ec2 = self.as_role("ec2", "master")
        for profile in ({"Name": "dayfly-worker"}, None):
            [made] = ec2.run_instances(**self.allowed_launch(IamInstanceProfile=profile))["Instances"]
            self.assertEqual(ec2.get_console_output(InstanceId=made["InstanceId"])["InstanceId"], made["InstanceId"])
            ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
        self.refused("UnauthorizedOperation", ec2.run_instances, **self.allowed_launch("dayfly-master"))
        [foreign] = self.launch_ids()
        self.denied("ec2:TerminateInstances", foreign, ec2.terminate_instances, InstanceIds=[foreign])

    def test_master_passes_the_worker_role_only(self):
        """The profile is allowed by name, what counts is the role in it."""
        iam = self.aws("iam")
        iam.remove_role_from_instance_profile(InstanceProfileName="dayfly-worker", RoleName="dayfly-worker")
        iam.add_role_to_instance_profile(InstanceProfileName="dayfly-worker", RoleName="dayfly-master")
        try:
            self.denied(
                "iam:PassRole",
                ":role/dayfly-master",
                self.as_role("ec2", "master").run_instances,
                **self.allowed_launch("dayfly-worker"),
            )
        finally:
            iam.remove_role_from_instance_profile(InstanceProfileName="dayfly-worker", RoleName="dayfly-master")
            iam.add_role_to_instance_profile(InstanceProfileName="dayfly-worker", RoleName="dayfly-worker")

    def test_master_tags_at_launch_and_later_only_the_deadline(self):
        ec2 = self.as_role("ec2", "master")
        [ours], [foreign] = self.launch_ids(TagSpecifications=tagged("instance")), self.launch_ids()
        ec2.create_tags(Resources=[ours], Tags=[{"Key": "dayfly:deadline", "Value": "5"}])
        self.denied(
            "ec2:CreateTags", ours, ec2.create_tags, Resources=[ours], Tags=[{"Key": "dayfly:run", "Value": "other"}]
        )
        self.denied(
            "ec2:CreateTags",
            ours,
            ec2.create_tags,
            Resources=[ours],
            Tags=[{"Key": "dayfly:deadline", "Value": "5"}, {"Key": "x", "Value": ""}],
        )
        self.denied(
            "ec2:CreateTags",
            foreign,
            ec2.create_tags,
            Resources=[foreign],
            Tags=[{"Key": "dayfly:deadline", "Value": "5"}],
        )
        self.denied("ec2:CreateTags", foreign, ec2.create_tags, Resources=[foreign], Tags=RUN)

    def test_master_makes_and_ends_groups_of_its_runs(self):
        ec2 = self.as_role("ec2", "master")
        named = {"GroupName": "g1", "Description": "d", "VpcId": self.facts["vpc"]}
        self.denied("ec2:CreateSecurityGroup", ":security-group/*", ec2.create_security_group, **named)
        group = ec2.create_security_group(**named, TagSpecifications=tagged("security-group"))["GroupId"]
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": group}]}
            ],
        )
        self.denied(
            "ec2:AuthorizeSecurityGroupIngress",
            self.facts["security_group"],
            ec2.authorize_security_group_ingress,
            GroupId=self.facts["security_group"],
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
        )
        ec2.delete_security_group(GroupId=group)

    def test_all_look(self):
        for role in ("master", "reaper"):
            ec2 = self.as_role("ec2", role)
            for name in (
                "instances",
                "subnets",
                "images",
                "volumes",
                "network_interfaces",
                "security_groups",
                "spot_price_history",
                "spot_instance_requests",
            ):
                getattr(ec2, f"describe_{name}")()
            ec2.describe_instance_type_offerings(
                LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.small"]}]
            )

    def test_reaper_ends_and_starts_masters(self):
        ec2 = self.as_role("ec2", "reaper")
        [made] = ec2.run_instances(**self.allowed_launch())["Instances"]
        ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
        volume = self.ec2.create_volume(Size=1, AvailabilityZone="eu-west-1a", TagSpecifications=tagged("volume"))[
            "VolumeId"
        ]
        other = self.ec2.create_volume(Size=1, AvailabilityZone="eu-west-1a")["VolumeId"]
        ec2.delete_volume(VolumeId=volume)
        self.denied("ec2:DeleteVolume", other, ec2.delete_volume, VolumeId=other)

    def test_worker_may_nothing(self):
        self.refused("UnauthorizedOperation", self.as_role("ec2", "worker").describe_instances)
        self.refused(
            "AccessDenied", self.as_role("s3", "worker").list_objects_v2, Bucket=self.facts["bucket"], status=403
        )
        self.assertIn("assumed-role/dayfly-worker/", self.as_role("sts", "worker").get_caller_identity()["Arn"])

    def test_metrics_and_parameters(self):
        cloudwatch = self.as_role("cloudwatch", "reaper")
        cloudwatch.put_metric_data(Namespace="dayfly", MetricData=[{"MetricName": "m", "Value": 1}])
        self.refused(
            "AccessDeniedException",
            cloudwatch.put_metric_data,
            Namespace="other",
            MetricData=[{"MetricName": "m", "Value": 1}],
        )
        name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
        self.as_role("ssm", "master").get_parameters(Names=[name])
        self.refused("AccessDeniedException", self.as_role("ssm", "master").get_parameters, Names=[name, "/mine"])

    def test_store(self):
        bucket, master, trigger = self.facts["bucket"], self.as_role("s3", "master"), self.aws("s3", "trigger")
        trigger.put_object(Bucket=bucket, Key="store/secret/r1", Body=b"key")
        trigger.put_object(Bucket=bucket, Key="store/bin/aa/dayfly", Body=b"elf")
        self.assertEqual(master.get_object(Bucket=bucket, Key="store/secret/r1")["Body"].read(), b"key")
        self.refused(
            "AccessDenied", master.put_object, Bucket=bucket, Key="store/bin/aa/dayfly", Body=b"other", status=403
        )
        self.refused("AccessDenied", master.put_object, Bucket=bucket, Key="elsewhere", Body=b"x", status=403)
        self.refused("NoSuchKey", master.get_object, Bucket=bucket, Key="store/runs/none", status=404)
        self.refused("AccessDenied", master.list_objects_v2, Bucket=bucket, status=403)
        self.assertEqual(master.list_objects_v2(Bucket=bucket, Prefix="store/secret/")["KeyCount"], 1)


class Changing(RulesTest):
    def put(self, name, *statements):
        self.aws("iam").put_user_policy(
            UserName="nobody",
            PolicyName=name,
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
        )

    def tearDown(self):
        for name in self.aws("iam").list_user_policies(UserName="nobody")["PolicyNames"]:
            self.aws("iam").delete_user_policy(UserName="nobody", PolicyName=name)

    def test_a_change_holds_at_once_or_after_the_delay(self):
        look = self.aws("ec2", "nobody").describe_instances
        allow = {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}
        self.refused("UnauthorizedOperation", look)
        self.put("look", allow)
        look()
        self.aws("iam").delete_user_policy(UserName="nobody", PolicyName="look")
        self.fault(iam_delay={"seconds": 30})
        self.put("look", allow)
        self.refused("UnauthorizedOperation", look)
        self.fault(iam_delay={"seconds": 0})
        look()

    def test_missing_key_without_list_permission_is_403(self):
        bucket, s3 = self.facts["bucket"], self.aws("s3", "nobody")
        self.put("get", {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"})
        self.refused("AccessDenied", s3.get_object, Bucket=bucket, Key="none", status=403)
        self.put("list", {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"})
        self.refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="none", status=404)

    def test_if_match_needs_get_object(self):
        bucket, s3 = self.facts["bucket"], self.aws("s3", "nobody")
        self.put("put", {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"})
        etag = s3.put_object(Bucket=bucket, Key="m", Body=b"1")["ETag"]
        self.refused("AccessDenied", s3.put_object, Bucket=bucket, Key="m", Body=b"2", IfMatch=etag, status=403)

    def test_groups_policy_of_iam_itself(self):
        self.refused("AccessDenied", self.aws("iam", "nobody").list_users, status=403)

    def test_unknown_and_expired_credentials(self):
        from rules_cloud import client

        self.refused("AuthFailure", client("ec2", "AKIAUNKNOWN000000000", "x").describe_instances, status=401)
        self.refused("InvalidAccessKeyId", client("s3", "AKIAUNKNOWN000000000", "x").list_buckets, status=403)
        self.refused("InvalidClientTokenId", client("sts", "AKIAUNKNOWN000000000", "x").get_caller_identity, status=403)
        ec2, s3 = self.as_role("ec2", "master"), self.as_role("s3", "master")
        before = rules.credentials_for(self.facts["profiles"]["master"])
        self.fault(credentials_expire={"role": "dayfly-master"})
        self.refused("RequestExpired", ec2.describe_instances, status=400)
        self.refused("ExpiredToken", s3.list_objects_v2, Bucket=self.facts["bucket"], status=400)
        self.assertNotEqual(
            rules.credentials_for(self.facts["profiles"]["master"])["AccessKeyId"], before["AccessKeyId"]
        )
        self.as_role("ec2", "master").describe_instances()
        self.fault(credentials_expire={"principal": "trigger"})
        self.refused("RequestExpired", self.aws("ec2", "trigger").describe_instances)
        self.fault(clear=True)
        self.aws("ec2", "trigger").describe_instances()


if __name__ == "__main__":
    unittest.main()
