#!/bin/sh
# The main job, step by step: deploy, look, scale, update, survive a bad release, roll back, delete.
# `make demo` runs it on plain processes, `make demo-swarm`, `make demo-marathon` and `make demo-kubernetes` on servers
# started for it.
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
elif [ "$world" = marathon ]; then
    bin=${bin:-$PWD/.venv/bin}
    echo "starting a Marathon with three simulated agents, which run real processes"
    marathon=$(mktemp -d /tmp/orchctl-demo.XXXXXX)
    "$bin/python" -m tests.servers.marathon up "$marathon" > "$dir/marathon.env"
    # MARATHON_URL, MESOS_URL (for the output of tasks) and HELLO_IMAGE, an image that its agents can run
    . "$dir/marathon.env"
    export HELLO_IMAGE
    cat > "$dir/marathon.toml" <<EOF
[contexts.demo]
backend = "marathon"
urls = ["$MARATHON_URL"]
mesos = ["$MESOS_URL"]
EOF
elif [ "$world" = kubernetes ]; then
    bin=${bin:-$PWD/.venv/bin}
    echo "starting a Kubernetes cluster of one node (first time: builds it, about eight minutes)"
    cluster=$(mktemp -d /tmp/orchctl-demo.XXXXXX)
    "$bin/python" -m tests.servers.kubernetes up "$cluster" > "$dir/kubernetes.env"
    # KUBECONFIG of the cluster and HELLO_IMAGE, an image that its node already has
    . "$dir/kubernetes.env"
    export KUBECONFIG HELLO_IMAGE
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
if [ "$world" = marathon ]; then on="--context demo" ORCHCTL_CONFIG="$dir/marathon.toml"; fi

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
# ask every ready endpoint over HTTP; local ones, pods of our own cluster and agents are reachable from here, overlays are not
answers() {
    [ "$world" != swarm ] || return 0
    orchctl discover hello $on --ready -o name | while read -r address; do
        printf '%s answers: ' "$address"
        python -c 'import sys, urllib.request as u; print(u.urlopen("http://" + sys.argv[1], timeout=5).read().decode().strip())' "$address"
    done
}
finish() {
    orchctl delete hello $on --yes >/dev/null 2>&1 || true
    if [ "$world" = swarm ]; then "$bin/python" -m tests.servers.dockerd down "$swarm"; fi
    if [ "$world" = marathon ]; then "$bin/python" -m tests.servers.marathon down "$marathon"; fi
    if [ "$world" = kubernetes ]; then "$bin/python" -m tests.servers.kubernetes down "$cluster"; fi
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
say "Done. The same spec runs elsewhere: make demo, make demo-swarm, make demo-marathon, make demo-kubernetes"
