package api

type (
	// DrainRequest takes a node out of traffic, or back into it.
	DrainRequest struct{ On bool }
	// Draining is how far that is.
	Draining struct {
		Node     string
		Draining bool
		Left     int // connections of clients
		Leads    bool
		Leader   string // empty: none is known
		Alone    bool   // there is no other voter that could lead
	}
)

// Verb returns what an operator has typed.
func (q DrainRequest) Verb() string {
	if q.On {
		return "drain"
	}
	return "undrain"
}
