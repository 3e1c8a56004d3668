"""The YAML of a buildspec is read as libyaml reads it, the library under CodeBuild's own.

PyYAML, which the AWS CLI brings, stands on libyaml: what it says of a text is the measure.
"""

import json
import subprocess

import pytest
import yaml

import harness

HEAD = "version: 0.2\nphases:\n  build:\n    commands:\n"

MISTAKES = [
    "a: [b, c\n",
    "a: {b: c\n",
    "a: [b}\n",
    "a: {b: c]\n",
    HEAD + '      - "a" b\n',
    HEAD + "      - 'a' b\n",
    HEAD + '      - "a\n',
    HEAD + "      - 'a\n\n",
    HEAD + '      - "\\d"\n',
    HEAD + '      - "\\xg"\n',
    HEAD + "      - @a\n",
    HEAD + "      - `a`\n",
    HEAD + "      - %a\n",
    HEAD + "      - *.jar\n",
    HEAD + "      - **/*\n",
    HEAD + "      - && a\n",
    HEAD + "      - a\n   && b\n",
    HEAD + "      - a: b: c\n",
    HEAD + "      - a\n     - b\n",
    HEAD + "      - a\n    - b\n   - c\n",
    HEAD + "      - |\n        a\n       b\n",
    HEAD + "      - |x\n        a\n",
    "- |\n      \n    a\n",
    HEAD + "      -\ta\n",
    HEAD + "      - a\n\t\n      - b\n",
    HEAD + "      - |\n        a\n\t\n        b\n",
    HEAD + "      - a\n  }\n",
    "version: 0.2\nphases:\n  build:\n   commands:\n  - make\n",
    "version: 0.2\nphases:\n  build\n    commands:\n      - make\n",
    "version: 0.2\nphases:\n\tbuild:\n",
    "version: 0.2\n \tphases: x\n",
    "version: 0.2 phases: x\n",
    "a: b: c\n",
    "a: - b\n",
    "a: 'b' c\n",
    "a: b\n c: d\n",
    "a: b\n]\n",
    '{"a": ["b "c" d"]}\n',
    '{\n  "a": [\n    "b"\n    "c"\n  ]\n}\n',
    '{\n  "a": "b"\n  "c": "d"\n}\n',
    "a: [b]]\n",
    "a: !<x\n",
    "a: &\n",
    "a: *\n",
    "a: b\nc\nd: e\n",
    "- a\nb: c\n",
    "a:\n  - b\n c: d\n",
    "--- a\nb: c\n",
]

ODD = [
    "a:\tb\t# c\n",
    "a: [\n\tb,\n\t\tc\n]\n",
    "{\n\t'a': [\n\t\t'b'\n\t]\n}\n",
    "a:\n  - b\n  - [c,\nd\n]\n",
    "a: 'x\ny'\n",
    'a: "x\ny"\n',
    'a: "x\\\n   y"\n',
    "- |\n\n  a\n\tb\n".replace("\tb", "   \tb"),
    "a: |  # c\n  b\n",
    "a: >-2\n   b\n",
    "a: b#c\n",
    "a: 'b'#c\n",
    "a: [b]#c\n",
    "a: ?b\nc: -d\n",
    "a: [b?c, d:e, http://x:80/y?z=1]\n",
    "a: &x-y_z b\nc: *x-y_z\n",
    "a:\n- b\n- c\nd: e\n",
    "a: b\n  c\n   d\n",
    "? a\n: b\n",
    "\ufeffa: b\r\nc: d\r\n",
    "a: b\rc: d\r",
    "a: 😀\n",
    "a: \\\n",
    "a: |\n  b",
    "a: >\n x\n  y\n z\n\n\n",
]


def mistake(text):
    """What libyaml says of a text, with the line counted from 0; none when it reads it."""
    try:
        list(yaml.parse(text, Loader=yaml.CLoader))
    except yaml.MarkedYAMLError as error:
        return f"{error.problem} at line {error.problem_mark.line}"
    return None


def told(text):
    """What a build would end with for the sake of its YAML; none when that is read."""
    done = subprocess.run(
        [harness.BINARY, "buildspec", "check", "--format", "json", "-"],
        input=text.encode(),
        capture_output=True,
        timeout=60,
    )
    problems = json.loads(done.stdout)["files"][0]["problems"]
    found = [problem for problem in problems if problem["rule"] in ("yaml", "alias")]
    return found[0]["codebuild"] if found else None


@pytest.fixture(autouse=True)
def libyaml():
    if not yaml.__with_libyaml__:
        pytest.skip("PyYAML is without libyaml here, so that there is nothing to compare with")


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_in_libyamls_words_and_line(text):
    assert mistake(text) is not None
    assert told(text) == mistake(text)


@pytest.mark.parametrize("text", ODD)
def test_what_libyaml_takes_is_taken(text):
    assert mistake(text) is None
    assert told(text) is None
