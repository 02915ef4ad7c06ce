package strips

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

const (
	// early is how far before its samples' time a frame may seem to have been
	// written, by the clock of a broker.
	early = 5 * time.Second
	// overdue is how long after a strip's end frames are read for it at most,
	// where the alarm was decided long after: an alarm of lost data may begin
	// days ago.
	overdue = time.Minute
	// largest is what a strip's samples may take: a topic takes 2 MiB a record.
	largest = 1900 << 10
)

// run names a run of samples: frames may repeat it.
type run struct {
	device      string
	boot, first uint64
}

// copy makes the strips of some alarms of one partition: frames is read once for
// all of them, and annotations.
func (s *Strips) copy(ctx context.Context, partition int32, list []*alarm) ([]topics.Made[*topics.Strip], error) {
	keys, of := map[topics.Key]bool{}, map[topics.Key][]*alarm{}
	from := list[0].strip.GetFromUs()
	for _, a := range list {
		keys[a.record.Key] = true
		of[a.record.Key] = append(of[a.record.Key], a)
		from = min(from, a.strip.GetFromUs())
	}
	stretch := topics.Stretch{Partition: partition, From: topics.MicroTime(from).Add(-early), Keys: keys}
	forgotten, err := look(ctx, s.frames, topics.Frames, stretch, list, func(r topics.Record[*topics.Frame]) {
		for _, a := range of[r.Key] {
			a.frame(r.Value.GetSamples())
		}
	})
	if err != nil {
		return nil, err
	}
	_, err = look(ctx, s.annotations, topics.Annotations, stretch, list, func(r topics.Record[*topics.Annotation]) {
		for _, a := range of[r.Key] {
			a.annotation(r.Value)
		}
	})
	if err != nil {
		return nil, err
	}
	made := make([]topics.Made[*topics.Strip], len(list))
	for i, a := range list {
		a.finish(forgotten)
		made[i] = topics.Made[*topics.Strip]{Value: a.strip, Partition: partition, Offset: a.record.Offset}
	}
	return made, nil
}

// look reads a stretch for some alarms, each up to the tick with which it was
// due: what stands behind that tick is not in its strip, however late it is
// copied, and whichever others are copied with it.
func look[T proto.Message](ctx context.Context, in topics.Reader[T], topic topics.Topic[T], stretch topics.Stretch, list []*alarm, take func(topics.Record[T])) (forgotten bool, err error) {
	open := len(list)
	for _, a := range list {
		a.closed = false
	}
	return in.Read(ctx, stretch, func(r topics.Record[T]) bool {
		t := topic.Tick(r.Value)
		if t == nil {
			take(r)
			return true
		}
		for _, a := range list {
			if !a.closed && a.closedBy(t, r.Time) {
				a.closed = true
				open--
			}
		}
		return open > 0
	})
}

func (a *alarm) closedBy(t *topics.Tick, written time.Time) bool {
	return t.GetN() == a.tick.GetN() && t.GetOwner() == a.tick.GetOwner() || written.Sub(topics.MicroTime(a.strip.GetToUs())) > overdue
}

// frame takes a run of samples of which some are the strip's.
func (a *alarm) frame(s *topics.Samples) {
	if a.closed || s == nil || !(s.GetRate() > 0) {
		return
	}
	id := run{s.GetDevice(), s.GetBoot(), s.GetFirst()}
	if s.GetTimeUs() >= a.strip.GetToUs() || s.EndUs() <= a.strip.GetFromUs() || a.seen[id] {
		return
	}
	a.seen[id] = true
	a.strip.Runs = append(a.strip.Runs, s)
}

// annotation takes what was found in the strip's samples.
func (a *alarm) annotation(v *topics.Annotation) {
	if a.closed || v.GetTimeUs() < a.strip.GetFromUs() || v.GetTimeUs() >= a.strip.GetToUs() {
		return
	}
	switch v.GetKind().(type) {
	case *topics.Annotation_Beat, *topics.Annotation_PacePulse, *topics.Annotation_Gap, *topics.Annotation_Lead, *topics.Annotation_Quality, *topics.Annotation_Fibrillation:
		a.strip.Annotations = append(a.strip.Annotations, v)
	}
}

// finish puts the strip in order, cuts what is too large, and says what is missing.
func (a *alarm) finish(forgotten bool) {
	s := a.strip
	slices.SortStableFunc(s.Runs, func(x, y *topics.Samples) int {
		return cmp.Or(cmp.Compare(x.GetTimeUs(), y.GetTimeUs()), cmp.Compare(x.GetBoot(), y.GetBoot()), cmp.Compare(x.GetFirst(), y.GetFirst()), cmp.Compare(x.GetDevice(), y.GetDevice()))
	})
	slices.SortStableFunc(s.Annotations, func(x, y *topics.Annotation) int { return cmp.Compare(x.GetTimeUs(), y.GetTimeUs()) })
	whole := holes(s)
	if size := proto.Size(s); size > largest {
		s.Runs = trim(s.Runs, s.GetOnsetUs(), size-largest)
	}
	for _, h := range holes(s) {
		switch {
		case !slices.ContainsFunc(whole, func(w *topics.StripHole) bool { return w.GetFromUs() <= h.GetFromUs() && w.GetToUs() >= h.GetToUs() }):
			h.Why = topics.HoleSize
		case forgotten && (len(s.Runs) == 0 || h.GetFromUs() < s.Runs[0].GetTimeUs()):
			h.Why = topics.HoleForgotten
		}
		s.Holes = append(s.Holes, h)
	}
}

// trim leaves away runs that take so many bytes, the farthest from the onset first.
func trim(runs []*topics.Samples, onset int64, bytes int) []*topics.Samples {
	for bytes > 0 && len(runs) > 1 {
		gone := runs[len(runs)-1]
		if first := runs[0]; onset-first.EndUs() > gone.GetTimeUs()-onset {
			gone, runs = first, runs[1:]
		} else {
			runs = runs[:len(runs)-1]
		}
		bytes -= proto.Size(gone)
	}
	return runs
}
