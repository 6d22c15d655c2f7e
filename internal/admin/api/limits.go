package api

type (
	// Limits are the cluster's limits on memory, and what each node's file says of them. Amounts are in bytes.
	Limits struct {
		Set       bool   // false: nobody has set any, as in a cluster that an older release made
		MaxMemory int64  // 0: none
		WhenFull  string // "evict" or "reject"
		Quota     int64  // of a user without one of their own; 0: none
		Working   int64  // the limit that the leader works to at present, which real memory may lower; 0: none
		Memory    int64  // what all that is stored counts for
		Nodes     []NodeLimits
	}
	// NodeLimits is one node. What its file says is as written there, with defaults; empty where it is not known.
	NodeLimits struct {
		Name                       string
		MaxMemory, WhenFull, Quota string
		Memory                     int64  // that there is for the process; 0: not known
		Reason                     string `json:",omitempty"` // why it is not known
	}
	// ShareRequest asks for a quota or a reserve of a user, in bytes; 0: none.
	ShareRequest struct {
		Name  string
		Bytes int64
	}
)
