"""What a host learns about itself: version 2 of EC2's instance metadata service, at 169.254.169.254 of every host.

Each host's listening socket is made in its network namespace, so which socket was called says who calls; nobody can
ask for another. The hop limit is kept: the answer with the token leaves with that time to live. (EC2 User Guide,
"Use IMDSv2", "Retrieve instance metadata", "Spot Instance interruption notices".)
"""

import base64
import json
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Optional

from .world import in_network

ADDRESS = "169.254.169.254"
VERSIONS = ("1.0", "2009-04-04", "2016-09-02", "2018-09-24", "2020-10-27", "2021-03-23", "latest")
TOKEN = "X-aws-ec2-metadata-token"
LONGEST = 21600


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Metadata:
    """What is told to an instance while it runs."""

    spot_action: Optional[dict] = None
    rebalance: Optional[dict] = None

    def spot_notice(self, seconds: float, action: str = "terminate") -> None:
        self.spot_action = {"action": action, "time": stamp(time.time() + seconds)}

    def rebalance_notice(self) -> None:
        self.rebalance = {"noticeTime": stamp(time.time())}


class Facts:
    """Reads an instance of moto as the tree of its metadata; folders are dicts, None is not found."""

    def __init__(self, instance: Any, metadata: Metadata, credentials_for: Callable[[str, str], Optional[dict]]) -> None:
        self.instance = instance
        self.metadata = metadata
        self.credentials_for = credentials_for

    @property
    def options(self) -> Any:
        return self.instance.metadata_options

    def user_data(self) -> Optional[bytes]:
        text = self.instance.user_data
        return base64.b64decode(str(text)) if text else None

    def tree(self) -> dict:
        instance = self.instance
        nic = instance.nics[0]
        address, mac = instance.private_ip, nic.mac_address
        name = instance.private_dns_name
        region = instance.region_name
        groups = [group.name for group in nic.group_set]
        tree: dict = {
            "ami-id": instance.image_id,
            "ami-launch-index": str(instance.ami_launch_index),
            "block-device-mapping": {"ami": instance.root_device_name, "root": instance.root_device_name},
            "events": {"maintenance": {"history": "[]", "scheduled": "[]"}},
            "hostname": name,
            "iam": self._iam(),
            "instance-action": "none",
            "instance-id": instance.id,
            "instance-life-cycle": instance.lifecycle or "on-demand",
            "instance-type": instance.instance_type,
            "local-hostname": name,
            "local-ipv4": address,
            "mac": mac,
            "network": {"interfaces": {"macs": {mac: {
                "device-number": "0", "interface-id": nic.id, "local-hostname": name, "local-ipv4s": address, "mac": mac,
                "owner-id": instance.owner_id, "security-groups": "\n".join(groups), "subnet-id": instance.subnet_id,
                "security-group-ids": "\n".join(group.id for group in nic.group_set), "vpc-id": instance.vpc_id,
            }}}},
            "placement": {"availability-zone": instance.availability_zone, "region": region},
            "public-keys": self._keys(),
            "reservation-id": getattr(getattr(instance, "reservation", None), "id", None),
            "security-groups": "\n".join(groups),
            "services": {"domain": "amazonaws.com", "partition": "aws"},
            "spot": {"instance-action": json.dumps(self.metadata.spot_action)} if self.metadata.spot_action else None,
        }
        if self.metadata.rebalance:
            tree["events"]["recommendations"] = {"rebalance": json.dumps(self.metadata.rebalance)}
        if self.options.instance_metadata_tags == "enabled":
            tree["tags"] = {"instance": {tag["key"]: tag["value"] for tag in instance.get_tags()}}
        document = {
            "accountId": instance.owner_id, "architecture": instance.architecture, "availabilityZone": instance.availability_zone,
            "imageId": instance.image_id, "instanceId": instance.id, "instanceType": instance.instance_type,
            "pendingTime": stamp(instance.launch_time.timestamp()), "privateIp": address, "region": region, "version": "2017-09-30",
        }
        return {"meta-data": tree, "dynamic": {"instance-identity": {"document": json.dumps(document, indent=2)}}}

    def _keys(self) -> Optional[dict]:
        pair = self.instance.ec2_backend.key_pairs.get(self.instance.key_name)
        if pair is None:
            return None
        text = pair.material_public
        return {"0": {"openssh-key": text.decode() if isinstance(text, bytes) else text}}

    def _iam(self) -> Optional[dict]:
        association = self.instance.ec2_backend.iam_instance_profile_associations.get(self.instance.id)
        if association is None:
            return None
        profile = association.iam_instance_profile
        folder: dict = {"info": json.dumps({"Code": "Success", "LastUpdated": stamp(time.time()), "InstanceProfileArn": profile.arn,
                                            "InstanceProfileId": profile.id})}
        credentials = self.credentials_for(profile.arn, self.instance.id)
        if credentials and profile.roles:
            answer = {"Code": "Success", "LastUpdated": stamp(time.time()), "Type": "AWS-HMAC"}
            answer |= {name: credentials[name] for name in ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")}
            folder["security-credentials"] = {profile.roles[0].name: json.dumps(answer, indent=2)}
        return folder


class Server(ThreadingHTTPServer):
    """Serves one host until it is closed."""

    daemon_threads = True

    def __init__(self, network: int, facts: Facts) -> None:
        super().__init__((ADDRESS, 80), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = in_network(network, lambda: socket.create_server((ADDRESS, 80), backlog=64))
        self.facts = facts
        self.tokens: dict[str, float] = {}
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """The two methods that there are."""

    protocol_version = "HTTP/1.1"
    server_version = "EC2ws"
    sys_version = ""
    server: Server

    def do_PUT(self) -> None:
        seconds = self.headers.get(TOKEN + "-ttl-seconds", "")
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        facts = self.server.facts
        if facts.options.http_endpoint == "disabled" or self.headers.get("X-Forwarded-For"):
            return self._answer(403)
        if self.path != "/latest/api/token":
            return self._answer(405)
        if not seconds.isdigit() or not 1 <= int(seconds) <= LONGEST:
            return self._answer(400)
        token = secrets.token_urlsafe(40) + "=="
        self.server.tokens[token] = time.time() + int(seconds)
        # The real service is one hop away from the host already, this one is in it. So a container's network behind the
        # host is one more than the kernel counts, and an answer that has no hops left is lost on the way.
        own = self.client_address[0] in (ADDRESS, "127.0.0.1", facts.instance.private_ip)
        hops = int(facts.options.http_put_response_hop_limit) - (not own)
        if hops < 1:
            self.close_connection = True
            self.rfile.read(1)
            return None
        self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
        self._answer(200, token, headers={TOKEN + "-ttl-seconds": seconds})
        return None

    def do_GET(self) -> None:
        facts = self.server.facts
        token = self.headers.get(TOKEN)
        if facts.options.http_endpoint == "disabled":
            return self._answer(403)
        if token is None and facts.options.http_tokens == "required":
            return self._answer(401)
        if token is not None and self.server.tokens.get(token, 0) < time.time():
            return self._answer(401)
        version, _, path = self.path.split("?")[0].strip("/").partition("/")
        if not version:
            return self._answer(200, "\n".join(VERSIONS))
        if version not in VERSIONS:
            return self._answer(404)
        if not path:
            return self._answer(200, "dynamic\nmeta-data\nuser-data")
        if path == "user-data":
            data = facts.user_data()
            return self._answer(404) if data is None else self._answer(200, data, "application/octet-stream")
        return self._node(facts.tree(), path.split("/"))

    def _node(self, node: Any, path: list[str]) -> None:
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        if node is None:
            return self._answer(404)
        if isinstance(node, dict):
            # Keys are listed with their names, without which cloud-init takes none.
            names = ("0=key",) if path[-1] == "public-keys" else (
                name + "/" * isinstance(value, dict) for name, value in node.items() if value is not None)
            node = "\n".join(names)
        return self._answer(200, node)

    def _answer(self, status: int, body: str | bytes = b"", kind: str = "text/plain", headers: Optional[dict] = None) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing: a host's requests are no news."""
