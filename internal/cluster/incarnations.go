package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/fsm"
	"ciderd/internal/pipeline"
	"ciderd/internal/storage"
)

// The state has, for each server, the incarnation of its last batch, and skips batches of lower ones. If it has one
// of this server that this server has not reached (a directory that was restored from a copy, or a foreign process
// that used its name), its writes would end for good. So it continues above that incarnation.

// incarnations keeps this process's incarnation above that of the state.
type incarnations struct {
	self     string // this node's server id
	storage  *storage.Storage
	pipeline *pipeline.Pipeline
	fatal    func(error)
	log      hclog.Logger

	highest atomic.Uint64
	told    chan struct{}
}

// outrun is called with an incarnation in the state above this process's own, on Raft's goroutine.
func (i *incarnations) outrun(incarnation uint64) {
	for old := i.highest.Load(); incarnation > old; old = i.highest.Load() {
		i.highest.CompareAndSwap(old, incarnation)
	}
	signal(i.told)
}

// run works until ctx ends.
func (i *incarnations) run(ctx context.Context) {
	for {
		select {
		case <-i.told:
		case <-ctx.Done():
			return
		}
		err := i.goAhead(i.highest.Load())
		if errors.Is(err, errImpossible) {
			i.fatal(err)
			return
		}
		if err != nil { // such as a full disk
			i.log.Warn("this server's writes wait", "error", err)
			time.AfterFunc(time.Second, func() { signal(i.told) })
		}
	}
}

func (i *incarnations) goAhead(of uint64) error {
	own := i.pipeline.Incarnation()
	if own > of {
		return nil
	}
	if of >= fsm.MaxIncarnation {
		return fmt.Errorf("%w: the state has a batch of %s of incarnation %d, and there is none above it: remove its data directory to let it join as a new one",
			errImpossible, i.self, of)
	}
	// Stored first: the next start must be above it as well.
	if err := i.storage.RaiseIncarnation(of + 1); err != nil {
		return fmt.Errorf("storing an incarnation above that of the state: %w", err)
	}
	i.log.Error("the state has a batch of this server that its process has not made (is its data directory an old copy?): going on above it",
		"server", i.self, "incarnation", own, "the state's", of, "from now on", of+1)
	i.pipeline.Renew(of + 1)
	return nil
}
