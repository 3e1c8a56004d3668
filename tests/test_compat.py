"""COMPAT.md and the tests that it names belong together."""

import re

import harness


def test_each_line_of_compat_names_tests_that_exist():
    text = (harness.ROOT / "COMPAT.md").read_text()
    rows = [
        line
        for line in text.splitlines()
        if re.match(r"\| (as in AWS|differs|chosen|refused) \|", line)
    ]
    assert len(rows) > 50
    for row in rows:
        named = re.findall(r"`(\w+\.py)::(test_\w+)`", row)
        assert named, f"no test: {row}"
        for file, test in named:
            source = (harness.ROOT / "tests" / file).read_text()
            assert f"def {test}(" in source, f"{file} has no {test}"


def test_every_attack_of_security_md_has_its_test():
    text = (harness.ROOT / "SECURITY.md").read_text()
    for file, name in re.findall(r"`(test_\w+\.py)::(\w+)`", text):
        assert f"\ndef {name}(" in (harness.ROOT / "tests" / file).read_text(), name
    within = harness.ROOT / "crates/executor/tests/it"
    named = re.findall(r"`(\w+)::(\w+)`", text)
    assert len(named) > 20
    for file, name in named:
        assert name in (within / f"{file}.rs").read_text(), name
