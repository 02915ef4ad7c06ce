// Package fold is one partition of one stage without a broker: the states of
// its keys, its time, and the way back. The runner puts a transaction around
// it; the driver runs it over records from anywhere.
package fold

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/stages"
	"heartwire/topics"
)

// Said is one thing that a stage said.
type Said[Out any] struct {
	Value  Out
	Origin topics.Origin
}

// Condemned is a record on which the stage failed. Its key's state is as if
// the record had never been.
type Condemned[In any] struct {
	Record topics.Record[In]
	Err    error
	Stack  []byte // of a panic
}

// Partition folds the records of one partition, in order. It is for one
// goroutine at a time.
//
// Everything since the last Commit can be undone by Rollback: a key's state is
// written down when it is first touched, and read back. So an abort costs what
// was touched and no more.
type Partition[S any, PS stages.State[S], In proto.Message, Out any] struct {
	stage stages.Stage[S, In, Out]
	topic topics.Topic[In]
	epoch int64 // incarnation of the input topic
	index int32 // partition number

	cells   map[topics.Key]*cell[S]
	order   []*cell[S] // by key once sorted: Advance must not depend on who came first
	sorted  bool       // order is
	time    Clock      // of the partition
	through int64      // last offset folded

	before        Clock // at the last Commit
	beforeThrough int64
	found         *cell[S] // of the last key
	touched       []*cell[S]
	marked        []*cell[S]           // due or gone
	log           []event[In]          // folded since the last Commit
	steps         []step               // of the keys over it
	departed      map[topics.Key]int64 // through which offset keys that have gone are done with, while refolding

	said []Said[Out]
	bad  []Condemned[In]

	emit   func(Out)
	origin topics.Origin
}

// Clock is a partition's own time.
type Clock struct {
	N, Owner uint64
	Time     time.Duration // sum of what ticks said
	Wall     time.Time     // label of the last tick
}

// cell is a key's state with what is needed to put it back.
type cell[S any] struct {
	key     topics.Key
	hash    uint64 // of key: when its checkpoints are due
	source  string // of its last record's Origin
	state   S
	through int64 // last offset the state contains; records up to it are passed over

	dirty        bool
	fresh        bool   // did not exist at the last Commit
	saved        []byte // state at the last Commit, where dirty
	savedThrough int64
	last         int32 // its last step since, counted from 1; 0 for none
	due          bool  // wants a checkpoint with the next Commit
	past         bool  // and one in history
	gone         bool  // departed: a tombstone with the next Commit
}

// event is what a stage folds: a record, a tick, or records that are lost.
type event[In any] struct {
	record topics.Record[In]
	tick   *topics.Tick
	lost   int64
}

// New is an empty partition of a stage that reads topic. epoch is the
// incarnation of the topic, index the number of the partition.
func New[S any, PS stages.State[S], In proto.Message, Out any](stage stages.Stage[S, In, Out], topic topics.Topic[In], epoch int64, index int32) *Partition[S, PS, In, Out] {
	p := &Partition[S, PS, In, Out]{
		stage: stage, topic: topic, epoch: epoch, index: index,
		cells: map[topics.Key]*cell[S]{}, through: -1, beforeThrough: -1,
	}
	p.emit = func(v Out) {
		p.said = append(p.said, Said[Out]{Value: v, Origin: p.origin})
		p.origin.Index++
	}
	return p
}

// Fold folds one record: a tick into every key, anything else into its own.
// Offsets that are not beyond the last one are passed over. What the stage
// makes of a record is never an error here; an error means that a state cannot
// be written or read back, and that the partition is of no more use.
func (p *Partition[S, PS, In, Out]) Fold(r topics.Record[In]) error {
	if r.Offset <= p.through {
		return nil
	}
	p.through = r.Offset
	if p.topic.Tick != nil {
		if t := p.topic.Tick(r.Value); t != nil {
			return p.advance(r, t)
		}
	}
	c := p.cell(r.Key)
	if c == nil {
		if through, gone := p.departed[r.Key]; gone && r.Offset <= through {
			return nil // it went, and its tombstone contains this
		}
		c = p.insert(r.Key, r.Offset-1)
		c.fresh = true
		// A refold begins at the oldest checkpoint: a key without one would
		// miss what came before the others' next.
		p.mark(c, true)
	}
	c.source = r.Origin.Source
	p.log = append(p.log, event[In]{record: r})
	return p.apply(c, r.Offset)
}

// Key is the key of a record that is folded next, and the Source of the key's
// last. One that is known costs no string, and is found once.
func (p *Partition[S, PS, In, Out]) Key(b []byte) (topics.Key, string) {
	if p.found = p.cells[topics.Key(b)]; p.found != nil {
		return p.found.key, p.found.source
	}
	return topics.Key(b), ""
}

func (p *Partition[S, PS, In, Out]) cell(key topics.Key) *cell[S] {
	if p.found == nil || p.found.key != key {
		p.found = p.cells[key]
	}
	return p.found
}

func (p *Partition[S, PS, In, Out]) advance(r topics.Record[In], t *topics.Tick) error {
	if !t.Follows(p.time.N, p.time.Owner) {
		return nil
	}
	p.time = Clock{N: t.GetN(), Owner: t.GetOwner(), Time: p.time.Time + t.Elapsed(), Wall: topics.MicroTime(t.GetWallUs())}
	p.log = append(p.log, event[In]{record: r, tick: t})
	for _, c := range p.inOrder() {
		if c.gone {
			continue
		}
		if err := p.apply(c, r.Offset); err != nil {
			return err
		}
		if n := t.GetN(); c.hash%CheckpointEvery == n%CheckpointEvery {
			p.mark(c, c.hash%HistoryEvery == n%HistoryEvery)
		}
	}
	return nil
}

