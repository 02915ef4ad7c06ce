package fold_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/fold"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

type partition = fold.Partition[pipelinetest.CountState, *pipelinetest.CountState, *topics.Frame, *topics.Annotation]

func empty() *partition {
	return fold.New[pipelinetest.CountState](pipelinetest.Count("count"), topics.Frames, 7, 0)
}

func samples(offset int64, patient, device string) topics.Record[*topics.Frame] {
	return topics.Record[*topics.Frame]{Key: topics.Key(patient), Offset: offset, Value: &topics.Frame{
		Patient: patient, Kind: &topics.Frame_Samples{Samples: &topics.Samples{Device: device, First: uint64(offset)}},
	}}
}

func tick(offset int64, n, owner uint64) topics.Record[*topics.Frame] {
	return topics.Record[*topics.Frame]{Offset: offset, Value: topics.Frames.Wrap(&topics.Tick{N: n, Owner: owner, ElapsedUs: 1e6})}
}

// log is records of a few patients, ticks among them, some poisoned.
func log(seed uint64, n int) []topics.Record[*topics.Frame] {
	rnd := rand.New(rand.NewPCG(seed, 1))
	var out []topics.Record[*topics.Frame]
	ticks := uint64(0)
	for o := range int64(n) {
		switch rnd.IntN(6) {
		case 0:
			ticks++
			out = append(out, tick(o, ticks, 1))
		case 1:
			out = append(out, samples(o, fmt.Sprint("p", rnd.IntN(4)), []string{"poison", "panic", "goodbye", "b"}[rnd.IntN(4)]))
		default:
			out = append(out, samples(o, fmt.Sprint("p", rnd.IntN(4)), "a"))
		}
	}
	return out
}

func take(t *testing.T, p *partition) (out []string) {
	said, bad := p.Take()
	for _, s := range said {
		out = append(out, fmt.Sprint(s.Origin, s.Value.Patient, s.Value.Sample, s.Value.TimeUs, s.Value.Late))
	}
	for _, b := range bad {
		out = append(out, fmt.Sprint("bad ", b.Record.Offset, b.Err))
	}
	return out
}

// run folds a log without any trouble.
func run(t *testing.T, records []topics.Record[*topics.Frame]) (out []string) {
	p := empty()
	for _, r := range records {
		if err := p.Fold(r); err != nil {
			t.Fatal(err)
		}
		out = append(out, take(t, p)...)
	}
	return out
}

func TestRollbackAndCrashSayTheSame(t *testing.T) {
	for seed := range uint64(50) {
		records := log(seed, 400)
		want := run(t, records)
		rnd := rand.New(rand.NewPCG(seed, 2))
		changelog := fold.NewNewest()
		p := empty()
		var got, pending []string
		committed := 0 // records
		for i := 0; i < len(records); {
			// As the runner reads a key; run, which says what is right, does without.
			if key, _ := p.Key([]byte(records[i].Key)); key != records[i].Key {
				t.Fatalf("the key %q is read as %q", records[i].Key, key)
			}
			if err := p.Fold(records[i]); err != nil {
				t.Fatal(err)
			}
			pending = append(pending, take(t, p)...)
			i++
			switch rnd.IntN(12) {
			case 0, 1, 2: // commit
				write(t, p, changelog)
				p.Commit()
				got, pending, committed = append(got, pending...), nil, i
			case 3: // abort
				if err := p.Rollback(); err != nil {
					t.Fatal(err)
				}
				pending, i = nil, committed
			case 4: // crash: restore from the checkpoints and refold
				p = restore(t, changelog, records, committed)
				pending, i = nil, committed
			}
		}
		got = append(got, pending...)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d things said, want %d; first difference at %d", seed, len(got), len(want), difference(got, want))
		}
	}
}

