"""The console: what a browser is sent, by a client that is one as far as it matters."""

import html
import json
import re
import threading
import urllib.parse

import pytest
import urllib3

import harness
from conftest import unique
from harness import spec, wait_for


class Browser:
    """Keeps a cookie, follows no link by itself, and sends forms as browsers do."""

    def __init__(self, yard):
        self.yard = yard
        self.http = urllib3.PoolManager()
        self.cookie = None

    def ask(self, method, path, fields=None, **more):
        headers = more.pop("headers", {})
        if self.cookie:
            headers["cookie"] = self.cookie
        body = None
        if fields is not None:
            body = urllib.parse.urlencode(fields)
            headers["content-type"] = "application/x-www-form-urlencoded"
            headers.setdefault("origin", self.yard.url)
        answer = self.http.request(
            method,
            self.yard.url + path,
            body=body,
            headers=headers,
            redirect=False,
            timeout=20,
            **more,
        )
        if given := answer.headers.get("set-cookie"):
            self.cookie = given.split(";")[0]
        return answer

    def get(self, path, status=200):
        answer = self.ask("GET", path)
        assert answer.status == status, (path, answer.status, answer.data[:300])
        return answer.data.decode()

    def get_json(self, path):
        return json.loads(self.get(path))

    def token(self):
        page = self.get("/console")
        return re.search(r'name="form-token" value="([0-9a-f]+)"', page).group(1)

    def send(self, path, status=303, **fields):
        pairs = [("form-token", self.token())]
        for name, value in fields.items():
            values = value if isinstance(value, list) else [value]
            pairs += [(name, value) for value in values]
        answer = self.ask("POST", path, pairs)
        assert answer.status == status, (path, answer.status, answer.data[:2000])
        return answer

    def sign_in(self, to="/console"):
        fields = {
            "key": self.yard.access_key,
            "secret": self.yard.secret_key,
            "region": harness.REGION,
            "to": to,
        }
        answer = self.ask("POST", "/console/sign-in", fields)
        assert answer.status == 303, answer.data[:300]
        return answer


@pytest.fixture
def browser(yard):
    browser = Browser(yard)
    browser.sign_in()
    return browser


def project_of(yard, *commands):
    """A project's name, whose builds run these commands."""
    name = unique("console")
    yard.create_project(name, source={"type": "NO_SOURCE", "buildspec": spec(*commands)})
    return name


def make_bucket(s3, name):
    where = {"LocationConstraint": harness.REGION}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)


def path_of(build):
    return "/console/builds/" + build["id"].replace(":", "/")


def test_nobody_sees_a_page_without_signing_in(yard):
    browser = Browser(yard)
    for path in ["/console", "/console/projects", "/console/objects/x/get?key=y", "/console/check"]:
        method = "POST" if path.endswith("check") else "GET"
        answer = browser.ask(method, path, {} if method == "POST" else None)
        assert answer.status == 303
        assert answer.headers["location"].startswith("/console/sign-in?to=%2Fconsole")
    browser.cookie = "buildyard-session=AKIA.99999999999.us-east-1.x." + "0" * 64
    assert browser.ask("GET", "/console").status == 303


def test_a_wrong_secret_is_refused_and_never_sent_back(yard):
    browser = Browser(yard)
    fields = {"key": yard.access_key, "secret": "guess-me-not", "region": harness.REGION}
    answer = browser.ask("POST", "/console/sign-in", fields)
    assert answer.status == 403 and browser.cookie is None
    assert b"guess-me-not" not in answer.data and b"There is no such access key" in answer.data


def test_the_session_is_a_cookie_that_scripts_and_other_sites_cannot_have(yard):
    browser = Browser(yard)
    answer = browser.sign_in(to="https://example.com/")
    assert answer.headers["location"] == "/console"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Max-Age=43200" in cookie
    assert yard.secret_key not in cookie
    other = browser.ask(
        "POST",
        "/console/sign-out",
        {"form-token": browser.token()},
        headers={"origin": "http://evil"},
    )
    assert other.status == 403
    assert browser.ask("POST", "/console/sign-out", {"form-token": "0" * 32}).status == 403
    browser.send("/console/sign-out")
    assert browser.ask("GET", "/console").status == 303


