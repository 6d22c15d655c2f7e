package server

// SetDraining takes this node out of traffic, or back into it. Out of it each session finishes the commands that it has
// read, is answered SHUTTING_DOWN and closed, and whoever connects is told the same in place of the banner. Clients of
// Redis' protocol are not told, but for those that have subscribed to it. It waits for nobody: see Connections.
func (s *Server) SetDraining(on bool) {
	s.sessions.SetDraining(on)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = on
	if !on {
		return
	}
	for k := range s.open {
		k.end(endDrain)
	}
}
