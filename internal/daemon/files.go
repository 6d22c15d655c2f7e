package daemon

import "syscall"

// keptFiles are the descriptors that clients never get: for the log, snapshots, other nodes and the admin ports.
// Without them a node could not even log that it has run out.
const keptFiles = 256

// clientFiles returns how many client connections may be open, at most want. (The Go runtime has already raised the
// soft limit to the hard one.)
func clientFiles(want int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return want
	}
	return clientsWithin(want, limit.Cur)
}

func clientsWithin(want int, files uint64) int {
	kept := uint64(keptFiles)
	if files < 2*kept {
		kept = files / 2
	}
	return int(min(uint64(want), files-kept))
}
