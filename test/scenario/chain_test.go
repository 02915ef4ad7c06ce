package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/fold"
	"heartwire/stages"
	"heartwire/stages/alarms"
	"heartwire/stages/beats"
	"heartwire/stages/rhythm"
	"heartwire/topics"
)

// A chain is the three stages of one partition with the logs between them, as a
// runner has them but for the broker: what is folded is committed, taken back, or
// lost with its process, and goes on from checkpoints.
type chain struct {
	frames      []topics.Record[*topics.Frame]
	annotations []topics.Record[*topics.Annotation]
	charts      []topics.Record[*topics.Chart]
	alarms      []topics.Record[*topics.Alarm]
	rooms       []room

	// answered is what people do when the chart has got to a tick, by its number.
	answered func(tick uint64) []*topics.Chart
	crashes  int
}

// room is one stage at work.
type room interface {
	left() int // records that are not folded yet
	turn(n int, end ending) error
}

// ending is how a turn ends.
type ending uint8

const (
	commits   ending = iota
	aborts           // and the same process folds it again
	dies             // before the commit
	diesAfter        // the commit is done, and nobody knows
)

func newChain(frames []topics.Record[*topics.Frame]) *chain {
	c := &chain{frames: frames, answered: func(uint64) []*topics.Chart { return nil }}
	c.rooms = []room{
		newStageRoom[beats.State](c, beats.New(beats.DefaultConfig()), topics.Frames, topics.Annotations, &c.frames, &c.annotations),
		newStageRoom[rhythm.State](c, rhythm.Stage(), topics.Annotations, topics.Charts, &c.annotations, &c.charts),
		newStageRoom[alarms.State](c, alarms.Stage(), topics.Charts, topics.Alarms, &c.charts, &c.alarms),
	}
	return c
}

// smoothly folds record by record, each through all stages, and nothing goes wrong.
func (c *chain) smoothly() error {
	for c.rooms[0].left() > 0 {
		for _, r := range c.rooms {
			n := r.left()
			if r == c.rooms[0] {
				n = 1
			}
			if err := r.turn(n, commits); err != nil {
				return err
			}
		}
	}
	return nil
}

// roughly folds in turns of any length and order, of which many go wrong.
func (c *chain) roughly(luck *rand.Rand) error {
	for {
		var busy []room
		for _, r := range c.rooms {
			if r.left() > 0 {
				busy = append(busy, r)
			}
		}
		if len(busy) == 0 {
			return nil
		}
		r := busy[luck.IntN(len(busy))]
		end := commits
		if luck.IntN(8) == 0 {
			end = ending(1 + luck.IntN(3))
			c.crashes++
		}
		if err := r.turn(1+luck.IntN(min(r.left(), 400)), end); err != nil {
			return err
		}
	}
}

// stageRoom is a stage with what it reads and what it writes.
type stageRoom[S any, PS stages.State[S], In, Out proto.Message] struct {
	chain *chain
	stage stages.Stage[S, In, Out]
	topic topics.Topic[In]
	to    topics.Topic[Out]
	in    *[]topics.Record[In]
	out   *[]topics.Record[Out]

	part   *fold.Partition[S, PS, In, Out]
	newest fold.Newest // its changelog
	next   int         // committed up to there
}

func newStageRoom[S any, PS stages.State[S], In, Out proto.Message](
	c *chain, stage stages.Stage[S, In, Out], topic topics.Topic[In], to topics.Topic[Out], in *[]topics.Record[In], out *[]topics.Record[Out],
) *stageRoom[S, PS, In, Out] {
	return &stageRoom[S, PS, In, Out]{
		chain: c, stage: stage, topic: topic, to: to, in: in, out: out, newest: fold.NewNewest(), part: fold.New[S, PS](stage, topic, 0, 0),
	}
}

func (r *stageRoom[S, PS, In, Out]) left() int { return len(*r.in) - r.next }

func (r *stageRoom[S, PS, In, Out]) turn(n int, end ending) error {
	said, err := r.fold((*r.in)[r.next : r.next+n])
	if err != nil {
		return err
	}
	if end == commits || end == diesAfter {
		err := r.part.Checkpoints("test", func(k fold.Kept) error {
			r.newest.See(k.Key, k.Checkpoint, k.Through)
			return nil
		})
		if err != nil {
			return err
		}
		r.part.Commit()
		r.next += n
		for _, s := range said {
			r.write(s)
		}
	}
	switch end {
	case aborts:
		return r.part.Rollback()
	case dies, diesAfter:
		return r.restore()
	}
	return nil
}

// fold gives what the stage says of records, with their ticks.
func (r *stageRoom[S, PS, In, Out]) fold(list []topics.Record[In]) (out []topics.Record[Out], err error) {
	for _, rec := range list {
		if err := r.part.Fold(rec); err != nil {
			return nil, err
		}
		said, bad := r.part.Take()
		for _, b := range bad {
			return nil, fmt.Errorf("%s condemns %v: %w", r.stage.Name, b.Record.Value, b.Err)
		}
		for _, s := range said {
			out = append(out, topics.Record[Out]{Key: r.to.Key(s.Value), Origin: s.Origin, Value: s.Value})
		}
		if t := r.topic.Tick(rec.Value); t != nil {
			out = append(out, topics.Record[Out]{Origin: topics.Origin{Source: r.topic.Name, Offset: rec.Offset}, Value: r.to.Wrap(t)})
		}
	}
	return out, nil
}

// write appends a record to the log, and to chart what people do then.
func (r *stageRoom[S, PS, In, Out]) write(rec topics.Record[Out]) {
	rec.Offset = int64(len(*r.out))
	*r.out = append(*r.out, rec)
	if chart, ok := any(rec.Value).(*topics.Chart); ok && chart.GetTick() != nil {
		for _, a := range r.chain.answered(chart.GetTick().GetN()) {
			r.chain.charts = append(r.chain.charts, topics.Record[*topics.Chart]{Key: topics.Key(a.GetPatient()), Offset: int64(len(r.chain.charts)), Value: a})
		}
	}
}

// restore is another process that takes over: from the checkpoints, and what
// they do not hold folded again in silence.
func (r *stageRoom[S, PS, In, Out]) restore() error {
	r.part = fold.New[S, PS](r.stage, r.topic, 0, 0)
	from, err := r.part.Restore(r.newest, int64(r.next))
	if err != nil {
		return err
	}
	if _, err := r.fold((*r.in)[from:r.next]); err != nil {
		return err
	}
	r.part.Restored()
	return nil
}

// newestAlarm is the id of the newest alarm of a patient's rule that the log has.
func (c *chain) newestAlarm(patient string) (id string) {
	for _, a := range slices.Backward(c.alarms) {
		if s := a.Value.GetState(); s != nil && string(a.Key) == patient {
			return s.GetId()
		}
	}
	return "none"
}
