package rig

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"strconv"

	"ciderd/test/overlay"
	"ciderd/test/torture/powerfs"
)

// A Need is something of the machine, or of the daemon's binary, that some faults take and a run as
// such does not.
type Need string

const (
	NeedCut    Need = "iptables with the statistic and length matches"
	NeedTrace  Need = "strace that may inject"
	NeedDisk   Need = "ext4 on loop devices"
	NeedFreeze Need = "fsfreeze"
	NeedForget Need = "ext4's shutdown ioctl"
	NeedTorn   Need = "FUSE"
	NeedWires  Need = "packet sockets"
	NeedClock  Need = "a daemon with the clock that can be moved"
)

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
			Command("ip", "-n", namespace, "link", "add", "br0", "type", "bridge"),
			Command("ip", "-n", namespace, "link", "add", "n1", "type", "veth", "peer", "name", "eth0"),
			Command("nsenter", "--net="+netnsDir+"/"+namespace, "--", "true"))
	})
}

// inProbe makes a namespace for trying things out. Its name lets a later run take it away, should
// this one be killed.
func inProbe(try func(namespace string) error) error {
	namespace := Prefix + "probe-" + strconv.Itoa(os.Getpid())
	if err := Command("ip", "netns", "add", namespace); err != nil {
		return err
	}
	return errors.Join(try(namespace), Command("ip", "netns", "del", namespace))
}

// Lacking finds out what of the needs is not there, and why, by trying each. It works in dir.
func Lacking(dir, bin string) map[Need]error {
	found := map[Need]error{
		NeedCut: inProbe(tryCut),
		NeedTrace: Command("strace", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync",
			"-e", "inject=fdatasync:delay_enter=1", "true"),
		NeedTorn:  tryTorn(dir),
		NeedWires: tryWires(),
		NeedClock: tryClock(bin),
	}
	maps.Copy(found, tryDisk(dir))
	maps.DeleteFunc(found, func(_ Need, err error) bool { return err == nil })
	return found
}

func tryCut(namespace string) error {
	l := Link{namespace: namespace}
	return errors.Join(l.iptables("-N", "CUT"), l.Lossy(&Link{host: "1"}, 0.5), l.Small(&Link{host: "1"}, 600), l.Heal())
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
	return errors.Join(d.Tear(), d.remove())
}

func tryWires() error {
	r, err := NewRecorder(nil)
	if err == nil {
		err = r.listen("lo")
		r.Close()
	}
	return err
}

// tryClock looks into the binary: a fault that moves a clock that nobody reads would show nothing.
func tryClock(bin string) error {
	text, err := os.ReadFile(bin)
	if err == nil && !bytes.Contains(text, []byte(overlay.ClockFile)) {
		err = errors.New(bin + " was built without it")
	}
	return err
}

// tryDisk makes a disk as a node has it, and takes from it what the faults take.
func tryDisk(dir string) map[Need]error {
	d, err := newDisk(dir, "probe", false)
	if err != nil {
		if d != nil {
			_ = d.remove()
		}
		return map[Need]error{NeedDisk: err}
	}
	if err := d.Fill(diskSize / 2); err != nil {
		return map[Need]error{NeedDisk: errors.Join(err, d.remove())}
	}
	found := map[Need]error{
		NeedFreeze: errors.Join(d.Freeze(), d.Heal()),
		NeedForget: errors.Join(d.Shutdown(), d.Remount()),
	}
	found[NeedDisk] = d.remove()
	return found
}
