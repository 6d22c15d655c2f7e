#!/bin/bash
# Builds ciderd with each planted bug and shows which fault lets which checker catch it; fails if one
# is not caught. Some are caught by unit tests as well, or only, which is shown too.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
go build -o "$out/torture" ./internal/torture/cmd

missed=0
plant() { # tag, faults, most rounds
	go build -tags "testclock,$1" -o "$out/ciderd" ./cmd/ciderd
	if "$out/torture" -keep-data=false -bin "$out/ciderd" -seed 1 -minutes 5 -failing 1 -faults "$2" -rounds "$3" >"$out/log" 2>&1; then
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

plant plant_ack_early kill-leader 3
plant plant_nosync power-loss 3
plant plant_nosync power-torn 3
plant plant_not_ready kill-follower,kill-leader,kill-all 9
plant plant_no_origin kill-leader,partition-leader,pause-leader 9
plant plant_wall_clock kill-leader 3
plant plant_wall_clock clock-jump 3
plant plant_wall_stamp clock-jump 3
plant plant_naive_sync pause-storm 5
plant plant_restore_in_place snapshot-live 3
unit plant_no_origin ./internal/fsm
unit plant_wall_clock ./internal/fsm
unit plant_verify_leader ./internal/cluster TestSyncOfALeaderWhoseRepliesAreLate
unit plant_wall_stamp ./internal/clock
exit $missed
