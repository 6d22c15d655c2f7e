package torture

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"ciderd/internal/torture/powerfs"
)

// A need is something of the machine, or of the daemon's binary, that some faults take and a run as
// such does not.
type need string

const (
	needCut    need = "iptables with the statistic and length matches"
	needTrace  need = "strace that may inject"
	needDisk   need = "ext4 on loop devices"
	needFreeze need = "fsfreeze"
	needForget need = "ext4's shutdown ioctl"
	needTorn   need = "FUSE"
	needWires  need = "packet sockets"
	needClock  need = "a daemon that was built with the tag testclock"
)

// needs says what a fault takes; a fault that is not here takes nothing.
var needs = map[string][]need{
	"partition-leader": {needCut}, "partition-follower": {needCut}, "partition-deaf": {needCut}, "partition-mute": {needCut},
	"partition-partial": {needCut}, "partition-ring": {needCut}, "partition-halves": {needCut}, "loss": {needCut}, "large-drop": {needCut},
	"snapshot-live": {needCut},
	"disk-slow":     {needTrace}, "fsync-error": {needTrace},
	"disk-full": {needDisk}, "disk-full-all": {needDisk},
	"disk-hang": {needDisk, needFreeze}, "disk-hang-end": {needDisk, needFreeze},
	"power-loss": {needDisk, needForget}, "power-loss-one": {needDisk, needForget},
	"power-torn": {needTorn}, "power-torn-one": {needTorn},
	"replay": {needWires}, "replay-install": {needWires},
	"clock-jump": {needClock}, "clock-restart": {needClock}, "clock-kill-all": {needClock},
}

// Unable says why this machine can run no torture at all; nil: it can. It takes back what it tries.
func Unable() error {
	if os.Geteuid() != 0 {
		return errors.New("it needs root")
	}
	for _, tool := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	return inProbe(func(namespace string) error {
		return errors.Join(
			command("ip", "-n", namespace, "link", "add", "br0", "type", "bridge"),
			command("ip", "-n", namespace, "link", "add", "n1", "type", "veth", "peer", "name", "eth0"),
			command("nsenter", "--net="+netnsDir+"/"+namespace, "--", "true"))
	})
}

// inProbe makes a namespace for trying things out. Its name lets a later run take it away, should
// this one be killed.
func inProbe(try func(namespace string) error) error {
	namespace := prefix + "probe-" + strconv.Itoa(os.Getpid())
	if err := command("ip", "netns", "add", namespace); err != nil {
		return err
	}
	return errors.Join(try(namespace), command("ip", "netns", "del", namespace))
}

// lacking finds out what of the needs is not there, and why, by trying each. It works in dir.
func lacking(dir, bin string) map[need]error {
	found := map[need]error{
		needCut: inProbe(tryCut),
		needTrace: command("strace", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync",
			"-e", "inject=fdatasync:delay_enter=1", "true"),
		needTorn:  tryTorn(dir),
		needWires: tryWires(),
		needClock: tryClock(bin),
	}
	maps.Copy(found, tryDisk(dir))
	maps.DeleteFunc(found, func(_ need, err error) bool { return err == nil })
	return found
}

func tryCut(namespace string) error {
	l := link{namespace: namespace}
	return errors.Join(l.iptables("-N", "CUT"), l.lossy(&link{host: "1"}, 0.5), l.small(&link{host: "1"}, 600), l.heal())
}

// tryTorn mounts and unmounts.
func tryTorn(dir string) error {
	if lacks := powerfs.Missing(); lacks != "" {
		return errors.New("no " + lacks)
	}
	d, err := newDisk(dir, "probe-torn", true)
	if err != nil {
		return err
	}
	return errors.Join(d.tear(), d.remove())
}

func tryWires() error {
	r, err := newRecorder(nil)
	if err == nil {
		err = r.listen("lo")
		r.close()
	}
	return err
}

// tryClock looks into the binary: a fault that moves a clock that nobody reads would show nothing.
func tryClock(bin string) error {
	info, err := buildinfo.ReadFile(bin)
	if err != nil {
		return err
	}
	for _, s := range info.Settings {
		if s.Key == "-tags" && slices.Contains(strings.Split(s.Value, ","), "testclock") {
			return nil
		}
	}
	return errors.New(bin + " was built without it")
}

// tryDisk makes a disk as a node has it, and takes from it what the faults take.
func tryDisk(dir string) map[need]error {
	d, err := newDisk(dir, "probe", false)
	if err != nil {
		if d != nil {
			_ = d.remove()
		}
		return map[need]error{needDisk: err}
	}
	if err := d.fill(diskSize / 2); err != nil {
		return map[need]error{needDisk: errors.Join(err, d.remove())}
	}
	found := map[need]error{
		needFreeze: errors.Join(d.freeze(), d.heal()),
		needForget: errors.Join(d.shutdown(), d.remount()),
	}
	found[needDisk] = d.remove()
	return found
}

// able takes out the faults whose needs are not met, and says so as loud as a log can.
func able(all []fault, lacking map[need]error, out io.Writer) []fault {
	for _, n := range slices.Sorted(maps.Keys(lacking)) {
		fmt.Fprintf(out, "!!!! THIS MACHINE LACKS %s: %v\n", n, lacking[n])
	}
	return slices.DeleteFunc(all, func(f fault) bool {
		for _, n := range needs[f.name] {
			if lacking[n] != nil {
				fmt.Fprintf(out, "!!!! LEFT OUT: %s (%s)\n", f.name, f.how)
				return true
			}
		}
		return false
	})
}
