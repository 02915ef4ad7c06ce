package gateway

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"heartwire/topics"
)

// ward is all that the gateway knows: patients, clients, and which client
// wants which patient.
//
// Locks are taken in the order ward, patient, client, and never held while
// anything is written to a socket.
type ward struct {
	cfg     Config
	metrics *metrics

	mu       sync.RWMutex
	patients map[topics.Key]*patient
	devices  map[string]holder  // by settings
	accounts map[string]account // by settings
	clients  map[*client]struct{}
	all      map[*client]topicSet // clients that want every patient
	places   int                  // taken, by clients and by handshakes
	present  sync.WaitGroup       // of the places
	draining bool

	decided decisions
	layers  layers
	trail   *trail
	now     func() time.Time // by which what people ask is dated
}

func newWard(cfg Config, m *metrics, log *slog.Logger) *ward {
	return &ward{
		trail:    newTrail(log, m, time.Now),
		now:      time.Now,
		accounts: make(map[string]account),
		cfg:      cfg,
		metrics:  m,
		patients: make(map[topics.Key]*patient),
		devices:  make(map[string]holder),
		clients:  make(map[*client]struct{}),
		all:      make(map[*client]topicSet),
	}
}

// topicSet is what a client wants of a patient.
type topicSet uint8

const (
	topicFrames topicSet = 1 << iota
	topicAnnotations
	topicChart
	topicAlarms

	everything = topicFrames | topicAnnotations | topicChart | topicAlarms
)

// parseTopics reads the names in a Subscribe; none means all four.
func parseTopics(names []string) (topicSet, error) {
	if len(names) == 0 {
		return everything, nil
	}
	var set topicSet
	for _, n := range names {
		switch n {
		case topics.Frames.Name:
			set |= topicFrames
		case topics.Annotations.Name:
			set |= topicAnnotations
		case topics.Charts.Name:
			set |= topicChart
		case topics.Alarms.Name:
			set |= topicAlarms
		default:
			return 0, fmt.Errorf("%.32q is none of frames, annotations, chart, alarms", n)
		}
	}
	return set, nil
}

// locked is the patient of a key, made when it is new, with its lock held.
func (w *ward) locked(key topics.Key) *patient {
	for {
		w.mu.RLock()
		p := w.patients[key]
		w.mu.RUnlock()
		if p == nil {
			w.mu.Lock()
			if p = w.patients[key]; p == nil {
				p = newPatient(key, w.cfg.PatientBytes)
				w.patients[key] = p
			}
			w.mu.Unlock()
		}
		if p.mu.Lock(); !p.gone {
			return p
		}
		p.mu.Unlock()
	}
}

// fold runs f with the patient's lock held, and looks again at who is told of
// the patient when f made it one to be shown, or of another unit.
func (w *ward) fold(key topics.Key, f func(*patient)) {
	p := w.locked(key)
	known, unit := p.known, p.unit()
	f(p)
	changed := p.known && !known || p.unit() != unit
	p.mu.Unlock()
	if changed {
		w.review(key)
	}
}

// reserve keeps a place for a client whose handshake begins, or says why
// there is none.
func (w *ward) reserve() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.draining:
		return errDraining
	case w.places >= w.cfg.MaxClients:
		return fmt.Errorf("there are %d clients, as many as max_clients allows; close one or raise it", w.places)
	}
	w.places++
	w.present.Add(1)
	return nil
}

// release gives the place back.
func (w *ward) release() {
	w.mu.Lock()
	w.places--
	w.mu.Unlock()
	w.present.Done()
}

// join lets in a client that has a place; false says that it is too late.
func (w *ward) join(c *client) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.draining {
		return false
	}
	w.clients[c] = struct{}{}
	w.metrics.clients.Inc()
	return true
}

// list is the clients as they are now.
func (w *ward) list() []*client {
	w.mu.RLock()
	defer w.mu.RUnlock()
	out := make([]*client, 0, len(w.clients))
	for c := range w.clients {
		out = append(out, c)
	}
	return out
}

// close lets nobody in any more.
func (w *ward) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.draining = true
}

// part takes a client out that writes no more.
func (w *ward) part(c *client) {
	w.mu.Lock()
	if _, in := w.clients[c]; in {
		delete(w.clients, c)
		w.metrics.clients.Dec()
	}
	delete(w.all, c)
	w.mu.Unlock()
	for _, key := range c.unwantAll() {
		w.detach(c, key)
	}
}

// subscribe notes what a client wants; its writer fetches the snapshots.
func (w *ward) subscribe(c *client, s *Subscribe) error {
	wants, err := parseTopics(s.GetTopics())
	if err != nil {
		return err
	}
	for _, name := range s.GetPatients() {
		if len(name) == 0 || len(name) > 256 {
			return fmt.Errorf("the name of a patient has 1 to 256 bytes, this one %d", len(name))
		}
	}
	c.mu.Lock()
	clear(c.told) // layers are told again with the Snapshots
	c.mu.Unlock()
	for _, name := range s.GetPatients() {
		if err := c.want(topics.Key(name), wants, w.cfg.MaxSubscriptions); err != nil {
			return err
		}
	}
	if !s.GetAll() {
		return nil
	}
	// Those whom it may not see are passed over when their Snapshot is due.
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all[c] = wants
	alarming, calm := w.known()
	for _, key := range append(alarming, calm...) {
		c.renew(key, wants)
	}
	return nil
}

