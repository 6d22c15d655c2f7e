#!/bin/bash
# Tries the unit and deploy/README.md under a real systemd: three Debian machines as containers
# (debootstrap, systemd-nspawn) on a network of their own, with the commands of README.md's blocks.
#
#   make try-systemd        some minutes; as root; needs debootstrap, systemd-container, iproute2, nc
#
# TRY_DIR   where the machines are (/var/tmp/ciderd-try); the Debian in it is kept for the next time
# MIRROR    a Debian mirror, if not debootstrap's own choice
# VERBOSE   if set, what commands print is shown for passed checks too
#
# It ends only what it started, and reaches only addresses of its own network namespaces.
set -euo pipefail
cd "$(dirname "$0")/.."
repo=$PWD

dir=${TRY_DIR:-/var/tmp/ciderd-try}
suite=bookworm
net=ciderd-try # the namespace with the bridge, where clients are: 10.0.0.50
passed=0 failed=0
declare -A nspawn=() # machine -> pid of its systemd-nspawn

((UID == 0)) || { echo "$0: run it as root"; exit 1; }
for program in debootstrap systemd-nspawn nsenter ip nc; do
	command -v $program >/dev/null || { echo "$0: $program is not installed"; exit 1; }
done

. deploy/try-machines.sh
. deploy/try-checks.sh

trap 'down' EXIT
trap 'exit 130' INT TERM

bash -euo pipefail -c "$(readme build)" >"$dir.build.log" 2>&1 || { cat "$dir.build.log"; exit 1; }
rm -f "$dir.build.log"
base
network
one_machine
three_machines

echo
echo "$passed passed, $failed failed"
((failed == 0))
