"""Builds whose secrets and parameters another service keeps: a second service plays AWS."""

import http.client
import http.server
import ssl
import subprocess
import threading

import pytest

import harness
from conftest import unique
from harness import REGION, spec

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAUPSTREAM00000000", "AWS_SECRET_ACCESS_KEY": "upstream/secret+key"}
WRONG = {**KEYS, "AWS_SECRET_ACCESS_KEY": "another"}


@pytest.fixture
def aws(own_yard):
    """The service that plays AWS, with a secret and a parameter."""
    variables = {f"BUILDYARD_ROOT_{name.removeprefix('AWS_')}": key for name, key in KEYS.items()}
    service = own_yard(variables=variables)
    service.access_key, service.secret_key = (
        KEYS["AWS_ACCESS_KEY_ID"],
        KEYS["AWS_SECRET_ACCESS_KEY"],
    )
    service.start()
    service.secrets.create_secret(Name="ci/db", SecretString='{"password": "upstream-password"}')
    service.secrets.create_secret(Name="prod/db", SecretString="upstream-closed")
    service.parameters.put_parameter(
        Name="/ci/key", Value="upstream-parameter", Type="SecureString"
    )
    service.parameters.put_parameter(Name="/prod/key", Value="upstream-closed", Type="String")
    return service


@pytest.fixture
def asking(own_yard, tmp_path):
    """Starts a service that asks another: `asking("endpoint = …", AWS_ACCESS_KEY_ID=…)`."""

    def start(settings, readable='["*"]', **variables):
        config = tmp_path / f"{unique('asking')}.toml"
        config.write_text(
            f"[secrets]\nreadable = {readable}\n[secrets.upstream]\n{settings}\n"
            f"[parameters]\nreadable = {readable}\n[parameters.upstream]\n{settings}\n"
        )
        yard = own_yard(arguments=["--config", config], variables=variables).start()
        yard.create_project("demo")
        return yard

    return start


ENV = {
    "secrets-manager": {"S": "ci/db:password"},
    "parameter-store": {"P": "/ci/key"},
}


def run(yard, env=None, *commands):
    commands = commands or ("echo $S | rev; echo $P | rev; echo $S $P",)
    return yard.run("demo", buildspecOverride=spec(*commands, env=env or ENV))


def reached(yard, build):
    """Whether the build had the upstream's values, and nobody else."""
    printed = yard.printed(build).split()
    assert "upstream-" not in yard.log(build)
    return printed == ["drowssap-maertspu", "retemarap-maertspu", "***", "***"]


def test_builds_read_from_the_upstream_and_people_do_not(aws, asking):
    yard = asking(f'endpoint = "{aws.url}"', **KEYS)
    yard.secrets.create_secret(Name="ci/db", SecretString='{"password": "local-password"}')
    assert reached(yard, run(yard))
    local = yard.secrets.get_secret_value(SecretId="ci/db")["SecretString"]
    assert local == '{"password": "local-password"}'
    assert harness.kept_in_clear(yard, "upstream-p") == []
    assert harness.kept_in_clear(yard, KEYS["AWS_SECRET_ACCESS_KEY"]) == []


def test_the_region_is_the_settings_or_the_builds(aws, asking):
    yard = asking(f'endpoint = "{aws.url}"\nregion = "eu-west-1"', **KEYS)
    ended = run(yard)
    code, message = harness.context(ended, "DOWNLOAD_SOURCE")
    assert (code, message) == ("Decrypted Variables Error", "parameter does not exist: /ci/key")
    elsewhere = aws.client("ssm", region="eu-west-1")
    elsewhere.put_parameter(Name="/ci/key", Value="upstream-parameter", Type="String")
    elsewhere = aws.client("secretsmanager", region="eu-west-1")
    elsewhere.create_secret(Name="ci/db", SecretString='{"password": "upstream-password"}')
    assert reached(yard, run(yard))


