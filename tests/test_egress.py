"""What builds of a project reach of the outside, by the configuration's rules.

That the rules hold for packets, and for names that are allowed, is tested in
`crates/executor/tests/it/egress.rs`, with an outside that the test makes.
"""

import os
import shutil

import pytest

from harness import spec

CONFIGURATION = """
[[egress.projects]]
names = ["strict-*"]
default_behavior = "DENY_ALL"
ordered_rules = [
    { type = "DOMAIN", effect = "DENY", entities = ["evil.allowed.test"] },
    { type = "DOMAIN", effect = "ALLOW", entities = ["*.allowed.test"] },
]
"""

ASK = "for name in %s; do getent ahostsv4 $name > /dev/null && echo found $name; done; true"


def test_a_project_reaches_what_its_rules_allow(own_yard, tmp_path):
    if os.geteuid() != 0 or shutil.which("nft") is None or not default_route():
        pytest.skip("builds have no way out on this machine: it needs root, nft and a route")
    configuration = tmp_path / "buildyard.toml"
    configuration.write_text(CONFIGURATION)
    yard = own_yard(arguments=["--config", str(configuration)]).start()
    denied = ["other.test", "evil.allowed.test", "allowed.test"]
    asked = ASK % " ".join([*denied, "good.allowed.test", "other.test"])
    yard.create_project("strict-one")
    ended = yard.run("strict-one", buildspecOverride=spec(asked))
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    told = [
        line.split(" ")[-1]
        for line in yard.log(ended).split("\n")
        if line.startswith("[Container] ") and "The network's rules deny " in line
    ]
    # Each once, and not the one that is allowed, though nobody here knows it.
    assert told == denied
    yard.create_project("free")
    ended = yard.run("free", buildspecOverride=spec(asked))
    assert "rules deny" not in yard.log(ended)


def test_rules_that_are_none_are_refused_at_the_start(own_yard, tmp_path):
    configuration = tmp_path / "buildyard.toml"
    configuration.write_text('[egress]\nordered_rules = [{ type = "DOMAIN", effect = "ALLOW" }]\n')
    yard = own_yard(arguments=["--config", str(configuration)])
    with pytest.raises(AssertionError, match="entities"):
        yard.start()
    yard.process.wait(10)
    yard.process = None


def default_route():
    with open("/proc/net/route") as routes:
        return any(line.split()[1] == "00000000" for line in routes.readlines()[1:])
