"""Caches: what builds of a project find again, and what the log says of it."""

import json
import re

import pytest

import harness
from calls import refused
from conftest import unique
from harness import spec


@pytest.fixture
def cached(yard, bucket):
    """Makes projects with a cache in the test's bucket, and runs builds of them."""

    class Cached:
        def __init__(self, **cache):
            self.name = unique("cached")
            cache = {"type": "S3", "location": f"{bucket}/of/builds"} | cache
            yard.create_project(self.name, cache=cache)

        def run(self, *commands, cache=None, **overrides):
            text = spec(*commands, cache=cache or {"paths": ["deps/**/*"]})
            ended = yard.run(self.name, buildspecOverride=text, **overrides)
            self.lines = told(yard.log(ended))
            return ended

    return Cached


def told(log):
    """The log's lines about the cache."""
    found = [line for line in log.split("\n") if line.startswith("[Container] ")]
    texts = [line[len("[Container] 2026/01/31 23:59:59.123456 ") :] for line in found]
    about = re.compile("cache|archiving|symlinking|mkdirall", re.IGNORECASE)
    return [text for text in texts if about.search(text)]


def keys(yard, bucket):
    return [o["Key"] for o in yard.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def succeeded(build):
    assert build["buildStatus"] == "SUCCEEDED", build
    return build


# In a bucket


def test_a_cache_without_a_key_rolls_on(yard, cached, bucket):
    project = cached()
    first = succeeded(project.run("mkdir deps", "echo 1 > deps/count", "chmod 750 deps/count"))
    assert project.lines[:3] == [
        "Expanded cache path deps/**/*",
        "Downloading S3 cache...",
        "Cache miss: there is none of this project",
    ]
    assert project.lines[3] == "Uploading S3 cache..."
    assert project.lines[4].startswith("Cache saved: 1 files, 2 bytes as ")
    assert keys(yard, bucket) == [
        f"of/builds/project/{harness.REGION}/{project.name}/notes/rolling",
        f"of/builds/project/{harness.REGION}/{project.name}/rolling",
    ]
    count = ("stat -c %a deps/count", "echo $(($(cat deps/count) + 1)) > deps/count")
    second = succeeded(project.run(*count, "cat deps/count"))
    assert yard.printed(second) == "750\n\n\n2"
    hit = next(line for line in project.lines if line.startswith("Cache hit"))
    assert hit.startswith("Cache hit: 1 files, 2 bytes from ")
    assert f"saved by {first['id']} at 20" in hit
    third = succeeded(project.run("cat deps/count"))
    assert yard.printed(third) == "2"
    assert any(line.startswith("The commands ran ") for line in project.lines)


def test_paths_of_any_kind_come_back(yard, cached):
    project = cached()
    cache = {"paths": ["/root/.m2/**/*", "~/.npm/**/*", "$CODEBUILD_SRC_DIR/lib", "/opt/tool/bin"]}
    make = (
        "mkdir -p /root/.m2/a $HOME/.npm lib/empty /opt/tool/bin",
        "echo jar > /root/.m2/a/x.jar; echo tar > ~/.npm/y; echo bin > /opt/tool/bin/t",
        "chmod 755 /opt/tool/bin/t; ln -s t /opt/tool/bin/link",
    )
    succeeded(project.run(*make, cache=cache))
    look = (
        "cat /root/.m2/a/x.jar ~/.npm/y; /opt/tool/bin/t 2>/dev/null; ls -d lib/empty; "
        "readlink /opt/tool/bin/link"
    )
    seen = yard.printed(succeeded(project.run(look, cache=cache)))
    assert seen == "jar\ntar\nlib/empty\nt"


def lock(text):
    return f"echo {text} > package-lock.json"


def keyed(project, text, **more):
    cache = {"key": "npm-$(codebuild-hash-files package-lock.json)", "paths": ["node_modules"]}
    source = {"sourceTypeOverride": "S3", "sourceLocationOverride": text}
    return project.run(
        "mkdir -p node_modules; cat node_modules/x || true; echo $RANDOM$$ > node_modules/x",
        cache=cache | more,
        **source,
    )


@pytest.fixture
def source(yard, bucket):
    """Puts a source of these files into the bucket, and gives its place."""

    def put(files):
        key = unique("source") + ".zip"
        yard.s3.put_object(Bucket=bucket, Key=key, Body=harness.zipped(files))
        return f"{bucket}/{key}"

    return put


def test_a_key_is_saved_once_and_a_miss_says_which_file_changed(yard, cached, bucket, source):
    project = cached()
    one, two = source({"package-lock.json": "1"}), source({"package-lock.json": "2"})
    first = succeeded(keyed(project, one))
    saved = keys(yard, bucket)
    again = succeeded(keyed(project, one))
    assert yard.printed(again).strip() != ""
    assert any("is there already" in line for line in project.lines), project.lines
    assert keys(yard, bucket) == saved
    third = succeeded(keyed(project, two))
    miss = next(line for line in project.lines if line.startswith("Cache miss"))
    assert "package-lock.json changed since npm-" in miss
    assert f"was saved by {first['id']} at " in miss
    assert "No such file" in yard.printed(third)
    assert len(keys(yard, bucket)) == len(saved) + 2


def test_fallback_keys_are_tried_in_order_the_newest_first(yard, cached, source):
    project = cached()
    for text in ("1", "2"):
        succeeded(keyed(project, source({"package-lock.json": text})))
    fallback = {"fallback-keys": ["yarn-", "npm-"], "action": "restore"}
    succeeded(keyed(project, source({"package-lock.json": "3"}), **fallback))
    assert "Cache miss: no key begins with yarn-" in project.lines
    hit = next(line for line in project.lines if line.startswith("Cache hit"))
    newest = keyed(project, source({"package-lock.json": "2"}), action="restore")
    assert succeeded(newest)
    exact = next(line for line in project.lines if line.startswith("Cache hit: key npm-"))
    assert hit.split(" by fallback key npm-")[0] == exact.split(": 2 files")[0]
    assert not any("Uploading" in line for line in project.lines)


def test_a_namespace_shares_a_key_and_other_paths_are_another_cache(yard, cached):
    shared = {"cacheNamespace": unique("team")}
    one, two, three = cached(**shared), cached(**shared), cached()
    cache = {"key": "k/1 ü", "paths": ["deps"]}
    succeeded(one.run("mkdir deps; echo one > deps/x", cache=cache))
    look = "cat deps/x || echo none"
    assert yard.printed(two.run(look, cache=cache)) == "one"
    assert yard.printed(three.run(look, cache=cache)).endswith("none")
    other = two.run(look, cache={"key": "k/1 ü", "paths": ["deps", "more"]})
    assert yard.printed(other).endswith("none")
    miss = next(line for line in two.lines if line.startswith("Cache miss"))
    assert miss.endswith("of other paths: deps")


def test_a_failed_build_saves_nothing(yard, cached, bucket):
    project = cached()
    ended = project.run("mkdir deps; echo > deps/x", "false")
    assert ended["buildStatus"] == "FAILED"
    assert "Skip cache upload: the build did not succeed" in project.lines
    assert keys(yard, bucket) == []


def test_a_cache_of_common_folders_when_no_paths_are_named(yard, cached):
    project = cached()
    make = "mkdir -p ~/.m2/repository/org; echo jar > ~/.m2/repository/org/x.jar"
    first = yard.run(project.name, buildspecOverride=spec(make))
    assert any(line.startswith("Cache saved: 2 files") for line in told(yard.log(first)))
    second = yard.run(project.name, buildspecOverride=spec("cat ~/.m2/repository/org/x.jar"))
    assert yard.printed(second) == "jar"


def test_a_broken_cache_is_a_line_and_never_a_failed_build(yard, cached, bucket):
    project = cached()
    succeeded(project.run("mkdir deps; seq 1 2000000 > deps/x"))
    key = f"of/builds/project/{harness.REGION}/{project.name}/rolling"
    body = yard.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    for damaged in (body[: len(body) // 2], b"-", b"no cache at all" * 10_000):
        yard.s3.put_object(Bucket=bucket, Key=key, Body=damaged)
        ended = succeeded(
            project.run("ls deps || echo none", cache={"paths": ["deps"], "action": "restore"})
        )
        assert yard.printed(ended).endswith("none")
        assert "Unable to download cache: the cache is damaged: it has no index" in project.lines
    succeeded(project.run("mkdir deps; echo > deps/x"))
    succeeded(project.run("ls deps"))
    assert any(line.startswith("Cache hit") for line in project.lines)


def test_a_bucket_that_is_not_there_is_a_line(yard, cached):
    project = cached(location=unique("absent"))
    succeeded(project.run("mkdir deps; echo > deps/x"))
    unable = [line for line in project.lines if line.startswith("Unable to ")]
    assert len(unable) == 2 and all("NoSuchBucket" in line for line in unable), project.lines


def test_an_override_chooses_the_cache(yard, cached, bucket):
    project = cached(type="NO_CACHE")
    given = {"type": "S3", "location": bucket}
    ended = succeeded(project.run("mkdir deps; echo 1 > deps/x", cacheOverride=given))
    assert ended["cache"] == given
    assert keys(yard, bucket)[0].startswith("project/")
    project.run("ls deps || echo none")
    assert project.lines == []
    back = project.run("cat deps/x", cacheOverride=given)
    assert yard.printed(back) == "1"


def test_an_invalidated_cache_counts_no_more(yard, cached, bucket):
    project = cached()
    succeeded(project.run("mkdir deps; echo 1 > deps/x"))
    yard.codebuild.invalidate_project_cache(projectName=project.name)
    ended = succeeded(project.run("ls deps || echo none", "mkdir deps; echo 2 > deps/x"))
    assert "none" in yard.printed(ended)
    assert any("the cache was invalidated at 20" in line for line in project.lines)
    assert yard.printed(succeeded(project.run("cat deps/x"))) == "2"
    arn = f"arn:aws:codebuild:{harness.REGION}:{harness.ACCOUNT}:project/absent"
    refused(
        yard.codebuild.invalidate_project_cache,
        "ResourceNotFoundException",
        arn,
        projectName="absent",
    )


def test_the_cli_invalidates_a_cache(yard, cached):
    project = cached()
    yard.aws("codebuild", "invalidate-project-cache", "--project-name", project.name)


# On the machine

LOCAL = {"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]}


def test_a_local_cache_is_a_folder_that_is_linked(yard, cached):
    project = cached(**LOCAL, location="")
    cache = {"paths": ["deps/**/*", "/root/.m2/**/*"]}
    first = succeeded(project.run("echo 1 > deps/x; echo jar > ~/.m2/x.jar", cache=cache))
    links = [line for line in project.lines if line.startswith("Symlinking: ")]
    assert re.fullmatch(
        r"Symlinking: /codebuild/output/src\d+/src/deps => "
        r"/codebuild/local-cache/custom/[0-9a-f]{64}/deps",
        links[0],
    )
    assert links[1].startswith("Symlinking: /root/.m2 => /codebuild/local-cache/custom/")
    assert "Local cache: empty, as no build of the project has used it" in project.lines
    second = succeeded(project.run("cat deps/x ~/.m2/x.jar; test -L deps", cache=cache))
    assert yard.printed(second) == "1\njar"
    assert any(line.startswith("Local cache: as a build left it at 20") for line in project.lines)
    assert first["cache"]["modes"] == LOCAL["modes"]


def test_another_user_writes_to_a_local_cache(yard, cached):
    """Also to what root has written there, and beside a link that leads there."""
    project = cached(**LOCAL, location="")
    paths = ["deps/**/*", "/home/codebuild-user/.cache/tool/**/*"]
    first = [
        "mkdir -p deps/sub; echo 1 > deps/sub/x",
        "echo 2 > /home/codebuild-user/.cache/tool/y",
    ]
    succeeded(project.run(*first, cache={"paths": paths}))
    text = {
        "version": 0.2,
        "phases": {
            "build": {
                "run-as": "codebuild-user",
                "commands": [
                    "id -un; echo 3 >> deps/sub/x; echo 4 >> ~/.cache/tool/y",
                    "mkdir ~/.cache/other deps/new; chmod 700 deps/new; rm -r deps/new",
                ],
            },
            "post_build": {"commands": ["echo 5 >> deps/sub/x; stat -c %U ~codebuild-user/.cache"]},
        },
        "cache": {"paths": paths},
    }
    second = yard.run(project.name, buildspecOverride=json.dumps(text))
    printed = yard.printed(succeeded(second)).split()
    assert printed == ["codebuild-user", "codebuild-user"]
    third = project.run("cat deps/sub/x ~codebuild-user/.cache/tool/y", cache={"paths": paths})
    assert yard.printed(succeeded(third)).split() == ["1", "3", "5", "2", "4"]


def test_builds_at_once_have_local_caches_of_their_own(yard, cached):
    project = cached(**LOCAL, location="")
    text = spec(
        "echo mine >> deps/x",
        "until [ -e deps/go ]; do sleep 0.05; done",
        cache={"paths": ["deps"]},
    )
    builds = [yard.start_build(project.name, buildspecOverride=text)["id"] for _ in range(2)]
    for build in builds:
        yard.wait_for_log(build, "Running command until")
    logs = [told(yard.log(yard.build(build))) for build in builds]
    states = sorted(line for log in logs for line in log if line.startswith("Local cache"))
    assert states == [
        "Local cache: empty, as 1 build(s) of the project that run now have the others",
        "Local cache: empty, as no build of the project has used it",
    ]
    for build in builds:
        yard.codebuild.stop_build(id=build)
        yard.ended(build)
    after = succeeded(project.run("cat deps/x", cache={"paths": ["deps"]}))
    assert yard.printed(after) == "mine"


def test_a_build_does_not_reach_another_projects_local_cache(yard, cached):
    one, two = cached(**LOCAL, location=""), cached(**LOCAL, location="")
    cache = {"paths": ["deps"]}
    succeeded(one.run("echo secret > deps/x", cache=cache))
    seen = two.run(
        "ls deps; cd /codebuild/local-cache; grep -rI secret . || echo none; ls custom",
        cache=cache,
    )
    printed = yard.printed(succeeded(seen)).split("\n")
    assert printed[0] == "none" and len(printed) == 2


def test_local_caches_outlive_the_service_and_stay_within_their_limit(own_yard, tmp_path):
    configuration = tmp_path / "buildyard.toml"
    configuration.write_text("[caches]\nlocal_gib_max = 0\n")
    yard = own_yard(arguments=["--config", str(configuration)]).start()
    yard.create_project("cached", cache=LOCAL)
    text = spec("cat deps/x || echo none; echo 1 > deps/x", cache={"paths": ["deps"]})
    printed = yard.printed(yard.run("cached", buildspecOverride=text))
    assert printed.endswith("none")

    def evicted():
        ended = yard.run("cached", buildspecOverride=text)
        return any(
            line.startswith("Local cache: empty, as it was evicted at 20")
            for line in told(yard.log(ended))
        )

    harness.wait_for(evicted, "the cache to be evicted")
    configuration.write_text("")
    yard.stop()
    yard.start()
    harness.wait_for(
        lambda: yard.printed(yard.run("cached", buildspecOverride=text)) == "1", "the cache to stay"
    )
    yard.kill()
    yard.start()
    assert yard.printed(yard.run("cached", buildspecOverride=text)) == "1"


def test_a_build_keeps_its_local_cache_while_the_service_is_away(own_yard):
    yard = own_yard().start()
    yard.create_project("cached", cache=LOCAL)
    text = spec(
        "until [ -e deps/go ]; do sleep 0.05; done; echo 1 > deps/x", cache={"paths": ["deps"]}
    )
    build = yard.start_build("cached", buildspecOverride=text)["id"]
    yard.wait_for_log(build, "Running command until")
    yard.kill()
    yard.start()
    (folder,) = yard.data_dir.glob("caches/*/0/content/custom/*/deps")
    (folder / "go").write_text("")
    succeeded(yard.ended(build))
    look = spec("cat deps/x", cache={"paths": ["deps"]})
    assert yard.printed(yard.run("cached", buildspecOverride=look)) == "1"


def test_a_mode_that_cannot_work_here_says_so(yard, cached):
    project = cached(type="LOCAL", modes=["LOCAL_DOCKER_LAYER_CACHE"], location="")
    ended = succeeded(project.run("ls deps || echo none"))
    assert yard.printed(ended).endswith("none")
    skipped = "Skipping the Docker layer cache: it needs privileged mode"
    assert any(line.startswith(skipped) for line in project.lines), project.lines


def test_a_source_cache_does_nothing_for_a_source_that_is_no_repository(yard, cached):
    project = cached(type="LOCAL", modes=["LOCAL_SOURCE_CACHE"], location="")
    ended = succeeded(project.run("ls deps || echo none"))
    assert yard.printed(ended).endswith("none")


# The programs for keys


def test_files_are_hashed_and_found(yard, build, project):
    ended = build(
        "mkdir -p a/b; echo 1 > a/one.lock; echo 2 > a/b/two.lock; echo 3 > three",
        "cd /; codebuild-glob-search '**/*.lock' three",
        "codebuild-hash-files '**/*.lock'",
        "codebuild-hash-files 'a/**/*'; echo 2b > $CODEBUILD_SRC_DIR/a/b/two.lock",
        "codebuild-hash-files '**/*.lock'",
        "codebuild-hash-files none || echo status $?",
    )
    lines = [line for line in yard.printed(ended).split("\n") if line]
    assert lines[:3] == ["a/b/two.lock", "a/one.lock", "three"]
    assert lines[3] == lines[4] != lines[5]
    assert re.fullmatch("[0-9a-f]{64}", lines[3])
    assert lines[6:] == ["codebuild-hash-files: no file matches none", "status 1"]


def test_tests_run_with_the_files_that_a_search_finds(yard, build):
    ended = build(
        "touch test_a test_b",
        'run() { codebuild-tests-run --test-command "$1" --files-search "$2"; }\n'
        "run 'echo run' \"codebuild-glob-search 'test_*'\"\n"
        "run 'exit 3; :' 'echo x' || echo status $?",
        "codebuild-tests-run --nothing || echo status $?",
    )
    printed = yard.printed(ended)
    assert "run test_a test_b" in printed
    assert "status 3" in printed and "status 2" in printed
