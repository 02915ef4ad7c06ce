package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Replay runs a stage again over a stretch of the log, from the states that
// history has of the time before. It reads partitions directly: it has no group
// and commits nothing. What the stage says goes to Say and to Into, which is no
// topic of a site, so that those who watch patients cannot notice it.
type Replay struct {
	Kafka    kafka.Config
	Log      *slog.Logger
	Stage    Node
	From     *Point       // nil: the earliest record
	To       *Point       // nil: what is committed now
	Patients []topics.Key // whose outputs are given; none: all, and ticks
	Speed    float64      // times as fast as it was written; 0: as fast as it can be read

	// Say is given what the stage says, by one goroutine at a time, that of a
	// partition in order. It may be nil.
	Say func(topics.Any, topics.Record[proto.Message]) error
	// Into is a topic that what the stage says is written to, as the stage
	// would; it is made when it is missing. It may be empty.
	Into string
	// Differ makes the replay end where the stage's commits end, and hears of
	// each difference from what was said then. It may be nil.
	Differ func(Difference)

	saying                                  sync.Mutex
	into                                    *into
	ends                                    map[string]map[int32]int64
	parts                                   []partProgress
	records, said, rejects, compared, other atomic.Int64
	began                                   sync.Once
	wall, first                             time.Time
	reached, oldest                         atomic.Int64
}

// stretch is a part of one partition: the offsets from up to, not including, to.
type stretch struct {
	index    int32
	from, to int64
}

type partProgress struct{ done, total, keys atomic.Int64 }

// Progress is how far a replay has come.
type Progress struct {
	Records, Said, Rejected, Compared, Different, Patients int64
	Share                                                  float64   // of the stretch, 0 to 1
	Reached                                                time.Time // of the newest record read
	Oldest                                                 time.Time // of the oldest
}

// Progress may be asked for at any time.
func (r *Replay) Progress() Progress {
	p := Progress{
		Records: r.records.Load(), Said: r.said.Load(), Rejected: r.rejects.Load(),
		Compared: r.compared.Load(), Different: r.other.Load(),
	}
	if us := r.reached.Load(); us != 0 {
		p.Reached, p.Oldest = topics.MicroTime(us), topics.MicroTime(r.oldest.Load())
	}
	var done, total int64
	for i := range r.parts {
		done, total = done+r.parts[i].done.Load(), total+r.parts[i].total.Load()
		p.Patients += r.parts[i].keys.Load()
	}
	if total > 0 {
		p.Share = float64(done) / float64(total)
	}
	return p
}

// Compared names the outputs that Differ hears of, and those that it does not.
func (r *Replay) Compared() (yes, no []topics.Any) { return r.Stage.plan.aligned() }

// Validate tells what can be known to be wrong before a broker is asked.
func (r *Replay) Validate() error {
	if r.Stage.plan == nil {
		return fmt.Errorf("%s is no stage", r.Stage.Name)
	}
	if r.Into != "" {
		return foreign(r.Kafka.Site, r.Into)
	}
	return nil
}

// Run replays, once. It returns when all is said, or with the first error.
func (r *Replay) Run(ctx context.Context) error {
	if err := r.Validate(); err != nil {
		return err
	}
	past, err := pastOf(ctx, r.Kafka, r.Log, r.Stage)
	if err != nil {
		return err
	}
	keys := map[topics.Key]bool{}
	for _, k := range r.Patients {
		keys[k] = true
	}
	if len(keys) > 0 && r.Stage.plan.in.About().Spread == topics.PerSite {
		past.only = keys
	}
	stretches, err := r.stretches(ctx, past)
	if err != nil {
		return err
	}
	if r.Into != "" {
		if r.into, err = openInto(ctx, past.conf, r.Log, r.Into, past.plan); err != nil {
			return err
		}
		defer r.into.close()
	}
	if r.Differ != nil {
		same, _ := past.aligned()
		if r.ends, err = past.settled(ctx, same); err != nil {
			return err
		}
	}
	r.parts = make([]partProgress, len(stretches))
	for i, s := range stretches {
		r.parts[i].total.Store(s.to - s.from)
	}
	g, group := errgroup.WithContext(ctx)
	if r.Speed == 0 {
		g.SetLimit(runtime.GOMAXPROCS(0))
	}
	for i, s := range stretches {
		g.Go(func() error { return r.partition(group, past, s, keys, &r.parts[i]) })
	}
	err = g.Wait()
	if err == nil && r.into != nil {
		err = r.into.flush(ctx)
	}
	return err
}

