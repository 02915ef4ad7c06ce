package gateway

import (
	"heartwire/sinks/gateway/access"
	"heartwire/topics"
)

// A patient whom somebody may not see is answered as one of whom nothing is
// known: by the same messages, out of the same work.

// unit is the one that decides who may see a patient. The lock is held.
func (p *patient) unit() string {
	if !p.registered || p.bed.GetUnit() == "" {
		return access.Unassigned
	}
	return p.bed.GetUnit()
}

// sees reports whether a client may see the patients of a unit.
func (c *client) sees(unit string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who.Sees(unit)
}

// review looks again at who is told of a patient: it has appeared, or lies in
// another unit.
func (w *ward) review(key topics.Key) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for c := range w.clients {
		w.reconsider(c, key)
	}
}

// reconsider begins or ends what a client is told of a patient, as it may see
// it now. The ward's lock is held.
func (w *ward) reconsider(c *client, key topics.Key) {
	p := w.patients[key]
	if p == nil {
		return
	}
	topicsOfAll, all := w.all[c]
	p.mu.Lock()
	defer p.mu.Unlock()
	has, sees := p.listens(c), c.sees(p.unit())
	switch {
	case has && !sees:
		p.forget(c)
		c.lose(key)
		gone := say(kindBed, &ServerMessage{Kind: &ServerMessage_Bed{Bed: &Bed{Patient: string(key), Discharged: true}}})
		gone.patient = key
		c.push(gone)
		w.trail.saw(c, whatSeeEnd, key)
	case !has && sees:
		c.regain(key, topicsOfAll, all && p.known)
	}
}

// shows reports whether somebody may see a patient who is there.
func (w *ward) shows(id identity, key topics.Key) bool {
	w.mu.RLock()
	p := w.patients[key]
	w.mu.RUnlock()
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known && id.Sees(p.unit())
}

// listens reports whether a client is told of the patient. The lock is held.
func (p *patient) listens(c *client) bool {
	for i := range p.subs {
		if p.subs[i].c == c {
			return true
		}
	}
	return false
}

// forget takes a client out of those who are told, and reports whether it was
// among them. The lock is held.
func (p *patient) forget(c *client) bool {
	for i := range p.subs {
		if p.subs[i].c == c {
			p.subs = append(p.subs[:i], p.subs[i+1:]...)
			return true
		}
	}
	return false
}

// lose ends a patient for a client that may no longer see it. What it has
// named it is told again when it may.
func (c *client) lose(key topics.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue.forget(key)
	delete(c.told, layerObject(topics.LayerPatient+"/"+string(key)))
	if v := c.wants[key]; v != nil && !v.named {
		delete(c.wants, key)
	}
}

// regain notes that a patient may be seen whom the client has named, or, with
// all, who is one of all.
func (c *client) regain(key topics.Key, t topicSet, all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.wants[key]; v != nil {
		c.note(key, v.topics)
	} else if all {
		c.note(key, t)
	}
}

// namedKeys are the patients that the client has named.
func (c *client) namedKeys() (keys []topics.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, v := range c.wants {
		if v.named {
			keys = append(keys, key)
		}
	}
	return keys
}
