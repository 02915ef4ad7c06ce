package fold

import (
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"heartwire/topics"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checkpoints gives the checkpoint of each key that is due, and a tombstone (a
// nil *Checkpoint) for each that has gone. It belongs right before a Commit.
//
// Each carries the partition's time: the refold begins behind the oldest, and
// ticks after it must be told from ticks before it.
func (p *Partition[S, PS, In, Out]) Checkpoints(build string, yield func(key topics.Key, cp *topics.Checkpoint)) error {
	slices.SortFunc(p.marked, func(a, b *cell[S, In]) int { return cmpKeys(a.key, b.key) })
	for _, c := range p.marked {
		if c.gone {
			yield(c.key, nil)
			continue
		}
		state, err := PS(&c.state).AppendBinary(nil)
		if err != nil {
			return fmt.Errorf("stage %s: write a state down: %w", p.stage.Name, err)
		}
		yield(c.key, &topics.Checkpoint{
			Key: string(c.key), Stage: p.stage.Name, Version: p.stage.Version, Build: build,
			Offset: p.through, Epoch: p.epoch, State: state, Crc32C: crc32.Checksum(state, castagnoli),
			Clock: &topics.Clock{
				N: p.time.N, Owner: p.time.Owner, TimeUs: p.time.Time.Microseconds(), WallUs: p.time.Wall.UnixMicro(),
			},
		})
	}
	return nil
}

func cmpKeys(a, b topics.Key) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Restore fills a new partition from the newest checkpoint of each key, and
// says from which offset on the records must be folded again: each key passes
// over those that its checkpoint contains. next is where the stage goes on;
// without checkpoints it is also where to begin. An error names a checkpoint
// that cannot be used, and why.
func (p *Partition[S, PS, In, Out]) Restore(checkpoints map[topics.Key]*topics.Checkpoint, next int64) (from int64, err error) {
	p.through = next - 1
	for key, cp := range checkpoints {
		if err := p.check(cp); err != nil {
			return 0, err
		}
		c := &cell[S, In]{key: key, through: cp.GetOffset()}
		if err := PS(&c.state).UnmarshalBinary(cp.GetState()); err != nil {
			return 0, fmt.Errorf("read the state in a checkpoint of %s: %w", p.stage.Name, err)
		}
		p.insert(c)
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

func (p *Partition[S, PS, In, Out]) check(cp *topics.Checkpoint) error {
	switch {
	case cp.GetStage() != p.stage.Name:
		return fmt.Errorf("a checkpoint of stage %q among those of %q", cp.GetStage(), p.stage.Name)
	case cp.GetEpoch() != p.epoch:
		return fmt.Errorf("a checkpoint of %s belongs to another incarnation of the topic %s: it was deleted and made again", p.stage.Name, p.topic.Name)
	case cp.GetVersion() != p.stage.Version:
		return fmt.Errorf("a checkpoint of %s has version %d (build %s), and this build reads version %d", p.stage.Name, cp.GetVersion(), cp.GetBuild(), p.stage.Version)
	case crc32.Checksum(cp.GetState(), castagnoli) != cp.GetCrc32C():
		return fmt.Errorf("a checkpoint of %s is damaged: its checksum is wrong", p.stage.Name)
	}
	return nil
}
