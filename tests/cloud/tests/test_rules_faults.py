"""Answers that are lost, slow or wrong; the ledger that remembers all of it; services beside EC2 and S3."""

import time
import unittest
from datetime import datetime, timedelta, timezone

from rules_cloud import LOST, RulesTest, rules


class Answers(RulesTest):
    def test_lost_after_the_effect(self):
        self.fault(lost_answer={"actions": ["RunInstances"], "times": 1})
        with self.assertRaises(LOST):
            self.launch(ClientToken="lost")
        [name] = self.launch_ids(ClientToken="lost")
        self.assertEqual(self.find(client_token="lost"), {name})
        first = [
            e
            for e in rules.ledger.entries()
            if e["action"] == "RunInstances" and e["parameters"].get("ClientToken") == "lost"
        ]
        self.assertEqual(
            [(e["lost"], e["status"], e["resources"]) for e in first], [(True, 200, [name]), (False, 200, [name])]
        )

    def test_error_before_and_after_the_effect(self):
        self.fault(error={"actions": ["RunInstances"], "code": "InternalError", "status": 500, "times": 1})
        self.refuses_launch("InternalError", status=500, ClientToken="before")
        self.assertEqual(self.find(client_token="before"), set())
        self.fault(
            error={
                "actions": ["RunInstances"],
                "code": "ServiceUnavailable",
                "status": 503,
                "times": 1,
                "after_effect": True,
            }
        )
        self.refuses_launch("ServiceUnavailable", status=503, ClientToken="after")
        self.assertEqual(len(self.find(client_token="after")), 1)

    def test_after_some_calls_and_only_for_one_principal(self):
        self.fault(
            error={"actions": ["ec2:Describe*"], "code": "InternalError", "times": 1, "after": 1, "principal": "admin"}
        )
        self.ec2.describe_subnets()
        self.refused("InternalError", self.ec2.describe_subnets)
        self.ec2.describe_subnets()
        self.fault(error={"actions": ["ec2:Describe*"], "code": "InternalError", "principal": "trigger"})
        self.ec2.describe_subnets()
        self.refused("InternalError", self.aws("ec2", "trigger").describe_subnets)

    def test_slow(self):
        self.fault(slow={"actions": ["DescribeSubnets"], "seconds": 0.3, "times": 1})
        began = time.monotonic()
        self.ec2.describe_subnets()
        self.assertGreater(time.monotonic() - began, 0.3)

    def test_unknown_fault(self):
        with self.assertRaises(rules.faults.UnknownFault):
            self.fault(earthquake={})

    def test_by_the_other_form(self):
        self.assertEqual(rules.faults.apply({"fault": "capacity", "left": 0}), {"applied": "capacity"})
        self.refuses_launch("InsufficientInstanceCapacity")

    def test_clock(self):
        from unittest import mock

        real = rules.world.now
        with mock.patch.object(rules.world, "now", lambda: real() + 3600):
            self.refused("RequestExpired", self.ec2.describe_subnets)
            self.refused("RequestTimeTooSkewed", self.aws("s3").list_buckets)


class Settings(RulesTest):
    settings = {"blindness": 0.2}

    def test_clearing_goes_back_to_what_the_cloud_started_with(self):
        self.fault(blindness={"seconds": 0})
        self.describe(*self.launch_ids())
        self.fault(clear={})
        self.refused("InvalidInstanceID.NotFound", self.describe, *self.launch_ids())


