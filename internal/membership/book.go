package membership

import (
	"fmt"
	"maps"

	"ciderd/internal/peer"
	"ciderd/internal/storage"
)

// OpenBook returns a Book with where the nodes of the file were met before a restart: names may not resolve now.
func OpenBook(st *storage.Storage, members peer.Members, lookup peer.Lookup) (*peer.Book, error) {
	met, err := st.Notes().Met()
	if err != nil {
		return nil, fmt.Errorf("where the other nodes were met: %w", err)
	}
	maps.DeleteFunc(met, func(address, _ string) bool {
		for _, m := range members {
			if m.Address == address {
				return false
			}
		}
		return true
	})
	return peer.NewBook(lookup, met), nil
}

// keepBook has the directory remember where the others were met. If there is no space for that, it is tried again
// later.
func (b *base) keepBook() {
	met := b.Network.Book.Met()
	stored, err := b.Storage.Notes().Met()
	if err != nil || len(met) == 0 || maps.Equal(met, stored) || b.Disk.Low() {
		return
	}
	if err := b.Storage.Notes().SetMet(met); err != nil {
		b.Log.Debug("where the other nodes are is not stored", "error", err)
	}
}
