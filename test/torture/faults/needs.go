package faults

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"ciderd/test/torture/rig"
)

// Needs says what a fault takes; a fault that is not here takes nothing.
var Needs = map[string][]rig.Need{
	"partition-leader": {rig.NeedCut}, "partition-follower": {rig.NeedCut}, "partition-deaf": {rig.NeedCut}, "partition-mute": {rig.NeedCut},
	"partition-partial": {rig.NeedCut}, "partition-ring": {rig.NeedCut}, "partition-halves": {rig.NeedCut}, "loss": {rig.NeedCut}, "large-drop": {rig.NeedCut},
	"snapshot-live": {rig.NeedCut},
	"disk-slow":     {rig.NeedTrace}, "fsync-error": {rig.NeedTrace},
	"disk-full": {rig.NeedDisk}, "disk-full-all": {rig.NeedDisk},
	"disk-hang": {rig.NeedDisk, rig.NeedFreeze}, "disk-hang-end": {rig.NeedDisk, rig.NeedFreeze},
	"power-loss": {rig.NeedDisk, rig.NeedForget}, "power-loss-one": {rig.NeedDisk, rig.NeedForget},
	"power-torn": {rig.NeedTorn}, "power-torn-one": {rig.NeedTorn},
	"replay": {rig.NeedWires}, "replay-install": {rig.NeedWires},
	"clock-jump": {rig.NeedClock}, "clock-restart": {rig.NeedClock}, "clock-kill-all": {rig.NeedClock},
}

// Able takes out the faults whose needs are not met, and says so as loud as a log can.
func Able(all []Fault, lacking map[rig.Need]error, out io.Writer) []Fault {
	for _, n := range slices.Sorted(maps.Keys(lacking)) {
		fmt.Fprintf(out, "!!!! THIS MACHINE LACKS %s: %v\n", n, lacking[n])
	}
	return slices.DeleteFunc(all, func(f Fault) bool {
		for _, n := range Needs[f.Name] {
			if lacking[n] != nil {
				fmt.Fprintf(out, "!!!! LEFT OUT: %s (%s)\n", f.Name, f.How)
				return true
			}
		}
		return false
	})
}
