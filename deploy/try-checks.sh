# shellcheck shell=bash disable=SC2154 # dir, net and the like are try-systemd.sh's
# Sourced by try-systemd.sh: what is expected.

# check WHAT COMMAND … counts the command's outcome.
check() {
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then
		passed=$((passed + 1))
		echo "ok      $what"
		[[ -z ${VERBOSE-} || -z $out ]] || sed 's/^/        | /' <<<"$out"
	else
		failed=$((failed + 1))
		echo "FAILED  $what"
		sed 's/^/        | /' <<<"$out"
	fi
}

# says PATTERN COMMAND … is true if what the command prints (its exit code aside) matches.
says() {
	local pattern=$1 out
	shift
	out=$("$@" 2>&1) || true
	echo "$out"
	grep -qE -- "$pattern" <<<"$out"
}

fails() { ! "$@"; }
quick() { # quick SECONDS COMMAND …: it succeeds in that time
	local limit=$1 start=$SECONDS
	shift
	"$@" && echo "took $((SECONDS - start)) s" && ((SECONDS - start <= limit))
}
property() { on "$1" systemctl show -P "$2" ciderd; }
journal() { on "$1" journalctl --no-pager -o cat "_SYSTEMD_INVOCATION_ID=$(property "$1" InvocationID)"; } # of this start
is() { [[ $1 == "$2" ]] || { echo "is '$1', should be '$2'"; return 1; }; }
gone() { fails on "$1" kill -0 "$2"; } # gone I PID

# killed I kills the node as the kernel would, and waits for another process of it.
killed() {
	local before
	before=$(property "$1" MainPID)
	on "$1" kill -KILL "$before"
	within 15 restarted "$1" "$before"
}
restarted() { [[ $(property "$1" ActiveState) == active && $(property "$1" MainPID) != "$2" ]]; }

serving() { on "$1" curl -sf 127.0.0.1:8081/health/ready >/dev/null; }

# score is what systemd itself says about the unit that is installed and running.
score() {
	local line
	line=$(on 1 systemd-analyze security --no-pager ciderd.service | grep -F 'Overall exposure')
	echo "$line"
	awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^[0-9.]+$/) exit !($i <= 2.0) }' <<<"$line"
}

confined() {
	local pid
	pid=$(property 1 MainPID)
	on 1 cat "/proc/$pid/status" | grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' | tee /dev/stderr |
		awk '/^Uid/ && $2 != 0 { n++ } /^Cap/ && $2 ~ /^0+$/ { n++ } /^NoNew/ && $2 == 1 { n++ }
			/^Seccomp/ && $2 == 2 { n++ } END { exit n != 5 }'
}

one_machine() {
	local pid
	echo "== one machine, one node"
	boot 1 cider-1
	check "install" install_on 1
	echo 'listen { text = ":8080" }' >"$dir/machine-1/etc/ciderd/cluster.hcl"
	check "starts, READY in time" quick 5 follow 1 start
	check "the status line" within 5 says 'Status: "ciderd leads' on 1 systemctl status --no-pager ciderd
	check "a session" says '^bar' talk 10.0.0.11 'SIGNUP alice secret' 'SET foo bar' 'GET foo'
	check "no rights, no capabilities, filtered calls" confined
	check "the data is for its user only" says '^700 ciderd$' on 1 stat -c '%a %U' /var/lib/ciderd
	check "the kernel's whole backlog" says '4096 +(\*|\[::\]|0.0.0.0):8080' ip netns exec $net-1 ss -ltn
	check "survives kill -9" killed 1
	check "with its data" within 5 says '^bar' talk 10.0.0.11 'LOGIN alice secret' 'GET foo'
	one_machine_configuration
	one_machine_operators
	one_machine_hangs
	check "stops in time" quick 10 on 1 systemctl stop ciderd
	check "with exit code 0" is "$(property 1 ExecMainStatus) $(property 1 Result)" "0 success"
	one_machine_mistakes
	one_machine_ends
	check "security" score
	halt 1
}

