"""How long a build's source takes from a Git host, beside `git clone` as another build's command.

    target/venv/bin/python bench/clones.py [--rounds N] [--files N] [--program FILE]

The host is the tests' own: nginx before `git http-backend`, in a network of its own. It needs root.
"""

import argparse
import os
import pathlib
import random
import statistics
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

# What a clone is told, by the depth of a build's source; none is the whole history.
DEPTHS = {1: "--depth 1", 25: "--depth 25", None: ""}
COMMITS = 200
TOOL = """
b=$(date +%s%N); git clone --quiet {depth} {url} /var/tmp/clone; echo took $(($(date +%s%N) - b))
"""


def main():
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("--rounds", type=int, default=9)
    words.add_argument("--files", type=int, default=3_000)
    words.add_argument("--program", type=pathlib.Path, default=ROOT / "target/release/buildyard")
    words = words.parse_args()
    os.environ["BUILDYARD_BIN"] = str(words.program.resolve())
    import git_host
    import harness

    if why := git_host.missing():
        sys.exit(why)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        folder = pathlib.Path(folder)
        host = git_host.GitHost(folder / "host", 9).start()
        config = folder / "buildyard.toml"
        config.write_text(f'[builds]\nnetwork_allow = ["{host.address}"]\n')
        yard = harness.Service(folder / "data", arguments=["--config", config]).start()
        try:
            grow(host.repository("open/app", {}), words.files)
            measure(yard, f"{host.url}/open/app", words.rounds)
        finally:
            yard.stop()
            host.stop()


def grow(repository, files):
    """Fills a repository with texts of many lengths, and a history of changes to some of them."""
    chance = random.Random(1)
    vocabulary = ["".join(chance.choices("abcdefghijklmnop", k=7)) for _ in range(2_000)]

    def text():
        return " ".join(chance.choices(vocabulary, k=chance.choice((20, 100, 400, 2_000))))

    names = [f"d{number % 97}/e{number % 7}/f{number}" for number in range(files)]
    repository.commit({name: text() for name in names})
    for _ in range(COMMITS):
        repository.commit({name: text() for name in chance.sample(names, 10)})
    repository.git("gc", "--quiet")


def measure(yard, url, rounds):
    """Runs builds of every depth in turn, and prints a line for each."""
    import harness

    def ours(depth, _):
        build = yard.run(
            "ours", buildspecOverride=harness.spec(":"), gitCloneDepthOverride=depth or 0
        )
        assert build["buildStatus"] == "SUCCEEDED", yard.log(build)
        phases = {phase["phaseType"]: phase for phase in build["phases"]}
        phase = phases["DOWNLOAD_SOURCE"]
        return (phase["endTime"] - phase["startTime"]).total_seconds() * 1_000

    def tools(_, words):
        commands = TOOL.format(depth=words, url=url)
        build = yard.run("tools", buildspecOverride=harness.spec(commands))
        assert build["buildStatus"] == "SUCCEEDED", yard.log(build)
        line = next(line for line in yard.log(build).splitlines() if line.startswith("took "))
        return int(line.split()[1]) / 1e6

    yard.create_project("ours", source={"type": "GITHUB", "location": url})
    yard.create_project("tools", source={"type": "NO_SOURCE", "buildspec": harness.spec(":")})
    times = {(kind, depth): [] for kind in (ours, tools) for depth in DEPTHS}
    # The first round does not count: caches are cold. Each is the first thing of its build, and
    # they take turns at being the first of the two.
    for number in range(rounds + 1):
        for depth, words in DEPTHS.items():
            for kind in (ours, tools) if number % 2 else (tools, ours):
                taken = kind(depth, words)
                if number:
                    times[kind, depth].append(taken)
    for depth, words in DEPTHS.items():
        own, theirs = times[ours, depth], times[tools, depth]
        mine, tool = statistics.median(own), statistics.median(theirs)
        print(
            f"source by Git, {words or 'whole'}: {mine:.0f} ms "
            f"({min(own):.0f} to {max(own):.0f}); "
            f"git clone: {tool:.0f} ms ({min(theirs):.0f} to {max(theirs):.0f}); "
            f"ratio {mine / tool:.2f} ({rounds} runs)",
            flush=True,
        )


if __name__ == "__main__":
    main()
