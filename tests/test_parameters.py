"""Parameter Store, by boto3 and the AWS CLI."""

import json

import pytest

import harness
from calls import least, refused
from conftest import unique
from harness import ACCOUNT, REGION

ARN = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter"
HONOURED = {
    "PutParameter",
    "GetParameter",
    "GetParameters",
    "GetParametersByPath",
    "GetParameterHistory",
    "DescribeParameters",
    "DeleteParameter",
    "DeleteParameters",
    "LabelParameterVersion",
    "UnlabelParameterVersion",
    "AddTagsToResource",
    "RemoveTagsFromResource",
    "ListTagsForResource",
}


@pytest.fixture
def parameters(yard):
    return yard.parameters


@pytest.fixture
def put(parameters):
    """Puts a parameter: `put("/a/b", "value")`; a String unless told otherwise."""

    def call(name, value, **more):
        return parameters.put_parameter(**{"Name": name, "Value": value, "Type": "String"} | more)

    return call


@pytest.fixture
def root():
    """A path that no other test has."""
    return "/" + unique("path")


def value(parameters, name, **more):
    return parameters.get_parameter(Name=name, **more)["Parameter"]["Value"]


@pytest.mark.parametrize("kind", ["String", "StringList", "SecureString"])
def test_a_parameter_is_put_and_read(parameters, put, root, kind):
    made = put(f"{root}/p", "one,two", Type=kind, Description="numbers")
    assert (made["Version"], made["Tier"]) == (1, "Standard")
    read = parameters.get_parameter(Name=f"{root}/p", WithDecryption=True)["Parameter"]
    assert (read["Name"], read["Type"], read["Value"]) == (f"{root}/p", kind, "one,two")
    assert (read["ARN"], read["Version"]) == (f"{ARN}{root}/p", 1)
    assert read["DataType"] == "text" and read["LastModifiedDate"]


def test_a_secure_string_needs_decryption(parameters, put, root):
    put(f"{root}/p", "hunter2", Type="SecureString")
    kept = value(parameters, f"{root}/p")
    assert kept and "hunter2" not in kept
    assert value(parameters, f"{root}/p", WithDecryption=True) == "hunter2"
    (described,) = parameters.describe_parameters(
        ParameterFilters=[{"Key": "Name", "Values": [f"{root}/p"]}]
    )["Parameters"]
    assert described["KeyId"] == "alias/aws/ssm" and "hunter2" not in str(described)


def test_versions_are_numbered_and_found_by_number_label_and_arn(parameters, put, root):
    name = f"{root}/p"
    put(name, "one")
    exists = "The parameter already exists. To overwrite this value, set the overwrite option"
    refused(put, "ParameterAlreadyExists", exists, name=name, value="two")
    assert put(name, "two", Overwrite=True, Type="String")["Version"] == 2
    assert parameters.put_parameter(Name=name, Value="three", Overwrite=True)["Version"] == 3
    labelled = parameters.label_parameter_version(
        Name=name, ParameterVersion=2, Labels=["blue", "aws-no", "1no"]
    )
    assert labelled["InvalidLabels"] == ["aws-no", "1no"]
    for selector, expected in (("", "three"), (":1", "one"), (":blue", "two")):
        for name_ in (name, ARN + name):
            assert value(parameters, name_ + selector) == expected
    assert parameters.get_parameter(Name=f"{name}:1")["Parameter"]["Selector"] == ":1"
    refused(
        parameters.get_parameter,
        "ParameterVersionNotFound",
        f"Systems Manager could not find version 9 of {name}.",
        Name=f"{name}:9",
    )
    parameters.label_parameter_version(Name=name, Labels=["blue"])
    history = parameters.get_parameter_history(Name=name)["Parameters"]
    assert [(one["Version"], one["Value"], one["Labels"]) for one in history] == [
        (1, "one", []),
        (2, "two", []),
        (3, "three", ["blue"]),
    ]
    gone = parameters.unlabel_parameter_version(
        Name=name, ParameterVersion=3, Labels=["blue", "red"]
    )
    assert (gone["RemovedLabels"], gone["InvalidLabels"]) == (["blue"], ["red"])


