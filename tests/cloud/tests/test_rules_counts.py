"""How many instances a launch gives: counts, capacity, addresses, quotas, offerings."""

import unittest

from rules_cloud import RulesTest


class Counts(RulesTest):
    def test_largest_possible_number(self):
        self.fault(capacity={"zone": "eu-west-1a", "type": "t3.small", "market": "on-demand", "left": 2})
        answer = self.launch(MinCount=1, MaxCount=5)
        self.assertEqual(len(answer["Instances"]), 2)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 200)
        self.refuses_launch("InsufficientInstanceCapacity", status=500)
        self.assertEqual(len(self.launch_ids(InstanceType="t3.micro")), 1)
        self.assertEqual(len(self.launch_ids(SubnetId=self.facts["subnets"]["b"])), 1)

    def test_fewer_than_the_minimum_is_none(self):
        before = self.find()
        self.fault(capacity={"left": 2})
        self.refuses_launch("InsufficientInstanceCapacity", MinCount=3, MaxCount=5)
        self.assertEqual(self.find(), before)

    def test_bad_counts(self):
        self.refuses_launch("InvalidParameterValue", MinCount=0, MaxCount=0)
        self.refuses_launch("InvalidParameterValue", MinCount=3, MaxCount=1)
        self.refuses_launch("InvalidParameterValue", MinCount=-1, MaxCount=1)

    def test_launch_index(self):
        found = self.launch(MinCount=3, MaxCount=3, ClientToken="index")["Instances"]
        self.assertEqual(sorted(i["AmiLaunchIndex"] for i in found), [0, 1, 2])
        second = next(i["InstanceId"] for i in found if i["AmiLaunchIndex"] == 1)
        self.assertEqual(self.find(launch_index="1", client_token="index"), {second})

    def test_full_subnet(self):
        tiny = self.facts["subnets"]["tiny"]

        def free():
            return self.ec2.describe_subnets(SubnetIds=[tiny])["Subnets"][0]["AvailableIpAddressCount"]

        self.assertEqual(free(), 11)
        ids = self.launch_ids(SubnetId=tiny, MinCount=1, MaxCount=20)
        self.assertEqual((len(ids), free()), (11, 0))
        self.refuses_launch("InsufficientFreeAddressesInSubnet", SubnetId=tiny, status=400)
        self.ended(ids[0])
        self.assertEqual(free(), 1)
        [last] = self.launch_ids(SubnetId=tiny)
        self.ended(last, *ids[1:])
        self.assertEqual(free(), 11)

    def test_addresses_by_fault(self):
        self.fault(addresses={"subnet": self.subnet, "left": 1})
        self.assertEqual(self.ec2.describe_subnets(SubnetIds=[self.subnet])["Subnets"][0]["AvailableIpAddressCount"], 1)
        self.refuses_launch("InsufficientFreeAddressesInSubnet", MinCount=2, MaxCount=2)

    def test_quotas(self):
        self.ended(*self.find(instance_state_name=["pending", "running", "stopped"]) or self.launch_ids())
        self.fault(quota={"market": "on-demand", "vcpus": 4})
        self.assertEqual(len(self.launch_ids(MinCount=1, MaxCount=9)), 2)
        self.refuses_launch("VcpuLimitExceeded", status=400)
        self.fault(quota={"market": "spot", "vcpus": 0})
        self.refuses_launch("MaxSpotInstanceCountExceeded", InstanceMarketOptions={"MarketType": "spot"})

    def test_type_missing_from_a_zone(self):
        offered = self.ec2.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["g6.xlarge"]}]
        )
        self.assertNotIn("eu-west-1b", {o["Location"] for o in offered["InstanceTypeOfferings"]})
        self.refuses_launch("Unsupported", InstanceType="g6.xlarge", SubnetId=self.facts["subnets"]["b"])
        self.assertEqual(len(self.launch_ids(InstanceType="g6.xlarge")), 1)


if __name__ == "__main__":
    unittest.main()
