"""Spot instances by RunInstances."""

import time
import unittest

from rules_cloud import RulesTest, rules

SPOT = {
    "MarketType": "spot",
    "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
}


class Spot(RulesTest):
    def spot(self, **options):
        return {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": options}}

    def test_request_of_an_instance(self):
        tags = [{"ResourceType": "spot-instances-request", "Tags": [{"Key": "dayfly:run", "Value": "s"}]}]
        [made] = self.launch(InstanceMarketOptions=SPOT, TagSpecifications=tags)["Instances"]
        self.assertEqual(made["InstanceLifecycle"], "spot")
        [held] = self.ec2.describe_spot_instance_requests(Filters=[{"Name": "tag:dayfly:run", "Values": ["s"]}])[
            "SpotInstanceRequests"
        ]
        self.assertEqual(
            (held["SpotInstanceRequestId"], held["InstanceId"], held["State"]),
            (made["SpotInstanceRequestId"], made["InstanceId"], "active"),
        )
        self.ended(made["InstanceId"])
        [held] = self.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[made["SpotInstanceRequestId"]])[
            "SpotInstanceRequests"
        ]
        self.assertEqual(held["State"], "closed")

    def test_options_that_do_not_go_together(self):
        self.refuses_launch(
            "InvalidParameterCombination", **self.spot(SpotInstanceType="one-time", InstanceInterruptionBehavior="stop")
        )
        self.refuses_launch(
            "InvalidParameterCombination",
            **self.spot(SpotInstanceType="persistent", InstanceInterruptionBehavior="terminate"),
        )
        self.refuses_launch("SpotMaxPriceTooLow", **self.spot(MaxPrice="0.0001"))

    def test_no_capacity_leaves_nothing_waiting(self):
        self.fault(capacity={"market": "spot", "left": 0})
        before = len(self.ec2.describe_spot_instance_requests()["SpotInstanceRequests"])
        self.refuses_launch("InsufficientInstanceCapacity", InstanceMarketOptions=SPOT, status=500)
        self.assertEqual(len(self.ec2.describe_spot_instance_requests()["SpotInstanceRequests"]), before)
        self.assertEqual(len(self.launch_ids()), 1)

    def test_service_linked_role(self):
        self.fault(spot_role={"exists": False})
        self.refuses_launch("AuthFailure.ServiceLinkedRoleCreationNotPermitted", InstanceMarketOptions=SPOT)
        self.refused("NoSuchEntity", self.aws("iam").get_role, RoleName="AWSServiceRoleForEC2Spot")
        self.fault(spot_role={"exists": True})
        self.aws("iam").get_role(RoleName="AWSServiceRoleForEC2Spot")
        self.ended(*self.launch_ids(InstanceMarketOptions=SPOT))

    def test_reclaim_with_notice_and_without(self):
        [noticed] = self.launch_ids(InstanceMarketOptions=SPOT)
        [sudden] = self.launch_ids(InstanceMarketOptions=SPOT)
        self.wait_state(noticed, "running")
        self.fault(spot_reclaim={"instance": noticed, "notice": 0.4})
        self.assertIn(noticed, self.machines.notices)
        self.assertEqual(self.describe(noticed)[noticed]["State"]["Name"], "running")
        [held] = self.ec2.describe_spot_instance_requests(Filters=[{"Name": "instance-id", "Values": [noticed]}])[
            "SpotInstanceRequests"
        ]
        self.assertEqual(held["Status"]["Code"], "marked-for-termination")
        self.fault(spot_reclaim={"instance": sudden, "notice": 0})
        for name in (noticed, sudden):
            self.assertEqual(
                self.wait_state(name, "terminated")["StateReason"]["Code"], "Server.SpotInstanceTermination"
            )
        self.assertNotIn(sudden, self.machines.notices)

    def test_a_one_time_instance_cannot_be_stopped(self):
        [name] = self.launch_ids(InstanceMarketOptions=SPOT)
        self.refused("UnsupportedOperation", self.ec2.stop_instances, InstanceIds=[name])

    def test_prices(self):
        found = self.ec2.describe_spot_price_history(
            InstanceTypes=["c7i.large"], ProductDescriptions=["Linux/UNIX"], AvailabilityZone="eu-west-1a"
        )["SpotPriceHistory"]
        self.assertTrue(all(0.01 < float(p["SpotPrice"]) < 0.1 for p in found), found)
        self.assertGreaterEqual(len(found), 4)
        now = time.time()
        latest = self.ec2.describe_spot_price_history(
            InstanceTypes=["c7i.large", "c7i.xlarge"], StartTime=now, EndTime=now
        )["SpotPriceHistory"]
        self.assertEqual(
            {(p["InstanceType"], p["AvailabilityZone"]) for p in latest},
            {(t, f"eu-west-1{z}") for t in ("c7i.large", "c7i.xlarge") for z in "abc"},
        )
        self.assertEqual(len(rules.ledger.entries()) > 0, True)


if __name__ == "__main__":
    unittest.main()
