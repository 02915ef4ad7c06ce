package gateway

import (
	"strings"
	"sync"

	"heartwire/topics"
)

// layers are what the site, its units and its patients say of limits: those
// who see a patient see where the patient's limits come from.
type layers struct {
	mu  sync.RWMutex
	all map[string]layer // by object: layer/site, layer/unit/4W, layer/patient/p01; and those of profiles and bounds, which nobody is told
}

type layer struct {
	set *topics.Setting
	m   *message
}

// layerObject is the object in settings of a layer.
func layerObject(of string) string { return "layer/" + of }

// put takes the newest version of a layer; false: it is a repeat.
func (l *layers) put(set *topics.Setting, raw []byte) (layer, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, has := l.all[set.GetObject()]; has && set.GetVersion() <= old.set.GetVersion() {
		return layer{}, false
	}
	now := layer{set, pass(kindSetting, serverSetting, "", raw)}
	if l.all == nil {
		l.all = make(map[string]layer)
	}
	l.all[set.GetObject()] = now
	return now, true
}

// newest is what is said in the layer of something; nil: nothing ever was.
func (l *layers) newest(of string) *topics.Setting {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.all[layerObject(of)].set
}

// settings are all that limits in force are resolved from, but a patient.
func (l *layers) settings() (out []*topics.Setting) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, v := range l.all {
		out = append(out, v.set)
	}
	return out
}

// of are the layers beneath and of a patient that say something.
func (l *layers) of(key topics.Key, unit string) (out []layer) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, of := range [...]string{topics.LayerSite, topics.LayerUnit + "/" + unit, topics.LayerPatient + "/" + string(key)} {
		if v, has := l.all[layerObject(of)]; has {
			out = append(out, v)
		}
	}
	return out
}

// informed tells a client of a layer, unless it has been told of this version.
func (c *client) informed(l layer) {
	c.mu.Lock()
	object, version := l.set.GetObject(), l.set.GetVersion()
	old, has := c.told[object]
	if fresh := !has || old < version; !fresh {
		c.mu.Unlock()
		return
	}
	c.told[object] = version
	c.mu.Unlock()
	c.push(l.m)
}

// relayer takes a layer and tells those who see somebody whom it concerns.
func (w *ward) relayer(set *topics.Setting, raw []byte) {
	l, is := w.layers.put(set, raw)
	if !is || set.GetLayer() == nil {
		return
	}
	of := strings.TrimPrefix(set.GetObject(), "layer/")
	kind, name, _ := strings.Cut(of, "/")
	w.mu.RLock()
	defer w.mu.RUnlock()
	if kind == topics.LayerPatient {
		if p := w.patients[topics.Key(name)]; p != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, s := range p.subs {
				if s.wants&topicChart != 0 {
					s.c.informed(l)
				}
			}
		}
		return
	}
	for c := range w.clients {
		if c.looksAt(kind, name) {
			c.informed(l)
		}
	}
}

// looksAt reports whether a client is to know of the layer of the site, or of
// a unit: it may see those whom it concerns, and looks at somebody's limits.
func (c *client) looksAt(kind, unit string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kind == topics.LayerUnit && !c.who.Sees(unit) {
		return false
	}
	for _, v := range c.wants {
		if v.topics&topicChart != 0 {
			return true
		}
	}
	return false
}
