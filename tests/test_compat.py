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
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
        assert named, f"no test: {row}"
        for file, test in named:
            source = (harness.ROOT / "tests" / file).read_text()
            assert f"def {test}(" in source, f"{file} has no {test}"
