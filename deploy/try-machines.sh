# shellcheck shell=bash disable=SC2154 # dir, net and the like are try-systemd.sh's
# Sourced by try-systemd.sh: the machines, their network, and how to run something there.

# base has a minimal Debian in $dir/base; it is made once.
base() {
	[[ -e $dir/base/.complete ]] && return
	echo "making a minimal Debian in $dir/base"
	rm -rf "$dir/base" && mkdir -p "$dir/base"
	debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,procps,netcat-openbsd,curl,nftables,vim-tiny \
		$suite "$dir/base" ${MIRROR:+"$MIRROR"} >"$dir/debootstrap.log" 2>&1 ||
		{ tail -5 "$dir/debootstrap.log"; exit 1; }
	touch "$dir/base/.complete"
}

# network makes a namespace with a bridge in it, for the clients, and one for each machine.
network() {
	local i
	ip netns add $net
	ip -n $net link set lo up
	ip -n $net link add br0 type bridge
	ip -n $net addr add 10.0.0.50/24 dev br0
	ip -n $net link set br0 up
	for i in 1 2 3; do
		ip netns add $net-$i
		ip -n $net link add port$i type veth peer name eth0 netns $net-$i
		ip -n $net link set port$i master br0 up
		ip -n $net-$i link set lo up
		ip -n $net-$i addr add 10.0.0.1$i/24 dev eth0
		ip -n $net-$i link set eth0 up
	done
}

# boot I HOSTNAME starts machine I with a fresh disk and waits until its systemd is up.
boot() {
	local i=$1 root=$dir/machine-$1
	rm -rf "$root" && cp -a --reflink=auto "$dir/base" "$root"
	# Without one systemd would take this for a first boot, and enable a network manager that has
	# nothing to manage.
	tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
	echo "$2" >"$root/etc/hostname"
	printf '%s\n' '127.0.0.1 localhost' '::1 localhost' >"$root/etc/hosts"
	(
		own_cgroup "$i" "$BASHPID"
		exec systemd-nspawn -D "$root" --register=no --keep-unit \
			--network-namespace-path="/run/netns/$net-$i" --capability=CAP_NET_ADMIN \
			/lib/systemd/systemd
	) </dev/null >"$dir/machine-$i.log" 2>&1 &
	nspawn[$i]=$!
	within 60 running "$i" || { tail "$dir/machine-$i.log"; exit 1; }
}

# own_cgroup I PID: without it the three systemds would each take all services for their own, as they
# have the same names. The two paths are of cgroup v2 and v1.
own_cgroup() {
	local top
	for top in /sys/fs/cgroup /sys/fs/cgroup/{unified,systemd}; do
		[[ -e $top/cgroup.procs ]] || continue
		mkdir -p "$top/$net-$1"
		echo "$2" >"$top/$net-$1/cgroup.procs"
	done
}

running() { [[ $(on "$1" systemctl is-system-running 2>/dev/null) =~ running|degraded ]]; }

# on I COMMAND … runs a command on machine I, as root.
on() {
	local leader
	leader=$(pgrep -P "${nspawn[$1]}" -o) || return
	shift
	nsenter -t "$leader" -a env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb EDITOR=true \
		SYSTEMD_PAGER=cat HOME=/root "$@"
}

# readme NAME prints the block of README.md under that mark.
readme() {
	awk -v mark="<!-- try: $1 -->" '
		$0 == mark { found = 1; next }
		found && /^```sh/ { inside = 1; next }
		inside && /^```/ { exit }
		inside' "$repo/deploy/README.md"
}

# follow I NAME runs that block on machine I.
follow() { on "$1" bash -euo pipefail -c "cd /root; $(readme "$2")"; }

# install I puts ciderd on machine I.
install_on() {
	cp bin/ciderd.tar.gz "$dir/machine-$1/root/"
	follow "$1" install
}

# talk HOST LINE … is a client's session, from outside the machines; QUIT is said for it.
talk() {
	local host=$1
	shift
	printf '%s\n' "$@" QUIT | ip netns exec $net timeout 20 nc "$host" 8080
}

# within SECONDS COMMAND … runs it until it succeeds.
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.2
	done
}

# halt I stops machine I: SIGTERM has systemd-nspawn shut it down.
halt() {
	[[ -n ${nspawn[$1]-} ]] || return 0
	kill -TERM "${nspawn[$1]}" 2>/dev/null || true
	for ((t = 0; t < 300; t++)); do
		kill -0 "${nspawn[$1]}" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "${nspawn[$1]}" 2>/dev/null || true
	wait "${nspawn[$1]}" 2>/dev/null || true
	unset "nspawn[$1]"
}

# down takes everything away but the Debian.
down() {
	local i top
	for i in 1 2 3; do
		halt $i
		ip netns del $net-$i 2>/dev/null || true
		rm -rf "$dir/machine-$i"
		for top in /sys/fs/cgroup /sys/fs/cgroup/{unified,systemd}; do
			[[ ! -d $top/$net-$i ]] || find "$top/$net-$i" -depth -type d -exec rmdir {} ';'
		done
	done
	ip netns del $net 2>/dev/null || true
}