one_machine_configuration() {
	local pid file=$dir/machine-1/etc/ciderd/cluster.hcl
	pid=$(property 1 MainPID)
	printf '%s\n' 'listen { text = ":8080" }' 'limits { max_value_size = "1KiB" }' >"$file"
	check "reload" follow 1 reload
	check "the journal has what changed" within 5 says 'changed: limits.max_value_size: 1KiB' journal 1
	check "took effect" within 5 says '^ERR VALUE_TOO_LARGE' talk 10.0.0.11 'LOGIN alice secret' "SET big $(printf '%1500s' '' | tr ' ' x)"
	echo 'limits { max_value_sise = "1KiB" }' >>"$file"
	check "reload of a wrong file fails" fails on 1 systemctl reload ciderd
	check "and says where" within 5 says 'cluster.hcl:3' journal 1
	check "and that nothing was taken over" within 5 says 'nothing was taken over' journal 1
	check "the node runs on" is "$(property 1 MainPID) $(property 1 ActiveState)" "$pid active"
}

as() { on 1 runuser -u "$1" -- "${@:2}"; } # as USER COMMAND …

# one_machine_operators: root and the group ciderd are operators, nobody else is, and the log has who did what.
one_machine_operators() {
	local uid
	on 1 useradd -G ciderd oscar
	on 1 useradd eve
	uid=$(on 1 id -u oscar)
	echo 'listen { text = ":8080" }' >"$dir/machine-1/etc/ciderd/cluster.hcl"
	check "the socket's rights" is "$(on 1 stat -c '%a %U %G' /run/ciderd /run/ciderd/admin.sock | xargs)" \
		"750 ciderd ciderd 660 ciderd ciderd"
	check "root asks for the status" says '^HEALTHY' on 1 ciderd status
	check "so does a member of the group" says '^HEALTHY' as oscar ciderd status
	check "others may not" says 'is for root, the daemon.s user and, under systemd, its group' as eve ciderd status
	check "and fail" fails as eve ciderd status
	check "a member reloads" says '^changed: limits.max_value_size' as oscar ciderd reload -config /etc/ciderd/cluster.hcl
	check "the log says who" within 5 says "uid.{1,3}$uid\\b.* verb.{1,3}reload\\b.* outcome.{1,3}done|\"outcome\":\"done\",\"uid\":\"$uid\",\"verb\":\"reload\"" journal 1
	check "systemd reloads as the service's user" within 5 says \
		"uid.{1,3}$(on 1 id -u ciderd)\\b.* verb.{1,3}reload\\b|\"uid\":\"$(on 1 id -u ciderd)\",\"verb\":\"reload\"" journal 1
	check "a member drains" says ' is drained: no client is left' as oscar ciderd drain
	check "it serves nobody" fails serving 1
	check "the status line has it" within 5 says 'Status:.*is draining' on 1 systemctl status --no-pager ciderd
	check "and is back" as oscar ciderd undrain
	check "it serves" within 5 serving 1
}

# one_machine_hangs: the unit's WatchdogSec is a minute, here it is four seconds.
one_machine_hangs() {
	local pid unit=$dir/machine-1/etc/systemd/system/ciderd.service.d
	check "a watchdog" is "$(property 1 WatchdogUSec)" 1min
	mkdir -p "$unit"
	printf '%s\n' '[Service]' 'WatchdogSec=4s' >"$unit/quick.conf"
	on 1 systemctl daemon-reload
	on 1 systemctl restart ciderd
	pid=$(property 1 MainPID)
	sleep 10
	check "a node that lives is left alone" is "$(property 1 MainPID) $(property 1 NRestarts)" "$pid 0"
	on 1 kill -STOP "$pid"
	check "one that hangs is started again" within 20 restarted 1 "$pid"
	check "the journal says why" says 'Watchdog timeout' on 1 journalctl --no-pager -u ciderd
	check "and has what it was doing" says 'SIGABRT: abort' on 1 journalctl --no-pager -u ciderd
	check "with its data" within 5 says '^bar' talk 10.0.0.11 'LOGIN alice secret' 'GET foo'
	rm -r "$unit"
	on 1 systemctl daemon-reload
	on 1 systemctl restart ciderd
}

