"""A cloud without hosts for the tests of its rules: real HTTP on loopback, boto3 as the client."""

import base64
import functools
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError, HTTPClientError  # noqa: E402
from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402

from pocket import rules  # noqa: E402
from pocket.machines_without_hosts import NoHosts  # noqa: E402

LOST = HTTPClientError
"""What boto3 raises when the connection ends without an answer."""


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


class Switch:
    """One server for all tests; each class of tests has a new cloud behind it."""

    def __init__(self):
        self.app = None
        self.server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=Quiet)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server.port}"


switch = Switch()


@functools.lru_cache(maxsize=None)
def client(service, key, secret, token=None, app=None):
    return boto3.client(
        service,
        endpoint_url=switch.endpoint,
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(
            retries={"total_max_attempts": 1},
            user_agent_appid=app,
            parameter_validation=False,
            read_timeout=10,
            s3={"addressing_style": "path"},
        ),
    )


class RulesTest(unittest.TestCase):
    """Each test begins with a cloud without faults; each class with a new cloud."""

    settings: dict = {}
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.machines = NoHosts(0.02, 0.02)
        switch.app = rules.install(cls.machines, {"throttle": False, **cls.settings})
        cls.facts = switch.app.facts
        cls.image, cls.subnet = cls.facts["images"]["x86_64"], cls.facts["subnets"]["a"]

    def setUp(self):
        self.fault(clear=True)
        rules.tokens.forget(None)

    def fault(self, **fault):
        return rules.faults.apply({k: v for k, v in fault.items()})

    def aws(self, service="ec2", who="admin", app=None):
        held = self.facts["keys"][who]
        return client(service, held["access_key_id"], held["secret_access_key"], app=app)

    def as_role(self, service, role, app=None):
        """A client with the credentials that an instance of this role reads from IMDS."""
        held = rules.credentials_for(self.facts["profiles"][role])
        return client(service, held["AccessKeyId"], held["SecretAccessKey"], held["Token"], app)

    @property
    def ec2(self):
        return self.aws("ec2")

    def request(self, **changes):
        base = {
            "ImageId": self.image,
            "InstanceType": "t3.small",
            "SubnetId": self.subnet,
            "MinCount": 1,
            "MaxCount": 1,
        }
        return {k: v for k, v in {**base, **changes}.items() if v is not None}

    def launch(self, who="admin", **changes):
        return self.aws("ec2", who).run_instances(**self.request(**changes))

    def launch_ids(self, **changes):
        return [i["InstanceId"] for i in self.launch(**changes)["Instances"]]

    def refused(self, code, call, *arguments, status=None, **named):
        """Asserts that the call is refused with this code, and returns the error."""
        with self.assertRaises(ClientError) as caught:
            call(*arguments, **named)
        response = caught.exception.response
        self.assertEqual(response["Error"]["Code"], code, response["Error"].get("Message"))
        if status is not None:
            self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], status)
        return response

    def refuses_launch(self, code, status=None, **changes):
        return self.refused(code, self.ec2.run_instances, status=status, **self.request(**changes))

    def describe(self, *ids):
        found = self.ec2.describe_instances(InstanceIds=list(ids))
        return {i["InstanceId"]: i for r in found["Reservations"] for i in r["Instances"]}

    def find(self, **filters):
        wanted = [
            {"Name": n.replace("_", "-"), "Values": v if isinstance(v, list) else [v]} for n, v in filters.items()
        ]
        return self.find_by(wanted)

    def find_by(self, wanted):
        return {
            i["InstanceId"] for r in self.ec2.describe_instances(Filters=wanted)["Reservations"] for i in r["Instances"]
        }

    def wait_state(self, instance_id, state, seconds=5.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.describe(instance_id)[instance_id]
            if found["State"]["Name"] == state:
                return found
            time.sleep(0.02)
        self.fail(f"{instance_id} is {found['State']['Name']}, not {state}")

    def ended(self, *ids):
        """Terminates and waits."""
        self.ec2.terminate_instances(InstanceIds=list(ids))
        return [self.wait_state(i, "terminated") for i in ids]

    def machine_ends(self, instance_id, how):
        self.machines.ends(rules.world.instance(instance_id), how)

    def volumes(self, **filters):
        return self.ec2.describe_volumes(
            Filters=[{"Name": n.replace("_", "-"), "Values": [v]} for n, v in filters.items()]
        )["Volumes"]

    @staticmethod
    def encoded(raw: bytes) -> str:
        """boto3 encodes user data by itself."""
        return raw.decode("latin-1")


__all__ = ["LOST", "RulesTest", "base64", "rules", "client"]
