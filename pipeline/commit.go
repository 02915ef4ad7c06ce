package pipeline

import (
	"context"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/failpoint"
)

// commit writes what was said, the checkpoints that are due and the offsets
// that were read, in one transaction. An error means that the outcome is unknown.
func (s *stageRun) commit(ctx context.Context, owned []*task) (bool, error) {
	if err := s.sess.Begin(); err != nil {
		return false, err
	}
	failpoint.Hit(failpoint.StageBegun)
	var failed atomic.Pointer[error]
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	kept := false
	for _, t := range owned {
		for _, r := range t.out {
			s.sess.Produce(ctx, r, promise)
		}
		if t.n == 0 && len(t.out) == 0 {
			continue
		}
		err := t.Keep(s.env.Build, func(r *kgo.Record) {
			s.sess.Produce(ctx, r, promise)
			kept = true
		})
		if err != nil {
			return false, err
		}
	}
	// The client commits in spite of a failed produce: look first.
	if err := s.sess.Client().Flush(ctx); err != nil {
		return false, err
	}
	try := kgo.TryCommit
	if err := failed.Load(); err != nil {
		s.env.Log.Warn("a transaction is taken back", "err", *err)
		try = kgo.TryAbort
	}
	failpoint.Hit(failpoint.StageProduced)
	committed, err := s.sess.End(ctx, try)
	failpoint.Hit(failpoint.StageCommitted)
	if kept && committed {
		s.env.metrics.checkpoint.WithLabelValues(s.name).SetToCurrentTime()
	}
	return committed, err
}
