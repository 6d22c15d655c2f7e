#!/bin/bash
# Builds ciderd with each planted bug and shows which fault lets which checker catch it; exits 1 if one
# is not caught. Some are caught by unit tests as well, or only, which is shown too. Where this machine
# cannot make the faults that a bug takes, that is said, and if nothing else was wrong the exit code is 3.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
go build -o "$out/torture" ./internal/torture/cmd

missed=0 unable=0
plant() { # tag, faults, most rounds (the first with a violation is the last, and mostly the first of all)
	local code=0
	go build -tags "testclock,$1" -o "$out/ciderd" ./cmd/ciderd
	"$out/torture" -keep-data=false -bin "$out/ciderd" -seed 1 -minutes 5 -failing 1 -faults "$2" -rounds "$3" >"$out/log" 2>&1 || code=$?
	if ((code == 3)); then
		echo "!!!! LEFT OUT: $1 under $2"
		grep '^!!!!' "$out/log"
		unable=1
	elif ((code == 0)); then
		echo "$1: NOT CAUGHT in $3 rounds of $2"
		missed=1
	elif grep -q VIOLATION "$out/log"; then
		printf '%s: caught by %s\n' "$1" "$(sed -n 's/.* round *[0-9]*  \([a-z+-]*\) .* [1-9][0-9]* violations/\1/p' "$out/log" | head -1)"
		grep VIOLATION "$out/log" | head -3 | cut -c1-160
	else
		echo "$1: the harness failed"
		cat "$out/log"
		missed=1
	fi
	kept=$(sed -n 's/.*what tells of them is kept in \([^ ]*\).*/\1/p' "$out/log")
	case $kept in /var/tmp/ciderd-torture-kept-*) rm -rf "$kept" ;; esac
}

unit() { # tag, package, test (none: all)
	if go test -tags "$1" ${3:+-run "$3"} "$2" >"$out/log" 2>&1; then
		echo "$1: NOT CAUGHT by the tests of $2"
		missed=1
	else
		echo "$1: caught by the tests of $2: $(sed -n 's/^ *--- FAIL: \([^ ]*\).*/\1/p' "$out/log" | head -3 | tr '\n' ' ')"
	fi
}

plant plant_ack_early kill-leader 9
plant plant_nosync power-loss 9
plant plant_nosync power-torn 9
plant plant_not_ready kill-follower,kill-leader,kill-all 18
plant plant_no_origin kill-leader,partition-leader,pause-leader 18
plant plant_wall_clock kill-leader 9
plant plant_wall_clock clock-jump 9
plant plant_wall_stamp clock-jump 9
plant plant_naive_sync pause-storm 15
plant plant_restore_in_place snapshot-live 9
unit plant_no_origin ./internal/fsm
unit plant_wall_clock ./internal/fsm
unit plant_verify_leader ./internal/cluster TestSyncOfALeaderWhoseRepliesAreLate
unit plant_wall_stamp ./internal/clock
((missed == 0)) || exit 1
((unable == 0)) || exit 3
