"""An answer of the service that is an error, in the wire format of its protocol."""

import json
import uuid
from xml.sax.saxutils import escape


class Refused(Exception):
    """Raised anywhere below the door; the door turns it into the answer."""

    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class Dropped(Exception):
    """The connection ends without an answer."""


JSON_SERVICES = {
    "ssm",
    "servicequotas",
    "sqs",
    "events",
    "logs",
    "secretsmanager",
    "pricing",
    "dynamodb",
    "scheduler",
    "lambda",
}


def answer(call, refused: Refused) -> tuple[int, list, bytes]:
    """Status, headers and body of a refusal as the protocol of the call's service writes it."""
    request_id = str(uuid.uuid4())
    code, message = escape(refused.code), escape(refused.message)
    headers = [("x-amzn-requestid", request_id), ("x-amz-request-id", request_id)]
    if call.json or call.service in JSON_SERVICES:
        body = json.dumps({"__type": refused.code, "message": refused.message})
        headers += [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", refused.code)]
    elif call.service == "ec2":
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>'
            f"</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        )
    elif call.service == "s3":
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>'
            f"<Resource>{escape(call.path)}</Resource><RequestId>{request_id}</RequestId></Error>"
        )
    else:
        kind = "Receiver" if refused.status >= 500 else "Sender"
        body = (
            f"<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    if not any(k == "Content-Type" for k, _ in headers):
        headers.append(("Content-Type", "text/xml;charset=UTF-8"))
    if call.method == "HEAD" or refused.status == 304:
        body = ""
    return refused.status, headers, body.encode()
