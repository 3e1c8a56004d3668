#!/usr/bin/env bash
# Installs those whom the race is run against, as far as this machine can have them: Debian's
# container engines and runtimes, and in target/peers what comes from PyPI and npm.
#
#   bench/peers.sh
#
# One that cannot be installed is said, and left out of the table.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
. scripts/setup.sh

peers=target/peers
from_pypi=(buildbot==4.3.0 buildbot-worker==4.3.0 buildbot-www==4.3.0 'moto[server]==5.2.5')
# Later versions need a Node.js that Debian 12 does not have.
from_npm=(gitlab-ci-local@4.56.0)

mkdir -p "$peers"
install_packages "${packages_for_executors[@]}" python3-venv git rsync zip unzip zstd awscli ||
    echo "not every container runtime is here" >&2
if [ ! -x "$peers/venv/bin/buildbot" ] || [ ! -x "$peers/venv/bin/moto_server" ]; then
    python3 -m venv --clear "$peers/venv" &&
        "$peers/venv/bin/pip" install --quiet --disable-pip-version-check "${from_pypi[@]}" ||
        echo "Buildbot and moto are not here" >&2
fi
if [ ! -x "$peers/npm/node_modules/.bin/gitlab-ci-local" ]; then
    mkdir -p "$peers/npm" &&
        npm install --silent --no-audit --no-fund --prefix "$peers/npm" "${from_npm[@]}" ||
        echo "gitlab-ci-local is not here" >&2
fi