def test_what_an_overwrite_does_not_name_stays(parameters, put, root):
    name = f"{root}/p"
    put(name, "a1", Description="what it is for", AllowedPattern="a[0-9]", Type="SecureString")
    described = {"ParameterFilters": [{"Key": "Name", "Values": [name]}]}
    shown = ("Description", "AllowedPattern", "Type", "Version")

    def described_as():
        (parameter,) = parameters.describe_parameters(**described)["Parameters"]
        return tuple(parameter.get(member) for member in shown)

    parameters.put_parameter(Name=name, Value="a2", Overwrite=True)
    assert described_as() == ("what it is for", "a[0-9]", "SecureString", 2)
    refused(
        parameters.put_parameter,
        "ParameterPatternMismatchException",
        Name=name,
        Value="b",
        Overwrite=True,
    )
    change = {"Description": "else", "AllowedPattern": "b"}
    parameters.put_parameter(Name=name, Value="b", Overwrite=True, **change)
    assert described_as() == ("else", "b", "SecureString", 3)


def test_a_hundred_versions_are_kept(parameters, put, root):
    name = f"{root}/p"
    put(name, "first")
    for _ in range(100):
        parameters.put_parameter(Name=name, Value="later", Overwrite=True)
    refused(parameters.get_parameter, "ParameterVersionNotFound", Name=f"{name}:1")
    parameters.label_parameter_version(Name=name, ParameterVersion=2, Labels=["held"])
    refused(
        parameters.put_parameter,
        "ParameterMaxVersionLimitExceeded",
        "Version 2, the oldest version, can't be deleted because it has a label",
        Name=name,
        Value="later",
        Overwrite=True,
    )


def test_many_are_read_and_deleted_at_once(parameters, put, root):
    for name in "ab":
        put(f"{root}/{name}", name)
    asked = [f"{root}/b", f"{root}/nothing", f"{root}/a:1", f"{root}/a:7"]
    answer = parameters.get_parameters(Names=asked)
    assert [one["Value"] for one in answer["Parameters"]] == ["b", "a"]
    assert answer["InvalidParameters"] == [f"{root}/nothing", f"{root}/a:7"]
    gone = parameters.delete_parameters(Names=[f"{root}/a", f"{root}/nothing"])
    assert gone["DeletedParameters"] == [f"{root}/a"]
    assert gone["InvalidParameters"] == [f"{root}/nothing"]
    parameters.delete_parameter(Name=f"{root}/b")
    for call in (parameters.delete_parameter, parameters.get_parameter):
        refused(call, "ParameterNotFound", f"Parameter {root}/b not found.", Name=f"{root}/b")
    assert put(f"{root}/a", "new")["Version"] == 1


def test_a_path_has_levels_filters_and_pages(parameters, put, root):
    for index in range(12):
        put(f"{root}/n{index:02}", str(index), Type="String" if index else "SecureString")
    put(f"{root}/deep/er", "deep")
    put(f"{root}er", "not below")

    def below(**more):
        pages = parameters.get_paginator("get_parameters_by_path").paginate(Path=root, **more)
        return [one["Value"] for page in pages for one in page["Parameters"]]

    decrypted = {"WithDecryption": True}
    assert below(**decrypted) == [str(index) for index in range(12)]
    assert below(Recursive=True, **decrypted) == ["deep", *[str(index) for index in range(12)]]
    secure = [{"Key": "Type", "Values": ["SecureString"]}]
    assert below(ParameterFilters=secure, **decrypted) == ["0"]
    first = parameters.get_parameters_by_path(Path=root, MaxResults=3)
    assert len(first["Parameters"]) == 3 and first["NextToken"]
    refused(
        parameters.get_parameters_by_path,
        "InvalidFilterKey",
        "The following filter key is not valid: Name.",
        Path=root,
        ParameterFilters=[{"Key": "Name", "Values": ["a"]}],
    )
    refused(parameters.get_parameters_by_path, "ValidationException", Path="no-slash")
    refused(parameters.get_parameters_by_path, "InvalidNextToken", Path=root, NextToken="nonsense")


