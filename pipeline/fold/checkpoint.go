package fold

import (
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"heartwire/topics"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Kept is a state to be written down with a commit.
type Kept struct {
	Key        topics.Key
	Checkpoint *topics.Checkpoint // nil: the key has gone
	Through    int64              // last input offset that it contains
	History    bool               // to be kept in history too
}

// Checkpoints gives what is due. It belongs right before a Commit.
//
// Each checkpoint carries the partition's time: the refold begins behind the
// oldest, and ticks after it must be told from ticks before it.
func (p *Partition[S, PS, In, Out]) Checkpoints(build string, yield func(Kept) error) error {
	slices.SortFunc(p.marked, byKey)
	for _, c := range p.marked {
		kept := Kept{Key: c.key, Through: p.through, History: c.past}
		if !c.gone {
			state, err := PS(&c.state).AppendBinary(nil)
			if err != nil {
				return fmt.Errorf("stage %s: write a state down: %w", p.stage.Name, err)
			}
			kept.Checkpoint = &topics.Checkpoint{
				Key: string(c.key), Stage: p.stage.Name, Version: p.stage.Version, Build: build,
				Offset: p.through, Epoch: p.epoch, State: state, Crc32C: crc32.Checksum(state, castagnoli),
				Clock: &topics.Clock{
					N: p.time.N, Owner: p.time.Owner, TimeUs: p.time.Time.Microseconds(), WallUs: p.time.Wall.UnixMicro(),
				},
			}
		}
		if err := yield(kept); err != nil {
			return err
		}
	}
	return nil
}

// Newest is what is known of the keys of a partition: the newest checkpoint
// of each, and of those that have gone the offset they are done with through.
type Newest struct {
	Of   map[topics.Key]*topics.Checkpoint
	Gone map[topics.Key]int64
}

// NewNewest knows of no key.
func NewNewest() Newest {
	return Newest{Of: map[topics.Key]*topics.Checkpoint{}, Gone: map[topics.Key]int64{}}
}

// See takes note of a key's next checkpoint, or with nil that it has gone.
func (n Newest) See(key topics.Key, cp *topics.Checkpoint, through int64) {
	if cp == nil {
		delete(n.Of, key)
		n.Gone[key] = through
		return
	}
	delete(n.Gone, key)
	n.Of[key] = cp
}

// DamagedError says that a checkpoint cannot be read as what it was written:
// an older one, and the log, can mend it.
type DamagedError struct {
	Key topics.Key
	Err error
}

func (e *DamagedError) Error() string { return e.Err.Error() }
func (e *DamagedError) Unwrap() error { return e.Err }

// Restore fills a new partition from the newest checkpoint of each key, and
// says from which offset on the records must be folded again: each key passes
// over those that its checkpoint contains. next is where the stage goes on;
// without checkpoints it is also where to begin. An error names a checkpoint
// that cannot be used, and why.
//
// One that is damaged is a *DamagedError; the partition is then of no more use.
func (p *Partition[S, PS, In, Out]) Restore(newest Newest, next int64) (from int64, err error) {
	p.through = next - 1
	p.departed = newest.Gone
	p.order = make([]*cell[S], 0, len(newest.Of))
	for key, cp := range newest.Of {
		if err := p.read(key, cp); err != nil {
			return 0, err
		}
		if cp.GetOffset() <= p.through {
			p.through = cp.GetOffset()
			k := cp.GetClock()
			p.time = Clock{
				N: k.GetN(), Owner: k.GetOwner(), Time: time.Duration(k.GetTimeUs()) * time.Microsecond, Wall: topics.MicroTime(k.GetWallUs()),
			}
		}
	}
	p.before, p.beforeThrough = p.time, p.through
	return p.through + 1, nil
}

// Rewind makes a restored partition fold from an earlier offset than its
// checkpoints ask for, because a key has none: the others pass over what they
// contain.
func (p *Partition[S, PS, In, Out]) Rewind(from int64) {
	p.through, p.time = from-1, Clock{}
	p.before, p.beforeThrough = p.time, p.through
}

// Restored says that all has been folded again up to where the stage goes on.
func (p *Partition[S, PS, In, Out]) Restored() {
	p.departed = nil
	p.Commit()
}

// read makes a key's cell from its checkpoint.
func (p *Partition[S, PS, In, Out]) read(key topics.Key, cp *topics.Checkpoint) error {
	if err := p.check(key, cp); err != nil {
		return err
	}
	state := cp.GetState()
	if cp.GetVersion() < p.stage.Version {
		var err error
		if state, err = p.stage.Migrate(cp.GetVersion(), state); err != nil {
			return fmt.Errorf("bring a checkpoint of %s from version %d to %d: %w", p.stage.Name, cp.GetVersion(), p.stage.Version, err)
		}
	}
	c := p.insert(key, cp.GetOffset())
	if err := PS(&c.state).UnmarshalBinary(state); err != nil {
		return &DamagedError{Key: key, Err: fmt.Errorf("read the state in a checkpoint of %s: %w", p.stage.Name, err)}
	}
	return nil
}

func (p *Partition[S, PS, In, Out]) check(key topics.Key, cp *topics.Checkpoint) error {
	switch {
	case crc32.Checksum(cp.GetState(), castagnoli) != cp.GetCrc32C():
		return &DamagedError{Key: key, Err: fmt.Errorf("a checkpoint of %s is damaged: its checksum is wrong", p.stage.Name)}
	case cp.GetStage() != p.stage.Name:
		return fmt.Errorf("a checkpoint of stage %q among those of %q", cp.GetStage(), p.stage.Name)
	case cp.GetEpoch() != p.epoch:
		return fmt.Errorf("a checkpoint of %s belongs to another incarnation of the topic %s: it was deleted and made again", p.stage.Name, p.topic.Name)
	case cp.GetVersion() > p.stage.Version:
		return fmt.Errorf("a checkpoint of %s has version %d (build %s), and this build reads up to version %d: run a newer build",
			p.stage.Name, cp.GetVersion(), cp.GetBuild(), p.stage.Version)
	case cp.GetVersion() < p.stage.Version && p.stage.Migrate == nil:
		return fmt.Errorf("a checkpoint of %s has version %d (build %s), and this build reads version %d and cannot bring it up: run a build in between",
			p.stage.Name, cp.GetVersion(), cp.GetBuild(), p.stage.Version)
	}
	return nil
}
