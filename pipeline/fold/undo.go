package fold

import (
	"fmt"
	"slices"
)

// A step is an event of the log that went well on a key. They are kept to go
// back before one that fails: in a slice for all keys and without pointers,
// because nearly all are thrown away unread.
type step struct {
	event  int32 // in the log
	before int32 // the key's step before it, as cell.last
}

// touch writes a cell's state down before the first change since a Commit.
func (p *Partition[S, PS, In, Out]) touch(c *cell[S]) error {
	if c.dirty {
		return nil
	}
	b, err := PS(&c.state).AppendBinary(c.saved[:0])
	if err != nil {
		return fmt.Errorf("stage %s: write a state down: %w", p.stage.Name, err)
	}
	c.dirty, c.saved, c.savedThrough = true, b, c.through
	p.touched = append(p.touched, c)
	return nil
}

// takeBack puts a cell back to before the event that has just failed: to the
// last Commit, and on over what went well since, which goes well again.
func (p *Partition[S, PS, In, Out]) takeBack(c *cell[S], offset int64) error {
	if err := p.restoreCell(c); err != nil {
		return err
	}
	said := len(p.said)
	for _, i := range p.stepsOf(c) {
		_, _ = p.call(c, &p.log[i])
		p.said = p.said[:said]
	}
	c.through = offset
	if c.fresh && c.last == 0 {
		// Nothing good was ever heard of this key: it is not one.
		p.remove(c)
		isC := func(other *cell[S]) bool { return other == c }
		p.touched = slices.DeleteFunc(p.touched, isC)
		p.marked = slices.DeleteFunc(p.marked, isC)
	}
	return nil
}

// stepsOf are the events that went well on a cell since the last Commit, in order.
func (p *Partition[S, PS, In, Out]) stepsOf(c *cell[S]) (events []int32) {
	for at := c.last; at > 0; at = p.steps[at-1].before {
		events = append(events, p.steps[at-1].event)
	}
	slices.Reverse(events)
	return events
}

func (p *Partition[S, PS, In, Out]) restoreCell(c *cell[S]) error {
	var zero S
	c.state, c.gone = zero, false
	if err := PS(&c.state).UnmarshalBinary(c.saved); err != nil {
		return fmt.Errorf("stage %s: read back the state it has just written down: %w", p.stage.Name, err)
	}
	return nil
}

// Commit says that everything since the last Commit is kept.
func (p *Partition[S, PS, In, Out]) Commit() {
	for _, c := range p.touched {
		c.dirty, c.fresh, c.last = false, false, 0
	}
	for _, c := range p.marked {
		c.due, c.past = false, false
		if c.gone {
			p.remove(c)
		}
	}
	p.touched, p.marked = p.touched[:0], p.marked[:0]
	p.forget()
	p.before, p.beforeThrough = p.time, p.through
}

// Rollback puts everything back to the last Commit. Keys that were due stay
// due: a checkpoint too many harms nobody.
func (p *Partition[S, PS, In, Out]) Rollback() error {
	for _, c := range p.touched {
		c.last = 0
		if c.fresh {
			p.remove(c)
			continue
		}
		if err := p.restoreCell(c); err != nil {
			return err
		}
		c.through, c.dirty = c.savedThrough, false
	}
	p.marked = slices.DeleteFunc(p.marked, func(c *cell[S]) bool { return c.fresh })
	p.touched = p.touched[:0]
	p.said, p.bad = p.said[:0], p.bad[:0]
	p.forget()
	p.time, p.through = p.before, p.beforeThrough
	return nil
}

// forget empties the log: nothing goes back before now.
func (p *Partition[S, PS, In, Out]) forget() {
	clear(p.log) // records must not be kept alive by it
	p.log, p.steps = p.log[:0], p.steps[:0]
}
