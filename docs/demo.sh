#!/bin/sh
# The main job, step by step: deploy, look, scale, update, survive a bad release, roll back, delete.
# `make demo` runs it on plain processes, `make demo-swarm` on a Docker Swarm started for it.
# Every step is checked: the script ends with an error when orchctl does not do what is said here.
set -eu
cd "$(dirname "$0")/.."
world=${1:-local}
dir=${ORCHCTL_DEMO_DIR:-$PWD/.demo}
mkdir -p "$dir"

if [ -n "${ORCHCTL_DEMO_DIR:-}" ]; then bin=$(dirname "$(command -v orchctl)"); fi
if [ "$world" = swarm ]; then
    bin=${bin:-$PWD/.venv/bin}
    echo "starting a Docker Swarm of one node (first time: installs what is missing)"
    swarm=$(mktemp -d /tmp/orchctl-demo.XXXXXX) # the engine's sockets need a short path
    "$bin/python" -m tests.servers.dockerd up "$swarm" > "$dir/swarm.env"
    # DOCKER_HOST of the daemon and HELLO_IMAGE, an image that it already has
    . "$dir/swarm.env"
    export DOCKER_HOST HELLO_IMAGE
elif [ -z "${bin:-}" ]; then
    bin=$dir/venv/bin
    if ! [ -x "$bin/orchctl" ] || [ pyproject.toml -nt "$dir/installed" ]; then
        echo "installing orchctl into .demo/venv (once)"
        "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
            || { echo "orchctl needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
        "${PYTHON:-python3}" -m venv "$dir/venv"
        "$bin/python" -m pip install --quiet --disable-pip-version-check -e .
        touch "$dir/installed"
    fi
fi
export ORCHCTL_STATE_DIR="$dir/state" ORCHCTL_CONFIG=/dev/null PATH="$bin:$PATH"
spec=specs/examples/hello.yaml
on="--backend $world"

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
run() { printf '\033[36m$ %s\033[0m\n' "$*"; "$@"; }
# run a command that must end with the given exit code
expect() {
    want=$1; shift
    printf '\033[36m$ %s\033[0m\n' "$*"
    got=0; "$@" || got=$?
    [ "$got" = "$want" ] || { echo "expected exit code $want, got $got" >&2; exit 1; }
    echo "(exit code $got, as promised)"
}
# ask every ready endpoint over HTTP; local endpoints are reachable from here, overlay addresses are not
answers() {
    [ "$world" = local ] || return 0
    orchctl discover hello $on --ready -o name | while read -r address; do
        printf '%s answers: ' "$address"
        python -c 'import sys, urllib.request as u; print(u.urlopen("http://" + sys.argv[1], timeout=5).read().decode().strip())' "$address"
    done
}
finish() {
    orchctl delete hello $on --yes >/dev/null 2>&1 || true
    if [ "$world" = swarm ]; then "$bin/python" -m tests.servers.dockerd down "$swarm"; fi
}
trap finish EXIT

say "What would a deploy do?"
run orchctl plan -f $spec $on
say "Deploy"
run orchctl deploy -f $spec $on
run orchctl status $on
run orchctl discover hello $on
answers
say "The same command again changes nothing"
run orchctl deploy -f $spec $on
say "Scale"
run orchctl scale hello=3 $on
answers
say "Update: a new greeting, one instance after the other"
export GREETING="hello again"
run orchctl deploy -f $spec $on
answers
say "A bad release: it crashes at once, and orchctl brings the old one back by itself"
cat > "$dir/bad.yaml" <<'EOF'
# an overlay: laid over the spec by a second -f
command: [sh, -c, "echo boom: no database >&2; exit 7"]
backends: {local: {command: [sh, -c, "echo boom: no database >&2; exit 7"]}}
EOF
expect 8 orchctl deploy -f $spec -f "$dir/bad.yaml" $on
run orchctl why hello $on
answers
say "Roll back by hand, to the first revision"
run orchctl rollback hello --to 1 $on --yes
answers
run orchctl history hello $on
say "Delete: nothing is left"
run orchctl delete hello $on --yes
expect 4 orchctl discover hello $on
say "Done. The same spec runs on Docker Swarm: make demo-swarm"