// CheckpointEvery is the number of ticks between two checkpoints of a key,
// and HistoryEvery between two of those that are kept: each of the latter is
// one of the former.
const (
	CheckpointEvery = 10
	HistoryEvery    = 3600
)

// Overtaken says that lost records up to, not including, the offset first
// were forgotten by the log before they were read. Each key is told where its
// stage can hear it. What it says is said once: all keys are due, so no refold
// begins before first.
func (p *Partition[S, PS, In, Out]) Overtaken(first, lost int64) error {
	p.through = first - 1
	p.time.N, p.time.Owner = 0, 0 // whatever tick comes next is the next
	for _, c := range p.inOrder() {
		p.log = append(p.log, event[In]{record: topics.Record[In]{Key: c.key, Partition: p.index, Offset: first - 1}, lost: lost})
		if err := p.apply(c, first-1); err != nil {
			return err
		}
		p.mark(c, true)
	}
	return nil
}

func (p *Partition[S, PS, In, Out]) mark(c *cell[S], past bool) {
	c.past = c.past || past
	if !c.due {
		c.due = true
		p.marked = append(p.marked, c)
	}
}

// apply folds the last event of the log into a cell, and takes it back when
// the stage fails.
func (p *Partition[S, PS, In, Out]) apply(c *cell[S], offset int64) error {
	if offset <= c.through {
		return nil // the checkpoint it came from contains it
	}
	if err := p.touch(c); err != nil {
		return err
	}
	start := len(p.said)
	p.origin = topics.Origin{Source: p.topic.Name, Partition: p.index, Epoch: p.epoch, Offset: offset}
	e := &p.log[len(p.log)-1]
	err, stack := p.call(c, e)
	if err != nil {
		p.said = p.said[:start]
		p.bad = append(p.bad, Condemned[In]{Record: e.record, Err: err, Stack: stack})
		return p.takeBack(c, offset)
	}
	c.through = offset
	p.steps = append(p.steps, step{event: int32(len(p.log) - 1), before: c.last})
	c.last = int32(len(p.steps))
	if c.gone {
		p.mark(c, true)
	}
	return nil
}

func (p *Partition[S, PS, In, Out]) call(c *cell[S], e *event[In]) (err error, stack []byte) {
	defer func() {
		if r := recover(); r != nil {
			err, stack = fmt.Errorf("panic: %v", r), debug.Stack()
		}
	}()
	if c.gone {
		// It departed in this same transaction, and comes back as a new key:
		// what is said must not depend on when commits happen.
		var zero S
		c.state, c.gone = zero, false
	}
	switch {
	case e.tick != nil:
		err = p.stage.Processor.Advance(&c.state, e.tick, p.emit)
	case e.lost > 0:
		if o, ok := p.stage.Processor.(stages.Overtakable[S, Out]); ok {
			err = o.Overtaken(&c.state, e.lost, p.emit)
		}
	default:
		err = p.stage.Processor.Process(&c.state, e.record, p.emit)
	}
	if d, ok := any(&c.state).(stages.Departing); ok && err == nil {
		c.gone = d.Gone()
	}
	return err, nil
}

// insert makes the cell of a key that has none.
func (p *Partition[S, PS, In, Out]) insert(key topics.Key, through int64) *cell[S] {
	c := &cell[S]{key: key, hash: uint64(topics.Partition(key, 1<<30)), through: through}
	p.cells[key] = c
	p.order, p.sorted = append(p.order, c), false
	return c
}

// inOrder are the cells, sorted by key. They are sorted when they are asked
// for: keys come by the thousand at first, and hardly ever later.
func (p *Partition[S, PS, In, Out]) inOrder() []*cell[S] {
	if !p.sorted {
		slices.SortFunc(p.order, byKey)
		p.sorted = true
	}
	return p.order
}

func byKey[S any](a, b *cell[S]) int { return cmp.Compare(a.key, b.key) }

func (p *Partition[S, PS, In, Out]) remove(c *cell[S]) {
	delete(p.cells, c.key)
	p.found = nil
	if i, ok := slices.BinarySearchFunc(p.inOrder(), c, byKey); ok {
		p.order = slices.Delete(p.order, i, i+1)
	}
}

// Take hands over what was said, and what was condemned, since the last Take.
// Both slices are reused after the next Fold.
func (p *Partition[S, PS, In, Out]) Take() ([]Said[Out], []Condemned[In]) {
	said, bad := p.said, p.bad
	p.said, p.bad = p.said[:0], p.bad[:0]
	return said, bad
}

// Due asks for a checkpoint of a key with the next Commit.
func (p *Partition[S, PS, In, Out]) Due(key topics.Key) {
	if c := p.cells[key]; c != nil {
		p.mark(c, false)
	}
}

// State is what the stage believes of a key, for people to look at.
func (p *Partition[S, PS, In, Out]) State(key topics.Key) (*S, bool) {
	c := p.cells[key]
	if c == nil {
		return nil, false
	}
	return &c.state, true
}

// Clock is the partition's time.
func (p *Partition[S, PS, In, Out]) Clock() Clock { return p.time }

// Len is the number of keys.
func (p *Partition[S, PS, In, Out]) Len() int { return len(p.order) }

// Index is the number of the partition.
func (p *Partition[S, PS, In, Out]) Index() int32 { return p.index }
