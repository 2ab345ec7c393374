"""The door to moto: every request is read, written down, judged, carried out, and perhaps answered otherwise than it deserves."""

import re
import socket
import threading
import time
import traceback
from xml.sax.saxutils import escape

import botocore.session

from . import describe, endings, faults, groups, ledger, permissions, principals, s3_request, s3_rules, throttles, world
from .call import Call
from .refusal import Dropped, Refused, answer
from .small_services import own_answer

REGIONS = set(botocore.session.get_session().get_available_regions("ec2"))

_current = threading.local()


def current() -> Call:
    """The call that this thread carries out."""
    return _current.call


class Door:
    """A WSGI application around moto's."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, environ, start_response):
        if environ.get("PATH_INFO", "").startswith("/moto-api"):
            return self.inner(environ, start_response)
        try:
            call, entry = Call(environ), None
        except Exception as error:  # an action or a form that the service does not have
            body = f"<Response><Errors><Error><Code>InvalidAction</Code><Message>{escape(str(error))}</Message></Error></Errors></Response>".encode()
            start_response("400 Bad Request", [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
            return [body]
        _current.call = call
        try:
            if call.service == "s3":
                s3_request.read(call)
            entry = ledger.open_entry(call)
            status, headers, body = self.judged(call, entry)
        except Dropped:
            drop(environ)
        except Refused as refused:
            status, headers, body = self.refuse(call, entry, refused)
        except NotImplementedError as error:
            status, headers, body = self.refuse(
                call,
                entry,
                Refused("InvalidAction", f"The pocket cloud has no {call.service}:{call.action}: {error}", 501),
            )
        except Exception as error:
            traceback.print_exc()
            status, headers, body = self.refuse(
                call, entry, Refused("InternalError", f"{type(error).__name__}: {error}", 500)
            )
        if entry is not None:
            entry["took"] = round(world.now() - entry["time"], 3)
        slow = faults.for_call("slow", call)
        if slow:
            time.sleep(float(slow["seconds"]))
        lost = faults.for_call("lost_answer", call) or (
            call.service == "s3" and faults.for_call("s3_lost_answer", call)
        )
        if lost:
            entry["lost"] = True
            drop(environ)
        start_response(f"{status} {'OK' if status < 300 else 'Error'}", sent_headers(headers, call, body))
        return [body]

    def refuse(self, call, entry, refused: Refused):
        if entry is not None:
            entry.update(status=refused.status, error=refused.code, message=refused.message)
        if entry is not None and getattr(call, "denied", None):
            entry["denied"] = call.denied
        return answer(call, refused)

    def judged(self, call, entry):
        call.principal = principals.identify(call)
        entry["principal"] = call.principal.name
        throttles.check(call)
        error = faults.for_call("error", call)
        if error and not error.get("after_effect"):
            raise Refused(
                error.get("code", "InternalError"),
                error.get("message", "An internal error has occurred"),
                int(error.get("status", 500)),
            )
        if call.service == "s3":
            result = s3_rules.carry_out(call, self.through)
        else:
            with world.LOCK:
                result = self.carried_out(call)
        status, _, body = result
        entry.update(status=status, resources=call.resources)
        if status >= 400:
            entry.update(error=code_in(body), message=None)
        if error and status < 400:
            raise Refused(
                error.get("code", "InternalError"),
                error.get("message", "An internal error has occurred"),
                int(error.get("status", 500)),
            )
        return result

    def carried_out(self, call):
        if call.service == "ec2":
            # The real one has no address there; with one address for all regions this is the nearest to it.
            if call.region not in REGIONS:
                raise Refused("AuthFailure", f"Credential should be scoped to a valid region, not '{call.region}'.", 401)
            endings.fade()
            if not call.get("DryRun"):
                describe.check_ids(call)
                groups.check(call)
        permissions.require(call)
        if call.service == "ec2" and call.get("DryRun"):
            raise Refused("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        result = own_answer(call) or self.through(call)
        if call.service == "iam" and not call.action.startswith(("Get", "List")):
            principals.snapshot()
        return result

    def through(self, call):
        """moto's own answer."""
        kept = {}

        def start(status, headers, exc_info=None):
            kept.update(status=int(status.split()[0]), headers=headers)
            return lambda data: None

        chunks = self.inner(call.environ, start)
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return kept["status"], kept["headers"], body


def sent_headers(headers: list, call, body: bytes) -> list:
    kept = [(k, v) for k, v in headers if k.lower() not in {"transfer-encoding", "connection", "status"}]
    if call.method != "HEAD" and not any(k.lower() == "content-length" for k, _ in kept):
        kept.append(("Content-Length", str(len(body))))
    return kept


def code_in(body: bytes) -> str | None:
    found = re.search(rb"<Code>([^<]+)</Code>|\"__type\": ?\"(?:[^\"#]*#)?([^\"]+)\"", body)
    return (found[1] or found[2]).decode() if found else None


def drop(environ) -> None:
    """Ends the connection without an answer."""
    raw = environ.get("werkzeug.socket")
    if raw is not None:
        try:
            raw.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    raise ConnectionResetError("the answer is lost")
