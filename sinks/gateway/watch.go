package gateway

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"heartwire/sinks"
	"heartwire/topics"
)

// unwatched is what the watcher has said is not monitored, by unit and node: the
// newest page of each. It is told as a whole, so that a client that has missed
// one has missed nothing.
type unwatched struct {
	mu   sync.Mutex
	said map[unwatchedOf]said
	told bool // clients have been told of some
}

type unwatchedOf struct{ of, node string }

type said struct {
	page *topics.Page
	at   time.Time
}

// A watcher says again at least hourly what goes on. One that does not is gone,
// and what it knew with it.
const unwatchedFor = 65 * time.Minute

// take folds a page.
func (u *unwatched) take(now time.Time, p *topics.Page) {
	m := p.GetMonitoring()
	if m == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	of := unwatchedOf{p.GetOf(), m.GetNode()}
	if m.GetResumed() {
		delete(u.said, of)
		return
	}
	if u.said == nil {
		u.said = map[unwatchedOf]said{}
	}
	u.said[of] = said{p, now}
}

// message is what clients are to be told this second; nil: nothing.
func (u *unwatched) message(now time.Time) *message {
	u.mu.Lock()
	defer u.mu.Unlock()
	w := &Watch{}
	for of, s := range u.said {
		if now.Sub(s.at) > unwatchedFor {
			delete(u.said, of)
			continue
		}
		m := s.page.GetMonitoring()
		unit, _ := strings.CutPrefix(s.page.GetOf(), topics.UnitOf(""))
		if s.page.GetOf() == topics.SiteOf {
			unit = ""
		}
		w.Stopped = append(w.Stopped, &Stopped{
			Scope: m.GetScope(), Unit: unit, Node: m.GetNode(), SinceUs: m.GetSinceUs(), Reason: m.GetReason(),
			Patients: uint32(len(m.GetPatients())), Priority: s.page.GetPriority(),
		})
	}
	if len(w.Stopped) == 0 && !u.told {
		return nil
	}
	u.told = len(w.Stopped) > 0
	slices.SortFunc(w.Stopped, func(a, b *Stopped) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Node, b.Node))
	})
	return say(kindWatch, &ServerMessage{Kind: &ServerMessage_Watch{Watch: w}})
}

// Pages is the sink of the topic pages. Clients are told with the next Heartbeat
// who is not monitored.
func (g *Gateway) Pages() sinks.Sink[*topics.Page] { return pages{&g.watch} }

type pages struct{ watch *unwatched }

func (p pages) Close(context.Context) error { return nil }

func (p pages) Deliver(ctx context.Context, batch []topics.Record[*topics.Page]) error {
	return deliver(ctx, batch, func(r *topics.Record[*topics.Page]) error {
		if r.Value == nil {
			return errEmpty
		}
		p.watch.take(time.Now(), r.Value)
		return nil
	})
}