one_machine_mistakes() {
	printf '%s\n' 'listen { text = ":8080" }' 'limits { max_value_sise = "1KiB" }' >"$dir/machine-1/etc/ciderd/cluster.hcl"
	check "a wrong file: start fails" fails on 1 systemctl start ciderd
	sleep 4 # four times RestartSec
	check "with 78, and is not tried again" is \
		"$(property 1 ExecMainStatus) $(property 1 NRestarts) $(property 1 ActiveState)" "78 0 failed"
	echo 'listen { text = ":8080" }' >"$dir/machine-1/etc/ciderd/cluster.hcl"
	check "a right one again: starts" on 1 systemctl start ciderd
	check "the data is still there" within 5 says '^bar' talk 10.0.0.11 'LOGIN alice secret' 'GET foo'
}

# one_machine_ends: after whatever end that is not systemctl stop it is started again, but for a data directory
# that needs a person.
one_machine_ends() {
	local before data=$dir/machine-1/var/lib/ciderd/ciderd-data # a single node's own
	before=$(property 1 MainPID)
	on 1 kill -TERM "$before"
	check "an end that looks clean: it is started again" within 15 restarted 1 "$before"
	on 1 systemctl stop ciderd
	cp -a "$data" "$data.kept"
	dd if=/dev/zero of="$data/raft.db" bs=200 count=1 conv=notrunc status=none
	check "a damaged data directory: start fails" fails on 1 systemctl start ciderd
	sleep 4 # four times RestartSec
	check "with 65, and is not tried again" is \
		"$(property 1 ExecMainStatus) $(property 1 NRestarts) $(property 1 ActiveState)" "65 0 failed"
	rm -rf "$data"
	mv "$data.kept" "$data"
	check "put back: starts" on 1 systemctl start ciderd
}

# three_machines: one is known by its host name, one by ciderd.env, one by its address.
three_machines() {
	local i
	echo "== three machines, as in README.md"
	boot 1 cider-1
	boot 2 second
	boot 3 third
	for i in 1 2 3; do
		check "machine $i: install" install_on $i
		((i != 2)) || check "machine 2: name" follow 2 name
		check "machine $i: firewall" follow $i firewall
	done
	check "machine 1: configure" says '^node cider-1 ' follow 1 configure
	cp "$dir/machine-1/etc/ciderd/cluster.hcl" "$dir/machine-2/etc/ciderd/"
	cp "$dir/machine-1/etc/ciderd/cluster.hcl" "$dir/machine-3/etc/ciderd/"
	check "machine 3 comes first, READY at once" quick 5 follow 3 start
	check "and says whom it waits for" within 5 says 'waiting for cider-1: .*; cider-2: ' journal 3
	check "machine 1" quick 5 follow 1 start
	check "machine 1 waits for the last" within 5 says 'Status:.*cider-2' on 1 systemctl status --no-pager ciderd
	check "machine 2" quick 5 follow 2 start
	for i in 1 2 3; do
		check "machine $i serves" within 10 serving $i
		check "machine $i: look" says PONG follow $i look
	done
	check "a user" says 'User created' talk 10.0.0.11 'SIGNUP alice secret'
	for i in 1 2 3; do
		check "a write through machine $i" says '^OK' talk 10.0.0.1$i 'LOGIN alice secret' "SET k$i v$i"
	done
	for i in 1 2 3; do
		check "machine $i has all" says '^v1 v2 v3 END' everything $i
	done
	check "clients do not reach the peer port" fails ip netns exec $net timeout 2 nc -z 10.0.0.11 7000
	check "nodes do" ip netns exec $net-2 timeout 2 nc -z 10.0.0.11 7000
	three_machines_restarts
}