def test_descriptions_have_filters_and_pages(parameters, put, root):
    put(f"{root}/a", "1", Tags=[{"Key": "team", "Value": root}])
    put(f"{root}/b/c", "2", Type="SecureString", Description="second")
    put(f"{root}/d", "3", Tier="Advanced")

    def names(*filters, **more):
        named = [
            {"Key": key, "Option": option, "Values": list(values)} if option else {"Key": key}
            for key, option, *values in filters
        ]
        pages = parameters.get_paginator("describe_parameters").paginate(
            ParameterFilters=named, **more
        )
        return "".join(
            one["Name"].removeprefix(root + "/") for page in pages for one in page["Parameters"]
        )

    assert names(("Path", "OneLevel", root)) == "ad"
    assert names(("Path", "Recursive", root)) == "ab/cd"
    assert names(("Name", "BeginsWith", f"{root}/b")) == "b/c"
    assert names(("Name", "Contains", f"{root[1:]}/d")) == "d"
    assert names(("Path", "Recursive", root), ("Tier", "Equals", "Advanced")) == "d"
    assert names(("tag:team", "Equals", root)) == "a"
    assert names(("Path", "Recursive", root), PaginationConfig={"PageSize": 1}) == "ab/cd"
    older = parameters.describe_parameters(Filters=[{"Key": "Name", "Values": [f"{root}/b"]}])
    assert older["Parameters"][0]["Description"] == "second"
    refused(
        parameters.describe_parameters,
        "InvalidFilterOption",
        "The following filter option is not valid: Contains. Valid options include: [Recursive, "
        "OneLevel].",
        ParameterFilters=[{"Key": "Path", "Option": "Contains", "Values": ["/"]}],
    )


def test_tags_come_and_go(parameters, put, root):
    name = f"{root}/p"
    put(name, "1", Tags=[{"Key": "a", "Value": "1"}])
    which = {"ResourceType": "Parameter", "ResourceId": name}
    parameters.add_tags_to_resource(**which, Tags=[{"Key": "b", "Value": "2"}])
    parameters.remove_tags_from_resource(**which, TagKeys=["a", "c"])
    assert parameters.list_tags_for_resource(**which)["TagList"] == [{"Key": "b", "Value": "2"}]
    refused(
        parameters.list_tags_for_resource,
        "InvalidResourceId",
        ResourceType="Parameter",
        ResourceId=name + "x",
    )
    refused(
        parameters.list_tags_for_resource,
        "InvalidResourceType",
        ResourceType="Document",
        ResourceId="a",
    )


@pytest.mark.parametrize(
    ("code", "message", "request_"),
    [
        ("ValidationException", "must be a fully qualified name", {"Name": "a/b"}),
        ("ValidationException", "can't be prefixed with", {"Name": "/ssm/x"}),
        ("ValidationException", "letters, numbers and the following 3 symbols", {"Name": "a b"}),
        (
            "AccessDeniedException",
            "No access to reserved parameter name: aws-x.",
            {"Name": "aws-x"},
        ),
        ("HierarchyLevelLimitExceededException", "15 levels", {"Name": "/a" * 16}),
        ("ValidationException", "A parameter type is required", {"Type": None}),
        ("ValidationException", "[String, StringList, SecureString]", {"Type": "Text"}),
        ("ValidationException", "length greater than or equal to 1", {"Value": ""}),
        ("ValidationException", "maximum parameter value of 4096", {"Value": "x" * 4097}),
        (
            "ValidationException",
            "maximum parameter value of 8192",
            {"Value": "x" * 8193, "Tier": "Advanced"},
        ),
        ("ValidationException", "can't nest another parameter", {"Value": "a {{ssm:b}}"}),
        (
            "ParameterPatternMismatchException",
            "cannot be validated against allowedPattern: \\d+",
            {"AllowedPattern": "\\d+", "Value": "a1"},
        ),
        ("InvalidAllowedPatternException", "regular expression", {"AllowedPattern": "("}),
        ("InvalidKeyId", "alias/mine", {"Type": "SecureString", "KeyId": "alias/mine"}),
        ("ValidationException", "KeyId", {"KeyId": "alias/aws/ssm"}),
        ("ValidationException", "Policies is not supported", {"Policies": "[]"}),
        ("ValidationException", "aws:ec2:image", {"DataType": "aws:ec2:image"}),
        ("ValidationException", "data type is not supported: x", {"DataType": "x"}),
        (
            "ValidationException",
            "tags and overwrite can't be used together",
            {"Overwrite": True, "Tags": [{"Key": "a", "Value": "b"}]},
        ),
    ],
)
def test_mistakes_are_refused(parameters, code, message, request_):
    request = {"Name": unique("mistake"), "Value": "a", "Type": "String"} | request_
    given = {key: value for key, value in request.items() if value is not None}
    shown = refused(parameters.put_parameter, code, message, **given)
    assert "xxxx" not in shown, "a refusal repeats a value"