def test_pages_may_load_nothing_from_elsewhere(browser):
    for path in ["/console", "/console/sign-in", "/console/projects"]:
        answer = browser.ask("GET", path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        page = answer.data.decode()
        assert not re.search(r"<script(?! src=\"/console/assets/)", page)
        assert not re.search(r"\son\w+=|style=", page)
        assert not re.search(r"(?:src|href)=\"https?://", page)


def test_pages_are_compressed_and_each_has_a_token_of_its_own(browser):
    answer = browser.ask(
        "GET",
        "/console/projects/new",
        headers={"accept-encoding": "gzip"},
        preload_content=False,
    )
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.read(decode_content=False)) < 6_000
    # What is the same on two pages could be told from how long they are.
    one, other = browser.token(), browser.token()
    assert one != other
    for token in (one, other):
        fields = {"form-token": token, "buildspec": ""}
        assert browser.ask("POST", "/console/check", fields).status == 200
    damaged = one[:-1] + ("0" if one[-1] != "0" else "1")
    assert browser.ask("POST", "/console/check", {"form-token": damaged}).status == 403


def test_assets_are_small_and_kept(browser):
    page = browser.get("/console")
    total = 0
    for path in set(re.findall(r"/console/assets/[^\"]+", page)):
        answer = browser.ask(
            "GET", path, headers={"accept-encoding": "gzip"}, preload_content=False
        )
        total += len(answer.read(decode_content=False))
        assert "immutable" in answer.headers["cache-control"]
    assert 0 < total < 30_000
    assert browser.ask("GET", "/console/assets/x/nothing.js").status == 404


def test_a_bucket_called_console_is_still_a_bucket(yard):
    s3 = yard.client("s3")
    make_bucket(s3, "console")
    s3.put_object(Bucket="console", Key="projects", Body=b"an object")
    assert s3.get_object(Bucket="console", Key="projects")["Body"].read() == b"an object"
    s3.delete_object(Bucket="console", Key="projects")
    s3.delete_bucket(Bucket="console")


def test_every_page_answers(browser, yard):
    project = project_of(yard, "echo hello")
    build = yard.run(project)
    group = urllib.parse.quote(build["logs"]["groupName"], safe="")
    stream = urllib.parse.quote(build["logs"]["streamName"], safe="")
    for path, says in [
        ("/console", "The yard"),
        ("/console/projects", project),
        ("/console/projects?find=CONSOLE-", project),
        ("/console/projects?find=nowhere-to-be-found", "has “nowhere-to-be-found”"),
        (f"/console/projects/{project}", "Build 1"),
        (f"/console/projects/{project}/edit", "Settings of"),
        (f"/console/projects/{project}/start", "Start a build of"),
        (f"/console/projects/{project}/delete", "Delete"),
        ("/console/projects/new", "New project"),
        ("/console/builds", project),
        (path_of(build), "Build 1 succeeded"),
        ("/console/logs", html.escape(build["logs"]["groupName"])),
        (f"/console/logs/group?group={group}", build["logs"]["streamName"]),
        (f"/console/logs/stream?group={group}&stream={stream}", "hello"),
        ("/console/objects", "Buckets"),
        ("/console/settings", "Builds"),
        ("/console/settings/cli", f"AWS_ENDPOINT_URL={yard.url}"),
    ]:
        assert says in browser.get(path), path
    for path in ["/console/nowhere", "/console/projects/nobody", "/console/builds/a/b"]:
        assert browser.ask("GET", path).status == 404, path