func write(t *testing.T, p *partition, changelog fold.Newest) {
	err := p.Checkpoints("test", func(k fold.Kept) error {
		changelog.See(k.Key, k.Checkpoint, k.Through)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func restore(t *testing.T, changelog fold.Newest, records []topics.Record[*topics.Frame], committed int) *partition {
	p := empty()
	from, err := p.Restore(changelog, int64(committed))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records[from:committed] {
		if err := p.Fold(r); err != nil {
			t.Fatal(err)
		}
		p.Take()
		if r.Offset%7 == 0 {
			p.Commit() // a refold lets go of what it need not take back, whenever it likes
		}
	}
	p.Restored()
	return p
}

func difference(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// An idle key must not hold back where a refold begins.
func TestIdleKeysAreCheckpointed(t *testing.T) {
	p := empty()
	for i := range int64(20) {
		if err := p.Fold(samples(i, fmt.Sprint("p", i), "a")); err != nil {
			t.Fatal(err)
		}
	}
	p.Commit()
	changelog := fold.NewNewest()
	for i := range int64(fold.CheckpointEvery) {
		if err := p.Fold(tick(20+i, uint64(1+i), 1)); err != nil {
			t.Fatal(err)
		}
		write(t, p, changelog)
		p.Commit()
	}
	if n := len(changelog.Of); n != 20 {
		t.Fatalf("%d of 20 idle keys have a checkpoint after %d ticks", n, fold.CheckpointEvery)
	}
}

func TestTicksOfAReplacedOwnerAndRepeatsAreIgnored(t *testing.T) {
	p := empty()
	for _, r := range []topics.Record[*topics.Frame]{
		samples(0, "p", "a"), tick(1, 1, 1), tick(2, 2, 2), tick(3, 3, 1), tick(4, 2, 2), tick(5, 3, 2),
	} {
		if err := p.Fold(r); err != nil {
			t.Fatal(err)
		}
	}
	if c := p.Clock(); c.N != 3 || c.Owner != 2 || c.Time.Seconds() != 3 {
		t.Fatalf("clock %+v, want tick 3 of owner 2 after 3 s", c)
	}
}

func TestTickFarAheadIsIgnored(t *testing.T) {
	p := empty()
	for _, r := range []topics.Record[*topics.Frame]{
		tick(0, 5, 1), tick(1, 6+topics.MaxAhead, 1), tick(2, 6, 1),
	} {
		if err := p.Fold(r); err != nil {
			t.Fatal(err)
		}
	}
	if c := p.Clock(); c.N != 6 || c.Time.Seconds() != 2 {
		t.Fatalf("clock %+v, want tick 6 after 2 s", c)
	}
}

func TestTickMovesTimeByFiveSecondsAtMost(t *testing.T) {
	for _, elapsed := range []int64{math.MinInt64, -1, 0, 6e6, math.MaxInt64} {
		p := empty()
		r := tick(0, 1, 1)
		r.Value.GetTick().ElapsedUs = elapsed
		r.Value.GetTick().WallUs = elapsed // a label: a year ahead or behind moves nothing
		if err := p.Fold(r); err != nil {
			t.Fatal(err)
		}
		if c := p.Clock(); c.Time < 0 || c.Time > topics.MaxElapsed {
			t.Errorf("a tick of %d µs moves time by %s", elapsed, c.Time)
		}
	}
}

// What the log forgot is told to each key once: not again after a crash, and
// again after an abort, which took it back.
func TestOvertakenIsToldOnce(t *testing.T) {
	p := empty()
	for _, r := range []topics.Record[*topics.Frame]{samples(0, "p", "a"), samples(1, "q", "a"), tick(2, 7, 1)} {
		if err := p.Fold(r); err != nil {
			t.Fatal(err)
		}
	}
	p.Commit()
	take(t, p)
	far := tick(50, 7+2*topics.MaxAhead, 1)
	tell := func() []string {
		if err := p.Overtaken(50, 47); err != nil {
			t.Fatal(err)
		}
		told := take(t, p)
		if err := p.Fold(far); err != nil {
			t.Fatal(err)
		}
		if n := p.Clock().N; n != far.Value.GetTick().N {
			t.Fatalf("at tick %d after what was lost, want whatever comes next", n)
		}
		return told
	}
	first := tell()
	if err := p.Rollback(); err != nil {
		t.Fatal(err)
	}
	if again := tell(); len(first) != 2 || !slices.Equal(first, again) || !strings.HasPrefix(first[0], "frames/0/7/49/0") {
		t.Fatalf("told %v, and after an abort %v; want each of two keys once, as of the last offset lost", first, again)
	}
	changelog := fold.NewNewest()
	write(t, p, changelog)
	if from, err := empty().Restore(changelog, 51); err != nil || from != 51 || len(changelog.Of) != 2 {
		t.Fatalf("a refold of %d keys begins at %d (%v), want 51: before that it would be told again", len(changelog.Of), from, err)
	}
}

func TestRestoreRefusesWhatItCannotUse(t *testing.T) {
	p := empty()
	if err := p.Fold(samples(0, "p", "a")); err != nil {
		t.Fatal(err)
	}
	changelog := fold.NewNewest()
	write(t, p, changelog)
	for name, spoil := range map[string]func(*topics.Checkpoint){
		"another stage":       func(c *topics.Checkpoint) { c.Stage = "other" },
		"a newer version":     func(c *topics.Checkpoint) { c.Version++ },
		"an older version":    func(c *topics.Checkpoint) { c.Version-- },
		"another incarnation": func(c *topics.Checkpoint) { c.Epoch++ },
		"damaged":             func(c *topics.Checkpoint) { c.State[0] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			spoilt := fold.NewNewest()
			for k, cp := range changelog.Of {
				cp := proto.CloneOf(cp)
				spoil(cp)
				spoilt.See(k, cp, cp.Offset)
			}
			if _, err := empty().Restore(spoilt, 1); err == nil {
				t.Fatal("restored without an error")
			}
		})
	}
}
