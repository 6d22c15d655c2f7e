#!/bin/bash
# Three nodes on this machine in the foreground, until Ctrl-C: make cluster. A node that is killed
# meanwhile is not started again; how to do that is printed. SHIFT is added to all ports; with the
# argument check it only looks whether they are free.
set -euo pipefail
cd "$(dirname "$0")/.."

config=configs/cluster-local.hcl
shift_by=${SHIFT:-0}
nodes=(cider-1 cider-2 cider-3)
text=() admin=() peer=()
for i in 0 1 2; do
	text+=($((8080 + 100 * i + shift_by)))
	admin+=($((8081 + 100 * i + shift_by)))
	peer+=($((7000 + 100 * i + shift_by)))
done

# A port that something listens on is told before anything is compiled or started.
taken=()
for port in "${text[@]}" "${admin[@]}" "${peer[@]}"; do
	if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
		taken+=("$port")
	fi
done
if ((${#taken[@]})); then
	echo "in use on 127.0.0.1: port ${taken[*]} (another try-out node?)"
	echo "Stop it, or use other ports: SHIFT=$((shift_by + 1000)) make cluster"
	exit 1
fi
[[ ${1-} != check ]] || exit 0

if ((shift_by)); then
	mkdir -p ciderd-data
	shifted=ciderd-data/cluster-local-$shift_by.hcl
	awk -v by="$shift_by" '{
		line = ""
		while (match($0, /:[0-9]+"/)) {
			line = line substr($0, 1, RSTART) (substr($0, RSTART + 1, RLENGTH - 2) + by) "\""
			$0 = substr($0, RSTART + RLENGTH)
		}
		line = line $0
		sub(/ciderd-data\/cider/, "ciderd-data/" by "-cider", line)
		print line
	}' $config >"$shifted"
	config=$shifted
fi

# Each job in a process group of its own: the terminal's Ctrl-C then reaches only this script, and a
# node gets one signal (a second one would end it at once).
set -m
declare -A pids=()
stop() {
	trap '' INT TERM HUP
	echo "stopping all nodes"
	for pid in "${pids[@]}"; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	wait "${pids[@]}" || true
	exit "${1-0}"
}
trap stop INT TERM HUP

# The log goes through a pipe, but to a person.
export CIDERD_LOG_FORMAT=text

for node in "${nodes[@]}"; do
	# sed outlives every signal, so that the last lines of the nodes are seen.
	bin/ciderd -config $config -node "$node" </dev/null \
		> >(trap '' INT TERM HUP; exec sed -u "s/^/$node | /") 2>&1 &
	pids[$node]=$!
done

# ready is true if the node whose admin port is $1 serves reads.
ready() {
	local line=
	{ exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
	printf 'GET /health/ready HTTP/1.0\r\n\r\n' >&3
	read -r -t 2 line <&3 || true
	exec 3>&-
	[[ $line == *" 200 "* ]]
}

all_ready() {
	local port
	for port in "${admin[@]}"; do
		ready "$port" || return 1
	done
}

all_run() {
	local pid
	for pid in "${pids[@]}"; do
		kill -0 "$pid" 2>/dev/null || return 1
	done
}

for ((i = 0; i < 150; i++)); do
	sleep 0.2
	all_run || { echo "a node did not start: its line above says why"; stop 1; }
	all_ready && break
done
all_ready || echo "not all nodes serve yet: their lines above say why"
echo
for i in "${!nodes[@]}"; do
	echo "  ${nodes[i]}  nc localhost ${text[i]}   state: curl 127.0.0.1:${admin[i]}/status   kill -9 ${pids[${nodes[i]}]}"
done
echo "  after a kill: bin/ciderd -config $config -node NAME"
echo "  Ctrl-C stops all"
echo

while ((${#pids[@]})); do
	wait -n -p ended "${pids[@]}" && code=0 || code=$?
	for node in "${!pids[@]}"; do
		if [[ ${pids[$node]} == "${ended-}" ]]; then
			echo "$node ended with code $code"
			unset "pids[$node]"
		fi
	done
done
exit 1
