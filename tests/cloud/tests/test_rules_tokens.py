"""Client tokens of RunInstances."""

import unittest

from rules_cloud import RulesTest


class Tokens(RulesTest):
    def test_length_and_alphabet(self):
        self.refuses_launch("InvalidClientToken", ClientToken="x" * 65)
        self.refuses_launch("InvalidClientToken", ClientToken="tökén")
        self.assertEqual(len(self.launch_ids(ClientToken="x" * 64)), 1)

    def test_same_request_gives_the_first_reservation_with_present_states(self):
        first = self.launch(ClientToken="same", MinCount=1, MaxCount=2)
        ids = {i["InstanceId"] for i in first["Instances"]}
        for name in ids:
            self.wait_state(name, "running")
        again = self.launch(ClientToken="same", MinCount=1, MaxCount=2)
        self.assertEqual(again["ReservationId"], first["ReservationId"])
        self.assertEqual(
            {i["InstanceId"]: i["State"]["Name"] for i in again["Instances"]}, dict.fromkeys(ids, "running")
        )
        self.assertEqual(self.find(client_token="same"), ids)

    def test_token_is_case_sensitive(self):
        self.assertNotEqual(self.launch_ids(ClientToken="case"), self.launch_ids(ClientToken="CASE"))

    def test_token_is_zonal(self):
        here = self.launch_ids(ClientToken="zonal")
        there = self.launch_ids(ClientToken="zonal", SubnetId=self.facts["subnets"]["b"])
        self.assertNotEqual(here, there)

    def test_subnet_of_an_interface_makes_the_token_zonal_too(self):
        def nic(name):
            return {
                "SubnetId": None,
                "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": self.facts["subnets"][name]}],
            }

        self.assertNotEqual(
            self.launch_ids(ClientToken="nic", **nic("a")), self.launch_ids(ClientToken="nic", **nic("b"))
        )

    def test_other_parameters_do_not_fit(self):
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "1"}]}]
        self.launch(ClientToken="params")
        for change in (
            {"UserData": "x"},
            {"TagSpecifications": tags},
            {"MaxCount": 2},
            {"InstanceType": "t3.micro"},
            {"ImageId": "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"},
        ):
            self.refuses_launch("IdempotentParameterMismatch", ClientToken="params", **change)

    def test_terminated(self):
        [name] = self.launch_ids(ClientToken="over")
        self.ended(name)
        self.refuses_launch("IdempotentInstanceTerminated", ClientToken="over")
        self.assertEqual(self.find(client_token="over"), {name})

    def test_shutting_down_is_still_returned(self):
        [name] = self.launch_ids(ClientToken="ending")
        self.fault(terminate_slow={"seconds": 0.5})
        self.ec2.terminate_instances(InstanceIds=[name])
        [again] = self.launch(ClientToken="ending")["Instances"]
        self.assertEqual((again["InstanceId"], again["State"]["Name"]), (name, "shutting-down"))

    def test_a_capacity_failure_binds_the_token(self):
        self.fault(capacity={"type": "t3.small", "left": 0})
        self.refuses_launch("InsufficientInstanceCapacity", ClientToken="bound", status=500)
        self.refuses_launch("IdempotentParameterMismatch", ClientToken="bound", InstanceType="t3.micro")
        self.fault(clear=True)
        self.assertEqual(len(self.launch_ids(ClientToken="bound")), 1)

    def test_a_refused_parameter_does_not_bind(self):
        self.refuses_launch("InvalidAMIID.NotFound", ClientToken="free", ImageId="ami-00000000000000000")
        self.assertEqual(len(self.launch_ids(ClientToken="free")), 1)

    def test_forgotten(self):
        before = self.launch_ids(ClientToken="old")
        self.assertEqual(self.fault(token_forget={"token": "old"}), {"forgotten": 1})
        self.assertNotEqual(self.launch_ids(ClientToken="old"), before)


if __name__ == "__main__":
    unittest.main()
