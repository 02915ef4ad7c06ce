package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// check holds what a replay of one partition says against what was said of it,
// in step: a partition's outputs stand in the log in the order of its inputs,
// so it needs memory for one input's outputs and no more.
//
// It compares the outputs whose partitions are those of the input, ticks that
// are passed on among them. Rejects are left out: the stack of a panic names
// addresses.
type check struct {
	past
	stretch
	keys     map[topics.Key]bool // nil: all
	compared *atomic.Int64
	differ   func(Difference)

	spoken []*spoken
	now    map[heard]twin // of one input, reused
}

// spoken is what was said in one topic.
type spoken struct {
	topic   topics.Any
	name    string // with the site
	until   int64
	records chan *kgo.Record
	err     error // once records is closed

	ahead *kgo.Record // read and not compared yet
	at    int64       // input of ahead
	last  int64       // newest input of those before
}

// twin is a record that is said again.
type twin struct {
	value []byte
	met   bool // it stands in the log
}

// aligned are the outputs of a stage whose partitions are those of its input.
func (p *plan) aligned() (same, other []topics.Any) {
	for _, out := range p.outs {
		if out.About().Spread == p.in.About().Spread {
			same = append(same, out)
		} else {
			other = append(other, out)
		}
	}
	return same, other
}

// start begins to read what was said of the stretch, whose first record is of
// the time began. The reading ends with ctx.
func (c *check) start(ctx context.Context, began time.Time, ends map[string]map[int32]int64) {
	c.now = map[heard]twin{}
	same, _ := c.aligned()
	for _, out := range same {
		name := out.About().On(c.conf.Site)
		s := &spoken{topic: out, name: name, until: ends[name][c.index], records: make(chan *kgo.Record, 256)}
		c.spoken = append(c.spoken, s)
		go func() {
			defer close(s.records)
			if err := c.read(ctx, s, began); !errors.Is(err, errBeyond) {
				s.err = err
			}
		}()
	}
}

var errBeyond = errors.New("beyond the stretch")

func (c *check) read(ctx context.Context, s *spoken, began time.Time) error {
	// What is said of a record is written after it, by clocks that differ a little.
	starts, err := c.at(ctx, s.name, began.Add(-time.Minute))
	if err != nil {
		return err
	}
	from, until := map[int32]int64{c.index: starts[c.index]}, map[int32]int64{c.index: s.until}
	return kafka.ReadRange(ctx, c.conf, c.log, s.name, from, until, func(r *kgo.Record) error {
		at, ours := c.input(r)
		switch {
		case !ours || at < c.from || !c.follows(r):
			return nil
		case at >= c.to:
			return errBeyond
		}
		select {
		case s.records <- r:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// input is the offset that a record was said of, when it is of this partition's input.
func (c *check) input(r *kgo.Record) (offset int64, ours bool) {
	o := kafka.Envelope[struct{}](r).Origin
	return o.Offset, o.Source == c.in.About().Name && o.Partition == c.index && o.Epoch == c.epoch
}

// follows reports whether a record is of a key that is asked for.
func (c *check) follows(r *kgo.Record) bool {
	return c.keys == nil || c.keys[topics.Key(r.Key)]
}

// hold compares what folding the input record in said again.
func (c *check) hold(in *kgo.Record, said []*kgo.Record) error {
	for _, s := range c.spoken {
		clear(c.now)
		for _, r := range said {
			if r.Topic == s.name && c.follows(r) {
				h, _ := hear(r)
				c.now[h] = twin{value: r.Value}
				c.compared.Add(1)
			}
		}
		if err := c.meet(s, in); err != nil {
			return err
		}
		for _, r := range said {
			if r.Topic != s.name || !c.follows(r) {
				continue
			}
			if h, _ := hear(r); !c.now[h].met {
				c.differ(Difference{Origin: h.origin, What: "new", Topic: s.topic, Key: h.key, Now: r.Value, Time: in.Timestamp})
			}
		}
	}
	return nil
}

// meet takes from the log what was said of the inputs up to in.
func (c *check) meet(s *spoken, in *kgo.Record) error {
	for {
		if s.ahead == nil {
			r, open := <-s.records
			if !open {
				return s.err
			}
			s.ahead = r
			s.at, _ = c.input(r)
		}
		if s.at > in.Offset {
			return nil
		}
		c.one(s, s.ahead, in.Timestamp)
		s.last, s.ahead = max(s.last, s.at), nil
	}
}

// one compares a record of the log with its twin.
func (c *check) one(s *spoken, r *kgo.Record, at time.Time) {
	h, _ := hear(r)
	now, said := c.now[h]
	d := Difference{Origin: h.origin, What: "lost", Topic: s.topic, Key: h.key, Then: r.Value, Now: now.value, Time: at}
	switch {
	case now.met || !said && s.at < s.last:
		d.What = "doubled"
	case said && !bytes.Equal(now.value, r.Value):
		d.What = "changed"
	}
	if said {
		now.met = true
		c.now[h] = now
	}
	if !said || d.What != "lost" {
		c.differ(d)
	}
}

// end compares what is left of the stretch, after its last input record.
func (c *check) end(last time.Time) error {
	return c.hold(&kgo.Record{Offset: c.to, Timestamp: last}, nil)
}

// settled is the end of each topic's partitions as it is now, once all of it is
// committed: a transaction that is open hides what others have said since.
func (p past) settled(ctx context.Context, names []topics.Any) (map[string]map[int32]int64, error) {
	out := map[string]map[int32]int64{}
	for _, t := range names {
		name := t.About().On(p.conf.Site)
		ends, err := p.list(ctx, func(adm *kadm.Client) (kadm.ListedOffsets, error) { return adm.ListEndOffsets(ctx, name) })
		if err != nil {
			return nil, fmt.Errorf("ends of %s: %w", name, err)
		}
		for began := time.Now(); ; {
			seen, err := p.committed(ctx, name)
			if err != nil {
				return nil, err
			}
			if !behind(seen, ends) {
				break
			}
			if time.Since(began) > time.Minute {
				return nil, fmt.Errorf("a transaction on %s has been open for a minute, so what was said cannot be read: end it, or try again later", name)
			}
			if !sleep(ctx, 100*time.Millisecond) {
				return nil, ctx.Err()
			}
		}
		out[name] = ends
	}
	return out, nil
}

// behind reports whether one of the offsets a is below that of b.
func behind(a, b map[int32]int64) bool {
	for i, n := range b {
		if a[i] < n {
			return true
		}
	}
	return false
}
