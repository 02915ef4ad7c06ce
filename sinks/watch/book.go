package watch

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// book keeps what has been said of each subject, by this watcher and by others,
// and says what there is to be said. It does no I/O and reads no clock.
type book struct {
	repeat time.Duration
	open   map[subject]*outage
}

// outage is a page that is not over.
type outage struct {
	page  *topics.Page // as it was said last
	said  time.Time
	ours  bool      // said here, or found here too
	sound time.Time // of another's: since when we find it well
}

const (
	// settled is how long who is concerned must stay the same before fewer of
	// them are worth a word. More of them are said at once.
	settled = 5 * time.Second
	// othersEnd is how long what another watcher has said is well before this
	// one says so: the other one is to say it, unless it is no more.
	othersEnd = 20 * time.Second
)

func newBook(repeat time.Duration) *book {
	return &book{repeat: repeat, open: map[subject]*outage{}}
}

// settle says what a look has found, in the order in which it is to be told.
func (b *book) settle(now time.Time, wallUs int64, v *view) (say []*topics.Page) {
	for i := range v.stopped {
		f := &v.stopped[i]
		o := b.open[f.subject]
		if o == nil {
			o = &outage{page: f.page(wallUs), said: now, ours: true}
			b.open[f.subject] = o
			say = append(say, o.page)
			continue
		}
		o.ours, o.sound = true, time.Time{}
		next := f.page(wallUs)
		next.Id = o.page.GetId()
		next.GetMonitoring().SinceUs = o.page.GetMonitoring().GetSinceUs()
		next.GetMonitoring().Again = true
		quiet := now.Sub(o.said)
		if quiet >= b.repeat || grown(o.page, next) || quiet >= settled && changed(o.page, next) {
			o.page, o.said = next, now
			say = append(say, next)
		}
	}
	return append(say, b.end(now, wallUs, v)...)
}

// end says what is over.
func (b *book) end(now time.Time, wallUs int64, v *view) (say []*topics.Page) {
	for s, o := range b.open {
		if !v.sound(s) {
			o.sound = time.Time{}
			continue
		}
		if o.sound.IsZero() {
			o.sound = now
		}
		if !o.ours && now.Sub(o.sound) < othersEnd {
			continue
		}
		p := proto.CloneOf(o.page)
		p.TimeUs = wallUs
		p.GetMonitoring().Resumed, p.GetMonitoring().Again, p.GetMonitoring().ResumedUs = true, false, wallUs
		say = append(say, p)
		delete(b.open, s)
	}
	slices.SortFunc(say, func(x, y *topics.Page) int { return compareIDs(x, y) })
	return say
}

func compareIDs(x, y *topics.Page) int {
	switch {
	case x.GetId() < y.GetId():
		return -1
	case x.GetId() > y.GetId():
		return 1
	}
	return 0
}

// read takes a page that stands in the log, this watcher's own among them.
func (b *book) read(now time.Time, p *topics.Page) {
	m := p.GetMonitoring()
	if m == nil {
		return
	}
	s := subject{p.GetOf(), m.GetNode()}
	o := b.open[s]
	switch {
	case m.GetResumed():
		if o != nil && !o.ours {
			delete(b.open, s)
		}
	case o == nil:
		b.open[s] = &outage{page: p, said: now}
	case !o.ours:
		o.page, o.said = p, now
	case p.GetId() == o.page.GetId():
		o.said = now // another one has said it again
	}
}

// page is what is to be said of a finding that is new. Its id is that of the
// subject and of the last decision, so two watchers who find the same say the same.
func (f *finding) page(wallUs int64) *topics.Page {
	m := &topics.Monitoring{Scope: f.scope, Node: f.node, SinceUs: f.sinceUs, Reason: f.reason, LastSeen: f.lastSeen}
	for _, key := range f.patients {
		m.Patients = append(m.Patients, string(key))
	}
	name := f.of
	if f.node != "" {
		name = "node/" + f.node
	}
	return &topics.Page{
		Of: f.of, TimeUs: wallUs, Id: fmt.Sprintf("%s@%d", name, f.sinceUs), Priority: topics.Priority_PRIORITY_HIGH,
		Kind: &topics.Page_Monitoring{Monitoring: m},
	}
}

// grown reports whether somebody is concerned who was not.
func grown(was, is *topics.Page) bool {
	before, after := was.GetMonitoring(), is.GetMonitoring()
	if after.GetScope() > before.GetScope() {
		return true
	}
	return slices.ContainsFunc(after.GetPatients(), func(key string) bool {
		_, there := slices.BinarySearch(before.GetPatients(), key)
		return !there
	})
}

// changed reports whether another thing is to be said.
func changed(was, is *topics.Page) bool {
	before, after := was.GetMonitoring(), is.GetMonitoring()
	return before.GetScope() != after.GetScope() || before.GetReason() != after.GetReason() ||
		before.GetLastSeen() != after.GetLastSeen() || !slices.Equal(before.GetPatients(), after.GetPatients())
}
