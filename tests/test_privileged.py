"""Privileged mode: who may have it, and images that are built from Dockerfiles in it."""

import shutil
import textwrap

import pytest

from calls import refused
from harness import spec

PRIVILEGED = {"privilegedModeOverride": True}

REGISTRY = """\
cat > /tmp/registry.yml <<'END'
version: 0.1
storage: {filesystem: {rootdirectory: /tmp/registry}}
http: {addr: "127.0.0.1:5000"}
