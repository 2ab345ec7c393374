"""The rules alone, on free ports of the loopback: no root, no namespaces, and instances that are only timers.

Prints one line of JSON when it is ready, like `start`, and ends with its standard input. With a folder as its argument
it speaks TLS and leaves the certificate of its authority there, under the name that `ca` says.

    PYTHONPATH=tests/cloud python -m pocket.serve_without_hosts [FOLDER]
"""

import json
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

from werkzeug.serving import WSGIRequestHandler, make_server

from . import rules
from .control import Control
from .machines_without_hosts import NoHosts

LOOPBACK = "127.0.0.1"


class Quiet(WSGIRequestHandler):
    """The ledger holds what was called; standard error is for what goes wrong."""

    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        pass


def main(folder: str | None = None) -> None:
    machines = NoHosts()
    machines.machines = {}
    machines.settings = SimpleNamespace(gateway=LOOPBACK, control_port=0)
    app = rules.install(machines)
    tls = certificates(Path(folder)) if folder else None
    api = make_server(LOOPBACK, 0, app, threaded=True, request_handler=Quiet, ssl_context=tls and (tls["certificate"], tls["key"]))
    ready = {"v": 1, "pid": os.getpid(), "endpoint": f"{'https' if tls else 'http'}://{LOOPBACK}:{api.server_port}", "region": rules.world.REGION,
             "ca": tls and tls["ca"], **app.facts}
    ended = threading.Event()
    control = Control(machines, rules, ready, ended.set)
    ready["control"] = f"http://{LOOPBACK}:{control.server_address[1]}"
    for server in (api, control):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=read_to_end, args=(ended,), daemon=True).start()
    print(json.dumps(ready, default=str), flush=True)
    ended.wait()
    os._exit(0)


def read_to_end(ended: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    ended.set()


def certificates(folder: Path) -> dict[str, str]:
    """An authority, and a certificate of it for the loopback."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.timezone.utc)
    issuer_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pocket cloud")])
    issuer_key = ec.generate_private_key(ec.SECP256R1())

    def signed(name: x509.Name, key: ec.EllipticCurvePrivateKey, authority: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer_name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if not authority:
            loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK)), x509.DNSName("localhost")])
            builder = builder.add_extension(loopback, critical=False)
        return builder.sign(issuer_key, hashes.SHA256())

    key = ec.generate_private_key(ec.SECP256R1())
    own_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    texts = {
        "ca": signed(issuer_name, issuer_key, True).public_bytes(serialization.Encoding.PEM),
        "certificate": signed(own_name, key, False).public_bytes(serialization.Encoding.PEM),
        "key": private,
    }
    for name, text in texts.items():
        (folder / f"{name}.pem").write_bytes(text)
    return {name: str(folder / f"{name}.pem") for name in texts}


if __name__ == "__main__":
    main(*sys.argv[1:])
