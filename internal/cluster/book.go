package cluster

import (
	"fmt"
	"maps"

	"ciderd/internal/peer"
)

// openBook has where the others were met before a restart: names may not resolve now.
func (n *Node) openBook() (*peer.Book, error) {
	met, err := n.storage.Met()
	if err != nil {
		return nil, fmt.Errorf("where the other nodes were met: %w", err)
	}
	maps.DeleteFunc(met, func(address, _ string) bool {
		for _, m := range n.members {
			if m.Address == address {
				return false
			}
		}
		return true
	})
	return peer.NewBook(n.config.Lookup, met), nil
}

// keepBook has the directory remember where the others were met. If there is no room for it, it is tried again.
func (n *Node) keepBook() {
	met := n.book.Met()
	stored, err := n.storage.Met()
	if err != nil || len(met) == 0 || maps.Equal(met, stored) || n.space.low.Load() {
		return
	}
	if err := n.storage.SetMet(met); err != nil {
		n.log.Debug("where the other nodes are is not stored", "error", err)
	}
}