everything() { talk 10.0.0.1"$1" 'LOGIN alice secret' 'MGET k1 k2 k3' | grep -E '^(v|END)' | tr '\n' ' '; }

# leader prints the machine that leads.
leader() { on "$1" curl -s 127.0.0.1:8081/status | sed -n 's/.*"Leader":"cider-\([0-9]\)".*/\1/p'; }

# write_on I writes on machine I one by one, in one session, until $dir/stop is there.
write_on() {
	local n=0
	{
		echo 'LOGIN alice secret'
		until [[ -e $dir/stop ]]; do
			echo "SET n $((n += 1))"
			sleep 0.02
		done
		echo QUIT
		echo $n >"$dir/sent"
	} | ip netns exec $net nc 10.0.0.1"$1" 8080 >"$dir/writes"
}

# noticed_nothing: every one of the writes was answered OK, and the last is there, on machine I.
noticed_nothing() {
	local sent
	sent=$(<"$dir/sent")
	grep -vE '^(LOGIN or SIGNUP|Login successful|OK|BYE)$' "$dir/writes" && return 1
	is "$(grep -c '^OK$' "$dir/writes")" "$sent" && says "^$sent\$" talk 10.0.0.1"$1" 'LOGIN alice secret' 'GET n'
}

# while_writing I WHAT COMMAND …: COMMAND, while a client of machine I writes.
while_writing() {
	local i=$1 what=$2 writer
	shift 2
	rm -f "$dir/stop"
	write_on "$i" &
	writer=$!
	sleep 0.5
	"$@"
	sleep 0.5
	touch "$dir/stop"
	wait $writer
	check "$what: a client of machine $i noticed nothing ($(<"$dir/sent") writes)" noticed_nothing "$i"
}

restart_all_but() {
	local i
	for i in 1 2 3; do
		((i == $1)) || check "machine $i: restart" quick 20 follow $i restart
	done
}

kill_leader() {
	check "kill -9 of the leader, machine $1: it is started again" killed "$1"
	check "and serves" within 20 serving "$1"
}

three_machines_restarts() {
	local i lead
	lead=$(leader 1)
	while_writing $((lead % 3 + 1)) "rolling restart" restart_all_but $((lead % 3 + 1))
	lead=$(leader 1)
	while_writing $((lead % 3 + 1)) "leader killed" kill_leader "$lead"
	for i in 1 2 3; do
		check "machine $i has all" within 10 says '^v1 v2 v3 END' everything $i
	done
	for i in 1 2 3; do
		check "machine $i stops in time" quick 20 on $i systemctl stop ciderd
		check "with exit code 0" is "$(property $i ExecMainStatus) $(property $i Result)" "0 success"
	done
	check "a known node alone: READY after 15 s" quick 17 on 2 systemctl start ciderd
	check "it says that it waits" within 5 says 'Status: ".' on 2 systemctl status --no-pager ciderd
	check "and answers LOADING" says '^ERR LOADING' talk 10.0.0.12 'LOGIN alice secret'
	check "a second one is enough" quick 17 on 3 systemctl start ciderd
	check "to serve all there is" within 10 says '^v1 v2 v3 END' everything 2
	three_machines_wiped
}

# three_machines_wiped: machine 1 comes back with an empty disk.
three_machines_wiped() {
	rm -rf "$dir/machine-1/var/lib/ciderd"
	check "a wiped disk: READY at once" quick 5 on 1 systemctl start ciderd
	check "it says that it waits to be admitted" within 5 says 'waiting to be admitted|admitted; waiting for the log' journal 1
	check "and has all once it is" quick 60 within 60 says '^v1 v2 v3 END' everything 1
}
