#!/usr/bin/env bash
# Runs a command beside a systemd user manager of its own: own_manager.sh FOLDER COMMAND...
#
# For root on a Linux whose first process need not be systemd; to be run under `unshare --mount`. Nothing outside FOLDER
# is touched but a control group of this script's own, which it removes. HOME and XDG_RUNTIME_DIR are the caller's.
set -euo pipefail
folder=$1
shift
group=wilor-sidecar-test-$$
manager=
hierarchies=()
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ -f "$hierarchy/cgroup.procs" ] && hierarchies+=("$hierarchy")
done

leave() {
    [ -n "$manager" ] && kill "$manager" 2>/dev/null && { wait "$manager" || true; }
    for hierarchy in "${hierarchies[@]}"; do
        echo $$ >"$hierarchy/cgroup.procs"
        find "$hierarchy/$group" -depth -type d 2>/dev/null | while read -r inner; do
            for _ in $(seq 50); do rmdir "$inner" 2>/dev/null && break || sleep 0.1; done
        done
    done
}
trap leave EXIT

for hierarchy in "${hierarchies[@]}"; do
    mkdir "$hierarchy/$group"
    echo $$ >"$hierarchy/$group/cgroup.procs"
done
mkdir -p "$folder/run-systemd/system" # the sign by which the manager believes that systemd booted the machine
mkdir -p /run/systemd
mount --bind "$folder/run-systemd" /run/systemd
program=/usr/lib/systemd/systemd
[ -x "$program" ] || program=/lib/systemd/systemd
"$program" --user --log-target=console --log-level=notice >"$folder/manager.log" 2>&1 &
manager=$!
for _ in $(seq 100); do
    [ -S "$XDG_RUNTIME_DIR/systemd/private" ] && break
    sleep 0.1
done
"$@"
