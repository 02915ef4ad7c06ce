package patch

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// link is the radio of one patch, or of several that share a connection. One
// goroutine runs it: it lets its devices measure when they are due, and keeps
// what cannot be sent yet.
type link struct {
	conf    *Config
	broker  *broker
	id      string // MQTT client identifier
	devices []*device
	luck    *chance
	window  int // messages without acknowledgement
	limit   int // messages in backlog
	ward    *Ward

	conn    *conn
	dialing chan dialled // nil unless a dial is under way
	retryAt time.Time    // when to dial next
	fails   int          // dials that failed since the last connection
	gapAt   time.Time    // when the connection is next torn on purpose; zero never

	flying   []*message // written and not acknowledged, in order
	live     queue      // to be sent at once
	backlog  queue      // measured while the broker was away; sent beside live, not faster than CatchUp
	nextOld  time.Time  // when the backlog may send again
	packetID uint16
}

type dialled struct {
	conn *conn
	err  error
}

// queue is a first-in-first-out queue that does not hold what has left it.
type queue struct{ list []*message }

func (q *queue) push(m *message) { q.list = append(q.list, m) }

func (q *queue) pop() *message {
	m := q.list[0]
	q.list[0] = nil
	if q.list = q.list[1:]; len(q.list) == 0 {
		q.list = nil
	}
	return m
}