def test_a_project_is_made_changed_and_deleted(browser, yard):
    name = unique("made")
    fields = {
        "/name": name,
        "/description": "Made by hand",
        "/source/type": "NO_SOURCE",
        "/source/buildspec": spec("echo $WHO"),
        "/environment/type": "LINUX_CONTAINER",
        "/environment/computeType": "BUILD_GENERAL1_SMALL",
        "/environment/image": "host",
        "/artifacts/type": "NO_ARTIFACTS",
        "/cache/type": "LOCAL",
        "/cache/modes": "LOCAL_CUSTOM_CACHE, LOCAL_SOURCE_CACHE",
        "/serviceRole": "arn:aws:iam::000000000000:role/builds",
        "/timeoutInMinutes": "7",
        "variable-name": ["WHO", ""],
        "variable-value": ["me", ""],
        "variable-type": ["PLAINTEXT", "PLAINTEXT"],
        "rest": '{"tags": [{"key": "team", "value": "a"}]}',
    }
    wrong = dict(fields) | {"/timeoutInMinutes": "seven"}
    refused = browser.send("/console/projects/new", status=400, **wrong).data.decode()
    assert 'role="alert"' in refused and 'value="seven"' in refused
    browser.send("/console/projects/new", **fields)
    codebuild = yard.client("codebuild")
    [made] = codebuild.batch_get_projects(names=[name])["projects"]
    assert made["description"] == "Made by hand" and made["timeoutInMinutes"] == 7
    assert made["cache"]["modes"] == ["LOCAL_CUSTOM_CACHE", "LOCAL_SOURCE_CACHE"]
    assert made["tags"] == [{"key": "team", "value": "a"}]
    page = browser.get(f"/console/projects/{name}/edit")
    assert "Made by hand" in page and "LOCAL_CUSTOM_CACHE, LOCAL_SOURCE_CACHE" in page
    changed = {key: value for key, value in fields.items() if key != "/name"}
    changed |= {"/description": "", "/environment/privilegedMode": "", "rest": ""}
    changed["/timeoutInMinutes"] = "9"
    del changed["/environment/privilegedMode"]
    browser.send(f"/console/projects/{name}/edit", **changed)
    [made] = codebuild.batch_get_projects(names=[name])["projects"]
    assert not made.get("description") and made["timeoutInMinutes"] == 9
    assert not made.get("tags")
    browser.send(f"/console/projects/{name}/delete")
    assert codebuild.batch_get_projects(names=[name])["projects"] == []


def test_a_buildspec_is_checked_while_it_is_written(browser):
    text = "version: 0.2\nphases:\n  build:\n    comands:\n      - make; make test\n"
    found = json.loads(browser.send("/console/check", status=200, buildspec=text).data)
    assert any(problem["line"] == 4 and problem["help"] for problem in found), found
    assert json.loads(browser.send("/console/check", status=200, buildspec="a/path.yml").data) == []


def test_a_build_is_started_with_changes_stopped_and_retried(browser, yard):
    project = project_of(yard, "echo said $WORD; sleep 60")
    fields = {"variable-name": ["WORD"], "variable-value": ["it"], "timeout": "5"}
    where = browser.send(f"/console/projects/{project}/start", **fields).headers["location"]
    build_id = where.removeprefix("/console/builds/").replace("/", ":")
    yard.wait_for_log(build_id, "said it")
    assert "is running" in browser.get(where)
    browser.send(where + "/stop")
    build = yard.ended(build_id)
    assert build["buildStatus"] == "STOPPED" and build["timeoutInMinutes"] == 5
    assert "was stopped" in browser.get(where)
    again = browser.send(where + "/retry").headers["location"]
    assert again != where and "Build 2" in browser.get(again)
    assert 'value="WORD"' in browser.get(f"/console/projects/{project}/start?again={where}")
    browser.send(again + "/stop")
    refused = browser.send(f"/console/projects/{project}/start", status=400, timeout="soon")
    assert b'role="alert"' in refused.data


def test_lines_of_a_log_are_found_by_number_and_by_text(browser, yard):
    commands = ["i=0; while [ $i -lt 700 ]; do echo line number $i; i=$((i+1)); done", "exit 3"]
    build = yard.run(project_of(yard, *commands))
    path = path_of(build)
    first = browser.get_json(f"{path}/lines?first=0&limit=2000")
    assert first["first"] == 0 and len(first["lines"]) == 500 and first["count"] > 700
    found = browser.get_json(f"{path}/find?text=NUMBER%20699")
    assert found["is_all"] and len(found["lines"]) == 1
    [at] = found["lines"]
    [line] = browser.get_json(f"{path}/lines?first={at}&limit=1")["lines"]
    assert line == {"kind": "", "html": "line number 699"}
    text = browser.get(f"{path}/log.txt").splitlines()
    assert len(text) == first["count"] and text[at] == "line number 699"
    page = browser.get(path)
    failed = int(re.search(r"Line (\d+) of the log", page).group(1))
    assert text[failed - 1].endswith("Running command exit 3")
    outline = json.loads(html.unescape(re.search(r'data-outline="([^"]*)"', page).group(1)))
    places = {phase["name"]: phase["line"] for phase in outline["phases"]}
    assert places["DOWNLOAD_SOURCE"] == 0
    assert text[places["BUILD"]].endswith("Entering phase BUILD")
    assert [command["exit"] for command in outline["commands"]] == [0, 3]


