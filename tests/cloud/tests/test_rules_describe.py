"""Filters, pages, and the token buckets of the API."""

import unittest

from botocore.exceptions import ClientError
from rules_cloud import RulesTest, rules


class Describe(RulesTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ids = cls().launch_ids(
            MinCount=12,
            MaxCount=12,
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "name", "Value": "a*b"}]}],
        )

    def test_wildcards_and_escapes(self):
        for value, found in (("a*", True), ("a?b", True), ("a\\*b", True), ("a\\*", False), ("b*", False)):
            self.assertEqual(
                self.find_by([{"Name": "tag:name", "Values": [value]}]), set(self.ids) if found else set(), value
            )

    def test_state_and_unknown_filters(self):
        for name in self.ids:
            self.wait_state(name, "running")
        self.assertEqual(self.find(instance_state_name=["running", "pending"]), set(self.ids))
        self.refused(
            "InvalidParameterValue", self.ec2.describe_instances, Filters=[{"Name": "colour", "Values": ["red"]}]
        )
        self.refused(
            "FilterLimitExceeded",
            self.ec2.describe_instances,
            Filters=[{"Name": "instance-id", "Values": [f"i-{n}" for n in range(201)]}],
        )

    def test_pages(self):
        seen, token, pages = set(), None, 0
        self.fault(empty_pages={"times": 1})
        while True:
            found = self.ec2.describe_instances(MaxResults=5, **({"NextToken": token} if token else {}))
            seen |= {i["InstanceId"] for r in found["Reservations"] for i in r["Instances"]}
            pages, token = pages + 1, found.get("NextToken")
            if not token:
                break
        self.assertEqual((seen, pages), (set(self.ids), 4))

    def test_bounds_of_max_results(self):
        self.refused("InvalidParameterCombination", self.ec2.describe_instances, InstanceIds=self.ids[:1], MaxResults=5)
        self.refused("InvalidParameterValue", self.ec2.describe_instances, MaxResults=4)
        self.refused("InvalidParameterValue", self.ec2.describe_instances, MaxResults=1001)
        self.refused("InvalidParameterValue", self.ec2.describe_instances, NextToken="nonsense")

    def test_order_is_not_stable(self):
        orders = {
            tuple(
                i["InstanceId"]
                for r in self.ec2.describe_instances(InstanceIds=self.ids)["Reservations"]
                for i in r["Instances"]
            )
            for _ in range(8)
        }
        self.assertGreater(len(orders), 1)


class Buckets(RulesTest):
    settings = {"throttle": True}

    def setUp(self):
        super().setUp()
        rules.throttles.clear()
        self.time, running = 1000.0, rules.throttles.clock
        rules.throttles.clock = lambda: self.time
        self.addCleanup(setattr, rules.throttles, "clock", running)

    def burst(self, call, times, **named):
        """How many of the calls got through."""
        done = 0
        for _ in range(times):
            try:
                call(**named)
                done += 1
            except ClientError as error:
                self.assertEqual(error.response["Error"]["Code"], "RequestLimitExceeded")
                self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], 503)
        return done

    def test_run_instances(self):
        self.assertEqual(self.burst(self.ec2.run_instances, 8, **self.request()), 5)
        self.time += 1
        self.assertEqual(self.burst(self.ec2.run_instances, 4, **self.request()), 2)

    def test_unfiltered_describe_is_narrower(self):
        self.assertEqual(self.burst(self.ec2.describe_instances, 55), 50)
        self.assertEqual(self.burst(self.ec2.describe_instances, 20, MaxResults=5), 20)

    def test_instances_have_a_bucket_too(self):
        self.fault(capacity={"left": 1})
        self.assertEqual(self.burst(self.ec2.run_instances, 3, **self.request(MaxCount=600)), 1)

    def test_faults(self):
        self.fault(throttle={"probability": 1.0, "actions": ["RunInstances"], "times": 2})
        self.assertEqual(self.burst(self.ec2.run_instances, 3, **self.request()), 1)
        rules.throttles.clear()
        self.fault(throttle={"rate": 0.2})
        self.assertEqual(self.burst(self.ec2.run_instances, 3, **self.request()), 1)


if __name__ == "__main__":
    unittest.main()