// run publishes until ctx ends or all devices are over, then says goodbye.
func (l *link) run(ctx context.Context) error {
	if every := l.conf.Behaviour.GapEvery; every > 0 {
		l.gapAt = time.Now().Add(l.wall(every, l.luck.between(0.3, 1)))
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer l.abandon()
	for {
		now := time.Now()
		if ctx.Err() != nil {
			return nil
		}
		if err := l.measure(now); err != nil {
			return err
		}
		l.tearIfDue(now)
		l.dialIfDue(ctx, now)
		if err := l.send(now); err != nil {
			l.lost(now, err)
			continue
		}
		if l.done() {
			return nil
		}
		timer.Reset(l.wait(now))
		var acks chan uint16
		if l.conn != nil {
			acks = l.conn.acks
		}
		select {
		case <-ctx.Done():
		case <-timer.C:
		case d := <-l.dialing:
			l.dialled(d, time.Now())
		case id, ok := <-acks:
			l.acknowledged(id, ok)
		}
	}
}

// wall is a duration of the patient's time, times a factor, on the wall.
func (l *link) wall(d time.Duration, factor float64) time.Duration {
	return time.Duration(float64(d) * factor / l.conf.Speed)
}

// stale is how late a frame may be and still be sent as live.
const stale = time.Second

// measure lets the devices measure all that is due. While a connected broker
// is slow they wait, so that nothing has to be thrown away.
func (l *link) measure(now time.Time) error {
	for !l.devices[0].over && !l.devices[0].due.After(now) {
		if l.conn != nil && len(l.live.list) >= l.window {
			return nil
		}
		d := l.devices[0]
		old := now.Sub(d.due) > stale && l.conf.Speed == 1
		rebooted, err := d.next(func(m *message) { l.keep(m, old) }, l.ward.told)
		if err != nil {
			return err
		}
		l.sift()
		if rebooted {
			if err := l.reboot(d, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// sift puts the first device where its due time belongs; those that are over come last.
func (l *link) sift() {
	d := l.devices[0]
	i, _ := slices.BinarySearchFunc(l.devices[1:], d, func(a, b *device) int {
		if a.over != b.over {
			if a.over {
				return 1
			}
			return -1
		}
		return cmp.Or(a.due.Compare(b.due), -1) // after its equals, so that they take turns
	})
	copy(l.devices, l.devices[1:i+1])
	l.devices[i] = d
}

// keep queues a message; the oldest of a full backlog are dropped.
func (l *link) keep(m *message, old bool) {
	if l.conn != nil && !old {
		l.live.push(m)
		return
	}
	for len(l.backlog.list) >= max(1, l.limit) {
		l.drop(l.backlog.pop(), Dropped)
	}
	l.backlog.push(m)
}

// drop ends a message whose fate is not to be delivered.
func (l *link) drop(m *message, f Fate) {
	if !m.isFrame || m.copied {
		return
	}
	m.entry.Fate, m.entry.Done = f, time.Now()
	l.ward.told(m.entry)
}

// reboot lets the world see that a device began a new boot: alone on its
// connection it is gone for a moment, and its will names the new boot.
func (l *link) reboot(d *device, now time.Time) error {
	if len(l.devices) == 1 {
		l.lost(now, nil)
		l.retryAt = d.at(d.taken)
		return nil
	}
	m, err := d.status(true)
	if err == nil && l.conn != nil {
		l.live.push(m)
	}
	return err
}

// tearIfDue begins a gap that the behaviour asks for.
func (l *link) tearIfDue(now time.Time) {
	if l.gapAt.IsZero() || now.Before(l.gapAt) {
		return
	}
	b := &l.conf.Behaviour
	l.lost(now, nil)
	l.retryAt = now.Add(l.wall(b.GapFor, 1))
	l.gapAt = now.Add(l.wall(b.GapEvery, l.luck.between(0.7, 1.3)))
}

// lost is called when the connection is gone, with an error unless that was
// on purpose. What was under way stays so; what was waiting is backlog now.
func (l *link) lost(now time.Time, cause error) {
	if l.conn == nil {
		return
	}
	l.conn.tear()
	l.conn = nil
	// Not at once: a broker that is about to stop may still take a connection
	// and never answer on it, and a thousand patches need not come together.
	l.retryAt = now.Add(time.Duration(l.luck.between(0.1, 0.4) * 1e9))
	l.ward.away(l, cause)
	// A status is said anew by the next connection.
	isStatus := func(m *message) bool { return m.retain }
	l.flying = slices.DeleteFunc(l.flying, isStatus)
	for _, m := range slices.DeleteFunc(l.live.list, isStatus) {
		l.keep(m, true)
	}
	l.live.list = nil
}

// dialIfDue begins to connect.
func (l *link) dialIfDue(ctx context.Context, now time.Time) {
	if l.conn != nil || l.dialing != nil || now.Before(l.retryAt) {
		return
	}
	will, err := l.devices[0].status(false)
	if err != nil {
		l.retryAt = now.Add(time.Second)
		return
	}
	l.dialing = make(chan dialled, 1)
	go func(answer chan<- dialled) {
		c, err := l.broker.dial(ctx, l.id, l.window, will)
		answer <- dialled{c, err}
	}(l.dialing)
}

// dialled takes a dial's result. What the last connection left without
// acknowledgement goes first, under its own numbers, then presence.
func (l *link) dialled(d dialled, now time.Time) {
	l.dialing = nil
	if d.err != nil {
		l.fails++
		l.retryAt = now.Add(time.Duration(float64(min(250*time.Millisecond<<min(l.fails-1, 3), 2*time.Second)) * l.luck.between(0.7, 1)))
		l.ward.away(l, d.err)
		return
	}
	l.conn, l.fails, l.nextOld = d.conn, 0, now
	l.ward.back(l)
	for _, m := range l.flying {
		if l.conn.publish(m, true) != nil {
			break // the writer keeps its error: the next flush says it
		}
	}
	for _, dev := range l.devices {
		if m, err := dev.status(true); err == nil {
			l.live.push(m)
		}
	}
	if l.recent(now) {
		l.live.list = append(l.live.list, l.backlog.list...)
		l.backlog = queue{}
	}
}

// recent says that all of the backlog was measured so lately that it can go
// out as if the connection had not been lost, and in order.
func (l *link) recent(now time.Time) bool {
	i := slices.IndexFunc(l.backlog.list, func(m *message) bool { return m.isFrame })
	return i < 0 || now.Sub(l.backlog.list[i].entry.Due) <= stale
}

// send writes what may be sent now.
func (l *link) send(now time.Time) error {
	if l.conn == nil {
		return nil
	}
	for len(l.live.list) > 0 && len(l.flying) < l.window {
		if err := l.write(l.live.pop(), now); err != nil {
			return err
		}
	}
	step := l.wall(l.conf.Frame, 1/l.conf.CatchUp/float64(len(l.devices)))
	for len(l.backlog.list) > 0 && len(l.flying) < l.window && !l.nextOld.After(now) {
		// A late timer must not slow it down, a long rest not make it a burst.
		l.nextOld = later(l.nextOld, now.Add(-50*time.Millisecond)).Add(step)
		if err := l.write(l.backlog.pop(), now); err != nil {
			return err
		}
	}
	return l.conn.flush(now)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// write sends one message for the first time. It counts as under way even
// when writing fails, for some of it may have left.
func (l *link) write(m *message, now time.Time) error {
	for {
		if l.packetID++; l.packetID != 0 && !slices.ContainsFunc(l.flying, func(f *message) bool { return f.id == l.packetID }) {
			break
		}
	}
	m.id, m.entry.Sent = l.packetID, now
	l.flying = append(l.flying, m)
	l.ward.sent.Add(1)
	return l.conn.publish(m, false)
}

// acknowledged takes an acknowledgement; !ok says that the connection is gone.
func (l *link) acknowledged(id uint16, ok bool) {
	if !ok {
		l.lost(time.Now(), l.conn.cause)
		return
	}
	i := slices.IndexFunc(l.flying, func(m *message) bool { return m.id == id })
	if i < 0 {
		return // a broker may acknowledge twice
	}
	m := l.flying[i]
	l.flying = slices.Delete(l.flying, i, i+1)
	if m.isFrame && !m.copied {
		m.entry.Fate, m.entry.Done = Delivered, time.Now()
		l.ward.told(m.entry)
	}
}

// wait is how long nothing has to be done.
func (l *link) wait(now time.Time) time.Duration {
	next := now.Add(keepAlive / 4)
	sooner := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	held := l.conn != nil && len(l.live.list) >= l.window
	if d := l.devices[0]; !d.over && !held {
		sooner(d.due)
	}
	if !l.gapAt.IsZero() {
		sooner(l.gapAt)
	}
	if l.conn == nil && l.dialing == nil {
		sooner(l.retryAt)
	}
	if l.conn != nil && len(l.backlog.list) > 0 && len(l.flying) < l.window {
		sooner(l.nextOld)
	}
	return max(0, next.Sub(now))
}

// done reports that all is measured, sent and acknowledged.
func (l *link) done() bool {
	return l.devices[0].over && len(l.flying)+len(l.live.list)+len(l.backlog.list) == 0
}
