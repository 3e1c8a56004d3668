"""Calls that cost next to nothing: signed once, sent again and again on a kept connection.

What a test measures is then the service's time, not that of a client library.
"""

import http.client
import json
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials

import harness

TARGETS = {"codebuild": "CodeBuild_20161006", "logs": "Logs_20140328"}


class Call:
    """One request to one service, that may be made many times."""

    def __init__(self, yard, service, operation, **members):
        self.body = json.dumps(members)
        request = botocore.awsrequest.AWSRequest(
            "POST",
            yard.url + "/",
            {
                "content-type": "application/x-amz-json-1.1",
                "x-amz-target": f"{TARGETS[service]}.{operation}",
            },
            self.body,
        )
        keys = botocore.credentials.Credentials(yard.access_key, yard.secret_key)
        botocore.auth.SigV4Auth(keys, service, harness.REGION).add_auth(request)
        self.headers = dict(request.headers.items())


class Caller:
    """A connection, and how long each call on it has taken, in seconds."""

    def __init__(self, yard):
        self.connection = http.client.HTTPConnection("127.0.0.1", yard.port, timeout=60)
        self.taken = []

    def __call__(self, call):
        """Makes the call; gives status and answer."""
        began = time.perf_counter()
        self.connection.request("POST", "/", call.body, call.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        self.taken.append(time.perf_counter() - began)
        return answer.status, text

    def insist(self, call):
        """Makes the call, which must be answered well; gives the answer, read."""
        status, text = self(call)
        assert status == 200, text
        return json.loads(text)


def percentile(samples, percent):
    """The sample that so many percent are not above."""
    return sorted(samples)[(len(samples) - 1) * percent // 100]
