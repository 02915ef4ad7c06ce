package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// trail writes who saw and changed what to the topic audit, as one chain. What
// is seen never waits for it: a record that finds no room is counted, and the
// next one says how many. What is done waits until it is in the log that it was
// asked for; what cannot be noted is not done.
type trail struct {
	out     topics.Writer // nil: nobody writes
	log     *slog.Logger
	metrics *metrics
	now     func() time.Time

	urgent chan entry // what people do
	rest   chan entry // what they see, and what was refused
	lost   atomic.Uint64
	closed chan struct{} // no more will come
	once   sync.Once

	head topics.AuditHead // its goroutine's alone
}

type entry struct {
	audit *topics.Audit
	done  chan error // nil: nobody waits; else it has room for one
}

const (
	trailActs  = 1024
	trailReads = 16384 // sixteen clients that begin to see a thousand patients
	trailBatch = 500
	trailTries = 10 * time.Second // of one write
	trailWaits = 2 * time.Second  // whoever does something, for the record of it; and the end of a process for all
)

func newTrail(log *slog.Logger, m *metrics, now func() time.Time) *trail {
	return &trail{
		log: log, metrics: m, now: now, head: topics.AuditHead{Writer: rand.Text()},
		urgent: make(chan entry, trailActs), rest: make(chan entry, trailReads), closed: make(chan struct{}),
	}
}

var errNoRoom = errors.New("the audit trail is full")

// sure returns nil when the record is in the log.
func (t *trail) sure(ctx context.Context, a *topics.Audit) error {
	ctx, cancel := context.WithTimeout(ctx, trailWaits)
	defer cancel()
	a.TimeUs = t.now().UnixMicro()
	e := entry{a, make(chan error, 1)}
	select {
	case t.urgent <- e:
	default:
		t.lose()
		return errNoRoom
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note writes the record soon; nobody waits for it.
func (t *trail) note(a *topics.Audit) {
	if t.out == nil {
		return
	}
	a.TimeUs = t.now().UnixMicro()
	room := t.rest
	if a.GetResult() == resultDone {
		room = t.urgent
	}
	select {
	case room <- entry{audit: a}:
	default:
		t.lose()
	}
}

func (t *trail) lose() {
	t.lost.Add(1)
	t.metrics.unaudited.Inc()
}

// run writes the chain until close, and what waits then for a short time.
func (t *trail) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-t.closed
		time.AfterFunc(trailWaits, cancel)
	}()
	for {
		batch := t.take()
		if len(batch) == 0 {
			return
		}
		t.chain(ctx, batch)
	}
}

// close lets run end. Nothing may be noted after it that has to be written.
func (t *trail) close() { t.once.Do(func() { close(t.closed) }) }

// take waits for records, what people do first; none: it is over.
func (t *trail) take() (batch []entry) {
	select {
	case e := <-t.urgent:
		batch = append(batch, e)
	default:
		select {
		case e := <-t.urgent:
			batch = append(batch, e)
		case e := <-t.rest:
			batch = append(batch, e)
		case <-t.closed:
		}
	}
	for len(batch) < trailBatch {
		select {
		case e := <-t.urgent:
			batch = append(batch, e)
			continue
		default:
		}
		select {
		case e := <-t.rest:
			batch = append(batch, e)
			continue
		default:
		}
		break
	}
	return batch
}

// chain links the records of a batch and writes them, again and again while
// they cannot be written: a repeat is known by its place in the chain.
func (t *trail) chain(ctx context.Context, batch []entry) {
	values := make([]proto.Message, len(batch))
	for i, e := range batch {
		a := e.audit
		a.Lost = t.lost.Swap(0)
		if err := t.head.Link(a); err != nil { // text that is not UTF-8: a path or a user by HTTP
			a.Person, a.Subject = strings.ToValidUTF8(a.Person, "?"), strings.ToValidUTF8(a.Subject, "?")
			_ = t.head.Link(a)
		}
		values[i] = a
	}
	var err error
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		tried, cancel := context.WithTimeout(ctx, trailTries)
		err = t.out.Write(tried, topics.Audits, values...)
		cancel()
		if err == nil || ctx.Err() != nil {
			break
		}
		t.log.Error("the audit trail cannot be written, so nothing can be done by anybody until it can", "err", err, "in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	for _, e := range batch {
		if e.done != nil {
			e.done <- err
		}
	}
}

// Values of Audit.what and Audit.result.
const (
	whatSee    = "see"
	whatSeeEnd = "see-end"
	whatRead   = "read"
	whatAct    = "act"
	whatAsk    = "ask"

	resultAsked = "asked"
	resultDone  = "done"
)

// audit begins a record of what somebody does.
func (a asker) audit(id identity, what, subject string) *topics.Audit {
	who := id.account
	if who == "" {
		who = a.user
	}
	return &topics.Audit{Subject: subject, Person: who, Channel: a.channel, Address: a.address, What: what}
}

// saw notes that what a client is told of a patient begins or ends.
func (t *trail) saw(c *client, what string, key topics.Key) {
	if t.out == nil {
		return
	}
	c.mu.Lock()
	id := c.who
	c.mu.Unlock()
	t.note(c.asker.audit(id, what, string(key)))
}
