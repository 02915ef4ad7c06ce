package patch

import (
	"slices"
	"time"
)

// farewell is how long a patch that is switched off waits for acknowledgements.
const farewell = 2 * time.Second

// abandon ends the link: what is under way is waited for, the patches say that
// they are off, and what is left has its fate told.
func (l *link) abandon() {
	if l.dialing != nil {
		if d := <-l.dialing; d.conn != nil {
			d.conn.tear()
		}
	}
	for _, d := range l.devices {
		d.release(func(m *message) { l.keep(m, false) })
	}
	if l.conn != nil {
		for _, d := range l.devices {
			if m, err := d.status(false); err == nil {
				l.live.push(m)
			}
		}
		l.linger(time.Now().Add(farewell))
	}
	if l.conn != nil {
		l.conn.bye()
	}
	for _, m := range l.flying {
		l.drop(m, Unknown)
	}
	for _, m := range slices.Concat(l.live.list, l.backlog.list) {
		l.drop(m, Dropped)
	}
}

// linger sends what is live and waits for acknowledgements.
func (l *link) linger(until time.Time) {
	l.nextOld = until // the backlog would take too long
	timeout := time.NewTimer(time.Until(until))
	defer timeout.Stop()
	for l.conn != nil && len(l.live.list)+len(l.flying) > 0 {
		if err := l.send(time.Now()); err != nil {
			l.conn.tear()
			l.conn = nil
			return
		}
		select {
		case <-timeout.C:
			return
		case id, ok := <-l.conn.acks:
			if !ok {
				l.conn = nil
				return
			}
			l.acknowledged(id, true)
		}
	}
}