def test_what_a_log_says_is_only_text(browser, yard):
    hostile = [
        "printf '<script>alert(1)</script>\\n'",
        "printf '\\033]8;;javascript:alert(1)\\033\\\\click\\033]8;;\\033\\\\\\n'",
        "printf '\\033[2J\\033[31mred\\033[0m \\377\\376 \\342\\200\\256moc\\n'",
        "head -c 100000 /dev/zero | tr '\\0' x; echo",
        "printf '10%%\\r100%%\\n'",
    ]
    variables = [{"name": "<b>NAME", "value": "x"}]
    project = project_of(yard, *hostile)
    build = yard.run(project, sourceVersion="<img src=x>")
    path = path_of(build)
    shown = [line["html"] for line in browser.get_json(f"{path}/lines?limit=500")["lines"]]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "click" in shown
    assert '<span class="c1">red</span> \ufffd\ufffd \ufffdmoc' in shown
    assert any(
        line.startswith("xxx") and "more</i>" in line and len(line) < 9_000 for line in shown
    )
    assert "100%" in shown
    page = browser.get(path)
    assert "<img src=x>" not in page and "<script>alert" not in page
    assert variables


def test_a_page_is_told_what_is_new(browser, yard):
    commands = ["echo begun", "while [ ! -e /tmp/go ]; do sleep 0.05; done", "echo ended"]
    gate = ["( sleep 1; touch /tmp/go ) &"]
    project = project_of(yard, *gate, *commands)
    build = yard.start_build(project)
    events = []

    text = []

    def listen():
        answer = browser.ask("GET", path_of(build) + "/news?first=0", preload_content=False)
        text.extend(answer.stream(1_024))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    yard.ended(build["id"])
    listener.join(20)
    assert not listener.is_alive(), "the news do not end with the build"
    for event in b"".join(text).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in event.splitlines() if ": " in line)
        if "event" in fields:
            events.append((fields["event"], json.loads(fields["data"])))
    lines = [line["html"] for kind, data in events if kind == "lines" for line in data["lines"]]
    assert "begun" in lines and "ended" in lines
    counts = [data["count"] for kind, data in events if kind == "lines"]
    assert counts == sorted(counts) and counts[-1] == len(lines)
    standings = [data for kind, data in events if kind == "standing"]
    assert standings[-1]["ended"] and standings[-1]["mark"] == "succeeded"
    assert any(not standing["ended"] for standing in standings)


def test_objects_are_browsed_and_kept_as_files(browser, yard):
    s3 = yard.client("s3")
    bucket = unique("browsed")
    make_bucket(s3, bucket)
    s3.put_object(Bucket=bucket, Key="a folder/page.html", Body=b"<script>alert(1)</script>")
    page = browser.get(f"/console/objects/{bucket}")
    assert "a folder/" in page
    page = browser.get(f"/console/objects/{bucket}?prefix=a%20folder%2F")
    link = html.unescape(re.search(r'href="([^"]*/get\?key=[^"]*)"', page).group(1))
    answer = browser.ask("GET", link)
    assert answer.data == b"<script>alert(1)</script>"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert browser.ask("GET", f"/console/objects/{bucket}/get?key=nothing").status == 404
    assert browser.ask("GET", "/console/objects/nobodys").status == 404


def test_a_session_outlives_the_service(own_yard):
    yard = own_yard().start()
    browser = Browser(yard)
    browser.sign_in()
    yard.stop()
    yard.start()
    wait_for(lambda: browser.ask("GET", "/console").status == 200, "a page")
