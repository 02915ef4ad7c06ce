package gateway

import (
	"fmt"

	"heartwire/topics"
)

// want is what a client wants of a patient.
type want struct {
	topics  topicSet
	named   bool // by the client, not by "all"
	pending bool
}

// renew is a want by "all" that begins anew.
func (c *client) renew(key topics.Key, t topicSet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(key, t)
}

// want is a want by name.
func (c *client) want(key topics.Key, t topicSet, most int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.wants[key]; v == nil || !v.named {
		if c.named >= most {
			return fmt.Errorf("a client may name %d patients, as max_subscriptions says; unsubscribe from some or ask for all", most)
		}
	}
	if v := c.note(key, t); v != nil && !v.named {
		v.named = true
		c.named++
	}
	return nil
}

func (c *client) note(key topics.Key, t topicSet) *want {
	if c.closing {
		return nil
	}
	v := c.wants[key]
	if v == nil {
		v = new(want)
		c.wants[key] = v
	}
	v.topics = t
	if !v.pending {
		v.pending = true
		c.pending = append(c.pending, key)
		c.rouse()
	}
	return v
}

// unwant forgets a want and reports whether there was one.
func (c *client) unwant(key topics.Key) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.wants[key]
	if v == nil {
		return false
	}
	if v.named {
		c.named--
	}
	delete(c.wants, key)
	return true
}

func (c *client) unwantAll() []topics.Key {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := make([]topics.Key, 0, len(c.wants))
	for key := range c.wants {
		keys = append(keys, key)
	}
	clear(c.wants)
	c.named, c.pending = 0, nil
	return keys
}

// admitted says what is wanted of a patient whose Snapshot is being taken;
// not ok: nothing any more.
func (c *client) admitted(key topics.Key) (t topicSet, named, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.wants[key]
	if v == nil || c.closing {
		return 0, false, false
	}
	v.pending = false
	return v.topics, v.named, true
}
