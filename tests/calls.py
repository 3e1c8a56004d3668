"""Minimal requests that fit a service's model, and refusals that a call must get."""

import botocore.exceptions
import pytest


def refused(call, code, message=None, status=400, **arguments):
    """Makes the call, which must be refused with this code, and this text within the message."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    assert answer["Error"]["Code"] == code, answer["Error"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    if message is not None:
        assert message in answer["Error"]["Message"], answer["Error"]["Message"]
    return answer["Error"]["Message"]


def least(shape, name="value"):
    """The least value that the shape takes: required members, each as short as may be."""
    metadata = shape.metadata
    match shape.type_name:
        case "structure":
            return {m: least(shape.members[m], m) for m in shape.required_members}
        case "list":
            return [least(shape.member, name)] * max(1, metadata.get("min", 0))
        case "map":
            return {"key": least(shape.value, name)}
        case "string":
            return shape.enum[0] if shape.enum else "a1" * max(1, metadata.get("min", 1))
        case "integer" | "long":
            return metadata.get("min", 1)
        case "float" | "double":
            return float(metadata.get("min", 1))
        case "boolean":
            return True
        case "timestamp":
            return 0
        case "blob":
            return b"a"
    raise AssertionError(f"no value for {shape.type_name}")