// partition replays a stretch of one partition.
func (r *Replay) partition(ctx context.Context, past past, s stretch, keys map[topics.Key]bool, progress *partProgress) error {
	ctx, cancel := context.WithCancel(ctx) // ends what reads beside
	defer cancel()
	part, err := past.asOf(ctx, past.checkpoints.History, s.index, s.from, func(string, topics.Origin) { r.rejects.Add(1) })
	if err != nil {
		return err
	}
	var twin *check
	if r.Differ != nil {
		twin = &check{past: past, stretch: s, compared: &r.compared, differ: r.differ}
		if len(keys) > 0 {
			twin.keys = keys
		}
	}
	var out []*kgo.Record
	var last time.Time
	n := 0
	read := func(in *kgo.Record) (err error) {
		if n == 0 && twin != nil {
			twin.start(ctx, in.Timestamp, r.ends)
		}
		if n++; n == 1 {
			r.begin(in.Timestamp)
		}
		last = in.Timestamp
		if err := r.pace(ctx, last); err != nil {
			return err
		}
		out = out[:0]
		if past.concerns(in) {
			if out, _, err = part.Read(in, out); err != nil {
				return err
			}
		}
		if twin != nil {
			if err := twin.hold(in, out); err != nil {
				return err
			}
		}
		if n%keepEvery == 0 {
			part.Commit()
		}
		r.records.Add(1)
		r.reached.Store(max(r.reached.Load(), last.UnixMicro()))
		progress.done.Store(in.Offset + 1 - s.from)
		progress.keys.Store(int64(part.Len()))
		return r.speak(in, out, keys)
	}
	err = kafka.ReadRange(ctx, r.Kafka, r.Log, past.topic(), map[int32]int64{s.index: s.from}, map[int32]int64{s.index: s.to}, read)
	if err == nil && twin != nil && n > 0 {
		err = twin.end(last)
	}
	if err == nil {
		progress.done.Store(s.to - s.from)
	}
	return err
}

// begin notes the time of a partition's first record.
func (r *Replay) begin(at time.Time) {
	r.saying.Lock()
	defer r.saying.Unlock()
	if us := r.oldest.Load(); us == 0 || at.UnixMicro() < us {
		r.oldest.Store(at.UnixMicro())
	}
}

func (r *Replay) differ(d Difference) {
	r.saying.Lock()
	defer r.saying.Unlock()
	r.other.Add(1)
	r.Differ(d)
}

// pace waits until a record of this time is due.
func (r *Replay) pace(ctx context.Context, at time.Time) error {
	if r.Speed == 0 {
		return nil
	}
	r.began.Do(func() { r.wall, r.first = time.Now(), at })
	due := r.wall.Add(time.Duration(float64(at.Sub(r.first)) / r.Speed))
	if !sleep(ctx, time.Until(due)) {
		return ctx.Err()
	}
	return nil
}

// speak hands over what folding in has said. Rejects are counted only: the log
// has had them since.
func (r *Replay) speak(in *kgo.Record, said []*kgo.Record, keys map[topics.Key]bool) error {
	for _, s := range said {
		t := r.Stage.plan.output(r.Kafka.Site, s.Topic)
		if t == nil || len(keys) > 0 && !keys[topics.Key(s.Key)] {
			continue
		}
		r.said.Add(1)
		if r.Say != nil {
			rec := kafka.Envelope[proto.Message](s)
			rec.Time = in.Timestamp
			var err error
			if rec.Value, err = t.Decode(s.Value); err != nil {
				return err
			}
			if err := r.say(t, rec); err != nil {
				return err
			}
		}
		if r.into != nil {
			if err := r.into.write(s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Replay) say(t topics.Any, rec topics.Record[proto.Message]) error {
	r.saying.Lock()
	defer r.saying.Unlock()
	return r.Say(t, rec)
}

// output is the topic of that name among those that a stage says things in.
func (p *plan) output(site, name string) topics.Any {
	for _, t := range p.outs {
		if t.About().On(site) == name {
			return t
		}
	}
	return nil
}

// stretches are what is to be read of each partition.
func (r *Replay) stretches(ctx context.Context, past past) ([]stretch, error) {
	earliest, err := past.earliest(ctx)
	if err != nil {
		return nil, err
	}
	ends, err := past.committed(ctx, past.topic())
	if err != nil {
		return nil, err
	}
	from, to := earliest, ends
	if r.From != nil {
		if from, err = past.resolve(ctx, *r.From, earliest, ends); err != nil {
			return nil, fmt.Errorf("from: %w", err)
		}
	}
	if r.To != nil {
		if to, err = past.resolve(ctx, *r.To, earliest, ends); err != nil {
			return nil, fmt.Errorf("to: %w", err)
		}
	}
	spoken := to
	if r.Differ != nil {
		if spoken, err = past.spokenThrough(ctx); err != nil {
			return nil, err
		}
	}
	mine := map[int32]bool{}
	for key := range past.only {
		mine[topics.Partition(key, past.conf.Partitions)] = true
	}
	var out []stretch
	for _, i := range slices.Sorted(maps.Keys(from)) {
		end, both := to[i]
		s := stretch{index: i, from: from[i], to: min(end, spoken[i])}
		if both && s.to > s.from && (past.only == nil || mine[i]) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("nothing stands in the log between the two places")
	}
	return out, nil
}
