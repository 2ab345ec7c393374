"""One request to the cloud: which service and action, by whose key, with which parameters."""

import gzip
import io
import json
import re
from urllib.parse import parse_qs, unquote

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.utils import get_service_model

CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d+)/([^/]+)/([^/]+)/aws4_request")
APP = re.compile(r"app/(dayfly-(?P<run>[A-Za-z0-9._-]+?)-e(?P<epoch>\d+))(?=[\s/;)]|$)")
MODELS = {"monitoring": "cloudwatch", "servicequotas": "service-quotas", "email": "ses"}
PREFIXES = {"monitoring": "cloudwatch", "email": "ses"}


class Call:
    """A request, read once."""

    def __init__(self, environ: dict):
        self.environ = environ
        self.method = environ["REQUEST_METHOD"]
        self.path = raw_path(environ)
        self.query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        self.headers = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")}
        self.headers["content-type"] = environ.get("CONTENT_TYPE") or ""
        self.body = read_body(environ)
        self.key, scope, self.region = self._credential()
        self.service = PREFIXES.get(scope, scope)
        self.params: dict = {}
        self.resources: list = []
        self.json = False
        self.principal = None
        self.action = self._action(MODELS.get(scope, scope))
        agent = self.headers.get("x-amz-user-agent", "") + " " + self.headers.get("user-agent", "")
        found = APP.search(agent)
        self.agent = agent.strip()
        self.run = found["run"] if found else None
        self.epoch = int(found["epoch"]) if found else None

    def _credential(self):
        text = self.headers.get("authorization", "") or "Credential=" + (self.query.get("X-Amz-Credential") or [""])[0]
        found = CREDENTIAL.search(text)
        if found:
            return found[1], found[4].lower(), found[3]
        return None, "s3", None

    def _action(self, model_name: str) -> str:
        if self.service == "s3":
            return ""  # read by s3_request
        target, body = self.headers.get("x-amz-target"), self.body
        if self.headers.get("content-encoding") == "gzip":  # the SDKs compress large metrics
            body = gzip.decompress(body)
        if target:
            self.json = True
            try:
                self.params = json.loads(body or b"{}")
            except ValueError:
                self.params = {}
            return target.rsplit(".", 1)[-1]
        form = (
            parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
            if "urlencoded" in self.headers["content-type"]
            else {}
        )
        form = {**self.query, **form}
        action = (form.get("Action") or [""])[0]
        if not action:  # REST services, and CBOR: /service/NAME/operation/ACTION
            head, _, operation = self.path.partition("/operation/")
            return operation if head.startswith("/service/") and operation else self.method + " " + self.path
        model = get_service_model(model_name)
        operation = model.operation_model(action)
        parser = PROTOCOL_PARSERS["ec2" if self.service == "ec2" else "query"](operation)
        values = Values((k, v[0]) for k, v in form.items())
        self.params = plain(
            parser.parse(
                {
                    "method": self.method,
                    "values": values,
                    "headers": {},
                    "body": b"",
                    "url_path": self.path,
                    "url_params": {},
                }
            )
        )
        return action

    def get(self, name: str, default=None):
        """A parameter by its dotted name."""
        value = self.params
        for part in name.split("."):
            if not isinstance(value, dict) or value.get(part) is None:
                return default
            value = value[part]
        return value


class Values(dict):
    """What moto's parsers want: a dictionary with `lists`."""

    def lists(self):
        return [(k, [v]) for k, v in self.items()]


def plain(value):
    if hasattr(value, "items"):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def raw_path(environ: dict) -> str:
    uri = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if uri:
        return unquote(uri.split("?", 1)[0])
    return environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace")


def read_body(environ: dict) -> bytes:
    """Reads the whole body, also a chunked one, and puts it back for moto."""
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        body = stream.read(int(length))
    elif environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked" or environ.get("wsgi.input_terminated"):
        body = stream.read() if environ.get("wsgi.input_terminated") else b""
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(body))
    else:
        body = b""
    environ["wsgi.input"] = io.BytesIO(body)
    environ.pop("wsgi.input_terminated", None)
    return body
