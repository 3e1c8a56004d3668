# What `try` and `check` have in common: the machine's packages and the Python environment.
# Sourced by both, from the repository's root; bash.

packages_for_rust=(busybox-static gcc git libc6-dev iproute2 nftables passt)
packages_for_executors=(crun docker.io podman runc)
# gVisor's runsc is in Debian for this architecture alone.
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] && packages_for_executors+=(runsc)
packages_for_clients=(awscli python3 python3-venv)
packages_for_clients+=(buildah busybox-static docker-registry docker.io mmdebstrap nftables podman skopeo)
packages_for_clients+=(faketime strace valgrind zstd)
packages_for_clients+=(fcgiwrap git git-lfs nginx-light openssh-client openssh-server openssl)
packages_for_the_browser=(chromium nodejs)
# Other packages of Node.js than Debian's bring their own npm.
command -v npm >/dev/null || packages_for_the_browser+=(npm)
packages_for_the_example=(
    openjdk-17-jdk-headless maven libmaven-resources-plugin-java libmaven-compiler-plugin-java
    libmaven-jar-plugin-java libsurefire-java junit4
)

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

package_is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Runs a command that installs packages, without any service of theirs being started: what the
# tests need of a server they start themselves, on loopback.
without_starting_services() {
    local policy=/usr/sbin/policy-rc.d status=0
    if [ -e $policy ]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
    "$@" || status=$?
    as_root rm -f $policy
    return $status
}

# Installs those of the named Debian packages that are missing; asks nothing.
install_packages() {
    local name missing=()
    for name in "$@"; do
        package_is_installed "$name" || missing+=("$name")
    done
    [ ${#missing[@]} = 0 ] && return
    echo "installing ${missing[*]}"
    as_root apt-get update -qq </dev/null
    without_starting_services as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
}

# Makes target/venv from tests/requirements.txt, unless it is already what that file says.
make_venv() {
    local wanted=tests/requirements.txt made=target/venv/requirements.txt
    cmp -s "$wanted" "$made" && return
    python3 -m venv --clear target/venv
    target/venv/bin/pip install --quiet --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" "$made"
}

# Makes tests/console/node_modules as its package-lock.json says, unless it is already.
make_node_modules() {
    local folder=tests/console
    local wanted=$folder/package-lock.json made=$folder/node_modules/made-from.json
    cmp -s "$wanted" "$made" && return
    npm ci --prefix $folder --ignore-scripts --no-audit --no-fund && cp "$wanted" "$made"
}

require_cargo() {
    command -v cargo >/dev/null && return
    echo "cargo is not on PATH: install Rust first (https://rustup.rs)" >&2
    return 1
}
