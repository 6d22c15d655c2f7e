package auth

import (
	"errors"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// No password opens what is closed, not even one that is remembered, and it costs as much to find out.
func TestClosed(t *testing.T) {
	h, err := NewHasher(Options{Cost: MinCost + 1})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := h.Hash(t.Context(), "192.0.2.1", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Verify(t.Context(), "192.0.2.1", "alice", hash, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if err := h.SetCost(MinCost); err != nil { // of new ones, and of unknown users
		t.Fatal(err)
	}
	closed := Closed(hash)
	for _, password := range []string{"secret", "wrong"} {
		if err := h.Verify(t.Context(), "192.0.2.1", "alice", closed, []byte(password)); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v", password, err)
		}
	}
	if cost, err := bcrypt.Cost(closed); cost != MinCost+1 || err != nil {
		t.Errorf("cost %d, %v", cost, err)
	}
	if err := h.Verify(t.Context(), "192.0.2.1", "alice", hash, []byte("secret")); err != nil {
		t.Errorf("the hash itself: %v", err)
	}
	if Closed([]byte("no hash")) != nil || Closed(nil) != nil {
		t.Error("of no hash")
	}
}