def test_a_file_of_credentials_is_read_anew_for_each_request(aws, asking, tmp_path):
    file = tmp_path / "credentials"

    def write(keys):
        section = "\n".join(f"{name.lower()} = {value}" for name, value in keys.items())
        file.write_text(f"[default]\naws_access_key_id = nobody\n\n[ci]\n{section}\n")

    write(WRONG)
    yard = asking(f'endpoint = "{aws.url}"\ncredentials_file = "{file}"\nprofile = "ci"')
    ended = run(yard, {"secrets-manager": ENV["secrets-manager"]})
    code, message = harness.context(ended, "DOWNLOAD_SOURCE")
    assert code == "Secrets Manager Error"
    assert message.startswith("InvalidSignatureException: ")
    write(KEYS)
    assert reached(yard, run(yard))


def test_refusals_of_the_upstream_end_the_phase(aws, asking):
    yard = asking(f'endpoint = "{aws.url}"', **KEYS)
    ended = run(yard, {"secrets-manager": {"S": "no/such"}})
    code, message = harness.context(ended, "DOWNLOAD_SOURCE")
    assert (ended["buildStatus"], code) == ("FAILED", "Secrets Manager Error")
    assert "ResourceNotFoundException: Secrets Manager can't find the specified secret." in message


def test_what_builds_may_not_read_is_not_asked_for(aws, asking):
    yard = asking(f'endpoint = "{aws.url}"', readable='["ci/*", "/ci/*"]', **KEYS)
    assert reached(yard, run(yard))
    for section, name in (("secrets-manager", "prod/db"), ("parameter-store", "/prod/key")):
        ended = run(yard, {section: {"S": name}})
        _, message = harness.context(ended, "DOWNLOAD_SOURCE")
        assert message.startswith("AccessDeniedException: User: ")
        assert "assumed-role/builds/AWSCodeBuild-" in message


def test_an_upstream_that_is_away_is_a_fault_and_is_waited_for(aws, asking):
    yard = asking(f'endpoint = "{aws.url}"', **KEYS)
    aws.stop()
    ended = run(yard)
    assert ended["buildStatus"] == "FAULT"
    code, message = harness.context(ended, "DOWNLOAD_SOURCE")
    assert code == "INTERNAL_SERVER_ERROR"
    assert "The ssm that this service asks does not answer" in message
    assert f"reach {aws.url}" in yard.stderr()
    aws.start()
    assert reached(yard, run(yard))


def test_without_credentials_the_service_does_not_start(own_yard, tmp_path):
    config = tmp_path / "buildyard.toml"
    config.write_text(f'[secrets.upstream]\nregion = "{REGION}"\n')
    yard = own_yard(arguments=["--config", config])
    with pytest.raises(AssertionError, match="serve ended"):
        yard.start()
    assert "secrets.upstream" in yard.stderr()
    assert "find AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in yard.stderr()
    yard.process.wait()
    yard.process = None


def test_an_endpoint_with_tls_is_verified(aws, asking, tmp_path):
    authority, port = tls_before(aws, tmp_path)
    endpoint = f'endpoint = "https://localhost:{port}"'
    yard = asking(f'{endpoint}\nca_file = "{authority}"', **KEYS)
    assert reached(yard, run(yard))
    distrusting = asking(endpoint, **KEYS)
    assert run(distrusting)["buildStatus"] == "FAULT"
    assert "UnknownIssuer" in distrusting.stderr()


def tls_before(service, folder):
    """Puts TLS before a service: the file of the certificate's authority, and the port."""
    names = {name: folder / name for name in ("ca.key", "ca.pem", "key", "request", "pem", "ext")}
    names["ext"].write_text("subjectAltName=DNS:localhost\n")
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for command in (
        [
            "req",
            "-x509",
            *ec,
            "-keyout",
            names["ca.key"],
            "-out",
            names["ca.pem"],
            "-subj",
            "/CN=ca",
        ],
        ["req", *ec, "-keyout", names["key"], "-out", names["request"], "-subj", "/CN=localhost"],
        ["x509", "-req", "-in", names["request"], "-CA", names["ca.pem"], "-CAkey"]
        + [names["ca.key"], "-CAcreateserial", "-extfile", names["ext"], "-out", names["pem"]],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True)

    class Relay(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            behind = http.client.HTTPConnection("127.0.0.1", service.port)
            behind.request("POST", self.path, body, dict(self.headers))
            answer = behind.getresponse()
            text = answer.read()
            self.send_response(answer.status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(names["pem"], names["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return names["ca.pem"], server.server_port