// known are the patients to be shown, those with an open alarm first: behind
// a slow line they must not wait for the others. The ward's lock is held.
func (w *ward) known() (alarming, calm []topics.Key) {
	for key, p := range w.patients {
		p.mu.Lock()
		known, alarm := p.known, len(p.alarms) > 0
		p.mu.Unlock()
		switch {
		case known && alarm:
			alarming = append(alarming, key)
		case known:
			calm = append(calm, key)
		}
	}
	return alarming, calm
}

func (w *ward) unsubscribe(c *client, u *Unsubscribe) {
	if u.GetAll() {
		w.mu.Lock()
		delete(w.all, c)
		w.mu.Unlock()
		for _, key := range c.unwantAll() {
			w.detach(c, key)
		}
		return
	}
	for _, name := range u.GetPatients() {
		if c.unwant(topics.Key(name)) {
			w.detach(c, topics.Key(name))
		}
	}
}

// detach ends what a client is told of a patient.
func (w *ward) detach(c *client, key topics.Key) {
	w.mu.RLock()
	p := w.patients[key]
	w.mu.RUnlock()
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.forget(c) {
		w.trail.saw(c, whatSeeEnd, key)
	}
}

// admit puts a Snapshot into the client's queue and makes the client a
// listener, both under the patient's lock: what is folded later follows. A
// client that may not see the patient gets the Snapshot of one of whom nothing
// is known, if it has named it, and nothing follows.
func (w *ward) admit(c *client, key topics.Key) {
	p := w.locked(key)
	wants, named, ok := c.admitted(key)
	sees := c.sees(p.unit())
	if !ok || !sees && !named {
		if ok {
			c.unwant(key)
		}
		p.mu.Unlock()
		return
	}
	shown := p
	if sees {
		w.listen(p, subscriber{c: c, wants: wants, named: named})
	} else {
		shown = newPatient(key, w.cfg.PatientBytes)
	}
	s := shown.recall(wants, w.cfg.Window)
	m := &message{kind: kindSnapshot, worth: essential, patient: key, at: time.Now()}
	c.restart(m)
	for _, v := range s.vitals {
		again := pass(kindChart, serverChart, key, v.record())
		again.worth = number
		c.push(again)
	}
	if sees && wants&topicChart != 0 {
		for _, l := range w.layers.of(key, p.unit()) {
			c.informed(l)
		}
	}
	p.mu.Unlock()
	// The client's writer alone looks at it, and the writer is who is here.
	m.fill(serverSnapshot, "", s.encode())
}

// listen makes a client a listener, or gives one that is other wants. The
// patient's lock is held.
func (w *ward) listen(p *patient, sub subscriber) {
	for i := range p.subs {
		if p.subs[i].c == sub.c {
			p.subs[i] = sub
			return
		}
	}
	p.subs = append(p.subs, sub)
	w.trail.saw(sub.c, whatSee, p.key)
}

// sweep forgets keys that were left long ago, and those that a client named
// and that never came.
func (w *ward) sweep(now time.Time) {
	const after = 10 * time.Minute // alarms of a key that was left have ended by then
	w.mu.Lock()
	defer w.mu.Unlock()
	shown := 0
	for key, p := range w.patients {
		p.mu.Lock()
		idle := !p.known && (!p.left || now.Sub(p.leftWall) > after)
		for _, s := range p.subs {
			idle = idle && !s.named
		}
		if idle {
			p.gone = true
			delete(w.patients, key)
			for _, s := range p.subs {
				s.c.unwant(key)
				w.trail.saw(s.c, whatSeeEnd, key)
			}
		}
		if p.known {
			shown++
		}
		p.mu.Unlock()
	}
	w.metrics.patients.Set(float64(shown))
}

// decisions remembers the newest tick that alarms passed on, by partition.
type decisions struct {
	mu   sync.Mutex
	last map[int32]*topics.Tick
}

func (d *decisions) tick(partition int32, t *topics.Tick) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		d.last = make(map[int32]*topics.Tick)
	}
	if last := d.last[partition]; last == nil || t.Follows(last.GetN(), last.GetOwner()) {
		d.last[partition] = t
	}
}

// us is the time up to which every partition has been judged, in UTC µs; 0
// when nothing is known. The partition that is furthest behind counts: a
// stage that stands still must not hide behind the others.
func (d *decisions) us() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var us int64
	for _, t := range d.last {
		if us == 0 || t.GetWallUs() < us {
			us = t.GetWallUs()
		}
	}
	return us
}
