"""States of an instance: reasons, eventual consistency, what stays visible after the end, terminating in batches."""

import time
import unittest

from rules_cloud import RulesTest, rules


class Life(RulesTest):
    def test_pending_then_running(self):
        [made] = self.launch()["Instances"]
        self.assertEqual(made["State"], {"Code": 0, "Name": "pending"})
        self.assertEqual(self.wait_state(made["InstanceId"], "running")["State"]["Code"], 16)

    def test_terminated_by_the_api(self):
        [name] = self.launch_ids()
        self.wait_state(name, "running")
        [change] = self.ec2.terminate_instances(InstanceIds=[name])["TerminatingInstances"]
        self.assertEqual(
            (change["PreviousState"]["Name"], change["CurrentState"]["Name"]), ("running", "shutting-down")
        )
        self.assertEqual(self.wait_state(name, "terminated")["StateReason"]["Code"], "Client.UserInitiatedShutdown")
        [again] = self.ec2.terminate_instances(InstanceIds=[name])["TerminatingInstances"]
        self.assertEqual((again["PreviousState"]["Name"], again["CurrentState"]["Name"]), ("terminated", "terminated"))

    def test_power_off_terminates_or_stops(self):
        [ends] = self.launch_ids(InstanceInitiatedShutdownBehavior="terminate")
        [stops] = self.launch_ids()
        for name in (ends, stops):
            self.wait_state(name, "running")
            self.machine_ends(name, "poweroff")
        self.assertEqual(self.wait_state(ends, "terminated")["StateReason"]["Code"], "Client.InstanceInitiatedShutdown")
        self.assertEqual(self.wait_state(stops, "stopped")["StateReason"]["Code"], "Client.InstanceInitiatedShutdown")
        self.assertEqual(len(self.volumes(**{"attachment.instance-id": stops})), 2)
        self.ec2.start_instances(InstanceIds=[stops])
        self.wait_state(stops, "running")
        self.ended(stops)

    def test_a_crash_is_not_noticed(self):
        [name] = self.launch_ids(InstanceInitiatedShutdownBehavior="terminate")
        self.wait_state(name, "running")
        self.machine_ends(name, "crash")
        self.assertEqual(self.describe(name)[name]["State"]["Name"], "running")
        self.ended(name)

    def test_death_in_pending(self):
        self.fault(launch_dies={"reason": "Client.VolumeLimitExceeded", "seconds": 0.05, "times": 1})
        [name] = self.launch_ids()
        found = self.wait_state(name, "terminated")
        self.assertEqual(found["StateReason"]["Code"], "Client.VolumeLimitExceeded")
        [life] = [x for x in rules.ledger.lives() if x["id"] == name]
        self.assertEqual((life["running"], life["billed_seconds"]), (None, 0))

    def test_stuck_in_pending_can_be_terminated(self):
        self.fault(stuck_pending={"times": 1})
        [name] = self.launch_ids()
        time.sleep(0.1)
        self.assertEqual(self.describe(name)[name]["State"]["Name"], "pending")
        self.ended(name)

    def test_slow_terminate(self):
        [name] = self.launch_ids()
        self.fault(terminate_slow={"seconds": 0.3})
        self.ec2.terminate_instances(InstanceIds=[name])
        time.sleep(0.1)
        self.assertEqual(self.describe(name)[name]["State"]["Name"], "shutting-down")
        self.wait_state(name, "terminated")

    def test_blindness(self):
        self.fault(blindness={"seconds": 0.5})
        [name] = self.launch_ids(ClientToken="blind")
        for call, named in (
            (self.ec2.describe_instances, {"InstanceIds": [name]}),
            (self.ec2.terminate_instances, {"InstanceIds": [name]}),
            (self.ec2.create_tags, {"Resources": [name], "Tags": [{"Key": "a", "Value": "b"}]}),
            (self.ec2.get_console_output, {"InstanceId": name}),
        ):
            self.refused("InvalidInstanceID.NotFound", call, **named)
        self.assertEqual(self.find(client_token="blind"), set())
        self.assertEqual(self.launch_ids(ClientToken="blind"), [name])
        time.sleep(0.55)
        self.assertEqual(self.find(client_token="blind"), {name})
        self.assertEqual(self.describe(name)[name]["State"]["Name"], "running")

    def test_network_data_goes_then_tags_then_the_instance(self):
        [name] = self.launch_ids(
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "dayfly:run", "Value": "fades"}]}]
        )
        wanted = [{"Name": "tag:dayfly:run", "Values": ["fades"]}]
        [found] = self.ended(name)
        self.assertFalse({"PrivateIpAddress", "SubnetId", "VpcId"} & found.keys())
        self.assertEqual((found["NetworkInterfaces"], self.find_by(wanted)), ([], {name}))
        self.fault(tags_fade={"seconds": 0})
        self.assertEqual(self.find_by(wanted), set())
        self.assertNotIn("Tags", self.describe(name)[name])
        self.fault(terminated_visible={"seconds": 0})
        self.refused("InvalidInstanceID.NotFound", self.ec2.describe_instances, InstanceIds=[name])
        self.fault(clear=True)

    def test_one_bad_id_terminates_none(self):
        ids = self.launch_ids(MaxCount=2, MinCount=2)
        self.refused(
            "InvalidInstanceID.NotFound", self.ec2.terminate_instances, InstanceIds=[*ids, "i-00000000000000000"]
        )
        self.refused("InvalidInstanceID.Malformed", self.ec2.terminate_instances, InstanceIds=[*ids, "i-nonsense"])
        self.assertEqual({i["State"]["Name"] for i in self.describe(*ids).values()} - {"pending", "running"}, set())
        self.refused("ResourceCountExceeded", self.ec2.terminate_instances, InstanceIds=ids * 501)
        self.ended(*ids)

    def test_protection(self):
        [name], [other] = self.launch_ids(DisableApiTermination=True), self.launch_ids()
        self.refused("OperationNotPermitted", self.ec2.terminate_instances, InstanceIds=[other, name])
        self.assertIn(self.describe(other)[other]["State"]["Name"], {"pending", "running"})
        self.ec2.modify_instance_attribute(InstanceId=name, DisableApiTermination={"Value": False})
        self.ended(name, other)

    def test_console(self):
        [name] = self.launch_ids()
        self.assertEqual(self.ec2.get_console_output(InstanceId=name)["Output"], f"boot of {name}\n")

    def test_group_in_use_is_not_deleted(self):
        group = self.ec2.create_security_group(GroupName="used", Description="d", VpcId=self.facts["vpc"])["GroupId"]
        [name] = self.launch_ids(SecurityGroupIds=[group])
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=group)
        self.ended(name)
        self.ec2.delete_security_group(GroupId=group)
        self.refused("InvalidGroup.NotFound", self.ec2.delete_security_group, GroupId=group)


if __name__ == "__main__":
    unittest.main()
