package membership

import "ciderd/internal/peer"

// The questions that nodes ask each other about members. Names of questions and fields are on the wire.
var (
	// joinQuestion asks the leader to admit the server that asks.
	joinQuestion = peer.Question[join, joinAnswer]{Name: "Join", Strangers: true}
	// membersQuestion and changeQuestion are an operator's questions to the leader.
	membersQuestion = peer.Question[struct{}, membersAnswer]{Name: "Members", Slow: true}
	changeQuestion  = peer.Question[change, changeAnswer]{Name: "Change", Slow: true}
	// serversQuestion asks a leader to confirm that it leads, and for its configuration.
	serversQuestion = peer.Question[struct{}, serversAnswer]{Name: "Servers", Strangers: true}
	// silenceQuestion asks how long nothing was heard of a server.
	silenceQuestion = peer.Question[silentServer, silenceAnswer]{Name: "Silence"}
)

type (
	join       struct{ ServerID string }
	joinAnswer struct {
		Leads    bool
		Admitted bool
		Removed  bool   // it was a member, and was removed
		Reason   string // why not (yet)
	}
	membersAnswer struct {
		Leads bool
		List  []Status
	}
	change struct {
		Op, Name  string
		Yes       bool // even if no node may fail after it
		TimeoutMS int64
	}
	changeAnswer struct {
		Leads   bool
		Said    string // what was done
		Refused string // why nothing was done
		Failed  string // what went wrong; the outcome is unknown
	}
	serversAnswer struct {
		Term uint64
		IDs  []string
	}
	silentServer  struct{ ServerID string }
	silenceAnswer struct{ MS int64 }
)