def test_tiers(parameters, put, root):
    assert put(f"{root}/a", "x" * 4097, Tier="Intelligent-Tiering")["Tier"] == "Advanced"
    assert parameters.put_parameter(Name=f"{root}/a", Value="x", Overwrite=True)["Version"] == 2
    refused(
        parameters.put_parameter,
        "ValidationException",
        "You can't downgrade a parameter",
        Name=f"{root}/a",
        Value="x",
        Overwrite=True,
        Tier="Standard",
    )


def test_a_parameter_belongs_to_its_region(yard, put, root):
    put(f"{root}/p", "1")
    elsewhere = yard.client("ssm", region="us-east-1")
    refused(elsewhere.get_parameter, "ParameterNotFound", Name=f"{root}/p")


@pytest.mark.parametrize("operation", sorted(set(harness.operations("ssm")) - HONOURED))
def test_an_operation_that_is_not_there_is_refused(yard, operation):
    shape = yard.parameters.meta.service_model.operation_model(operation).input_shape
    methods = {name: key for key, name in yard.parameters.meta.method_to_api_mapping.items()}
    client = yard.client("ssm", parameter_validation=False)
    refused(
        getattr(client, methods[operation]),
        "ValidationException",
        f"{operation} is not supported by this service yet",
        **least(shape),
    )


@pytest.mark.parametrize("version", [1, 2])
def test_the_cli_keeps_and_reads_a_parameter(yard, root, version):
    call = ["ssm", "put-parameter", "--name", f"{root}/cli", "--type", "SecureString"]
    yard.aws(*call, "--value", "from the CLI", version=version)
    read = ["ssm", "get-parameter", "--name", f"{root}/cli", "--with-decryption"]
    read += ["--query", "Parameter.Value", "--output", "text"]
    assert yard.aws(*read, version=version).stdout == "from the CLI\n"


def test_values_of_every_type_are_sealed_and_outlive_the_service(own_yard):
    yard = own_yard().start()
    values = {
        "String": "correct-horse-battery",
        "StringList": "staple-one,staple-two",
        "SecureString": json.dumps({"password": "tr0ub4dor&3"}),
    }
    for kind, text in values.items():
        yard.parameters.put_parameter(Name=f"/kept/{kind}", Value=text, Type=kind)
    yard.kill()
    yard.start()
    for kind, text in values.items():
        assert value(yard.parameters, f"/kept/{kind}", WithDecryption=True) == text
        assert harness.kept_in_clear(yard, text) == []
    yard.stop()
    key = yard.data_dir.with_name(yard.data_dir.name + ".key")
    aside = key.rename(key.with_suffix(".aside"))
    yard.start()
    refused(yard.parameters.get_parameter, "InvalidKeyId", Name="/kept/String")
    assert not key.exists()
    aside.rename(key)
    assert value(yard.parameters, "/kept/String") == "correct-horse-battery"