class Ledger(RulesTest):
    def test_who_in_which_epoch(self):
        ec2 = self.aws("ec2", app="dayfly-01ABC-e3")
        ec2.run_instances(**self.request(UserData="#!/bin/sh secret"))
        entry = rules.ledger.entries()[-1]
        self.assertEqual(
            (entry["service"], entry["action"], entry["principal"], entry["run"], entry["epoch"], entry["status"]),
            ("ec2", "RunInstances", "admin", "01ABC", 3, 200),
        )
        self.assertNotIn("secret", str(entry["parameters"]))
        life = rules.ledger.lives()[-1]
        self.assertEqual((life["id"], life["epoch"], life["subnet"]), (entry["resources"][0], 3, self.subnet))

    def test_errors_and_denials(self):
        self.refused("UnauthorizedOperation", self.aws("ec2", "nobody").describe_instances)
        entry = rules.ledger.entries()[-1]
        self.assertEqual(
            (entry["status"], entry["error"], entry["denied"]),
            (403, "UnauthorizedOperation", {"action": "ec2:DescribeInstances", "resource": "*"}),
        )
        self.refused("InvalidVpcID.NotFound", self.ec2.describe_vpcs, VpcIds=["vpc-00000000000000000"])
        self.assertEqual(rules.ledger.entries()[-1]["error"], "InvalidVpcID.NotFound")
        self.aws("s3").put_object(Bucket=self.facts["bucket"], Key="k", Body=b"12345")
        self.assertEqual(rules.ledger.entries()[-1]["parameters"]["bytes"], 5)

    def test_billing(self):
        [name] = self.launch_ids()
        self.wait_state(name, "running")
        self.ended(name)
        [life] = [x for x in rules.ledger.lives() if x["id"] == name]
        self.assertEqual(
            (life["billed_seconds"], life["reason"], life["how"]), (60, "Client.UserInitiatedShutdown", "poweroff")
        )
        record = {"spans": [[0.0, 90.5], [200.0, 210.0]]}
        self.assertEqual(rules.ledger.billed(record), 91 + 60)

    def test_what_is_alive(self):
        run = [{"Key": "dayfly:run", "Value": "alive"}]
        [name] = self.launch_ids(
            TagSpecifications=[{"ResourceType": k, "Tags": run} for k in ("instance", "volume", "network-interface")]
        )
        group = self.ec2.create_security_group(
            GroupName="alive",
            Description="d",
            VpcId=self.facts["vpc"],
            TagSpecifications=[{"ResourceType": "security-group", "Tags": run}],
        )["GroupId"]
        self.aws("s3").create_multipart_upload(Bucket=self.facts["bucket"], Key="u")
        found = rules.summary()
        self.assertEqual(
            sorted(r["kind"] for r in found["by_run"]["alive"]),
            ["instance", "network-interface", "security-group", "volume", "volume"],
        )
        self.assertIn("multipart-upload", {r["kind"] for r in found["resources"]})
        self.ended(name)
        self.ec2.delete_security_group(GroupId=group)
        self.assertEqual(
            [(r["kind"], r["state"]) for r in rules.summary()["by_run"]["alive"]], [("volume", "available")]
        )


class Services(RulesTest):
    def test_metric_limits(self):
        put = self.aws("cloudwatch").put_metric_data
        metric = {"MetricName": "m", "Value": 1}
        cases = [
            ("AWS/x", [metric]),
            ("d", [metric] * 1001),
            ("d", [{**metric, "Dimensions": [{"Name": f"n{i}", "Value": "v"} for i in range(31)]}]),
            ("d", [{"MetricName": "m", "Values": [float(i) for i in range(151)]}]),
            ("d", [{**metric, "Timestamp": datetime.now(timezone.utc) - timedelta(days=15)}]),
            ("d", [{**metric, "Timestamp": datetime.now(timezone.utc) + timedelta(hours=3)}]),
        ]
        for namespace, data in cases:
            self.refused("InvalidParameterValue", put, Namespace=namespace, MetricData=data)
        put(
            Namespace="d",
            MetricData=[{**metric, "Dimensions": [{"Name": f"n{i}", "Value": "v"} for i in range(30)]}] * 1000,
        )

    def test_quotas(self):
        quota = self.aws("service-quotas", "trigger").get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")[
            "Quota"
        ]
        self.assertEqual(quota["Value"], 256.0)
        self.fault(quota={"market": "on-demand", "vcpus": 2})
        self.assertEqual(
            self.aws("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]["Value"],
            2.0,
        )

    def test_assumed_role(self):
        from rules_cloud import client

        made = self.aws("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/dayfly-master", RoleSessionName="s")[
            "Credentials"
        ]
        held = client("sts", made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]).get_caller_identity()
        self.assertEqual(held["Arn"], "arn:aws:sts::123456789012:assumed-role/dayfly-master/s")
        self.refused(
            "InvalidClientTokenId",
            client("sts", made["AccessKeyId"], made["SecretAccessKey"], "wrong").get_caller_identity,
        )

    def test_decoding_needs_a_message(self):
        self.refused(
            "InvalidAuthorizationMessageException",
            self.aws("sts").decode_authorization_message,
            EncodedMessage="nonsense",
        )


if __name__ == "__main__":
    unittest.main()
