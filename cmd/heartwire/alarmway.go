package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// A hop is a moment on the way from the signal to an alarm's record. Its fields
// are those of --json.
type hop struct {
	Hop       string    `json:"hop"`
	At        time.Time `json:"at,omitzero"`
	MS        *float64  `json:"ms,omitempty"` // since the one before whose time is known
	Partition *int32    `json:"partition,omitempty"`
	Offset    *int64    `json:"offset,omitempty"`
	What      string    `json:"what"`
}

// wayOf is the way of the record by which an alarm was raised, and its strip
// where there is one.
func wayOf(ctx context.Context, conf kafka.Config, raised topics.Record[*topics.Alarm]) (hops []hop, strip *topics.Strip, err error) {
	way, err := pipeline.Way(ctx, conf, quiet(), topics.Alarms, topics.Record[proto.Message]{
		Key: raised.Key, Origin: raised.Origin, Partition: raised.Partition, Offset: raised.Offset, Time: raised.Time, Value: raised.Value,
	})
	if err != nil {
		return nil, nil, err
	}
	hops = append(hops, hop{Hop: "onset", At: topics.MicroTime(raised.Value.GetState().GetOnsetUs()), What: "its condition began, in sample time"})
	for _, h := range way {
		hops = append(hops, moments(h)...)
	}
	copied, at, err := stripOf(ctx, conf, raised)
	if err != nil {
		return nil, nil, err
	}
	if copied != nil {
		hops = append(hops, at)
	}
	var before time.Time
	for i := range hops {
		if h := &hops[i]; !h.At.IsZero() {
			if !before.IsZero() {
				ms := float64(h.At.Sub(before).Microseconds()) / 1e3
				h.MS = &ms
			}
			before = h.At
		}
	}
	return hops, copied, nil
}

// moments are what a record on the way tells: samples of when they were taken
// and accepted, too.
func moments(h pipeline.Hop) []hop {
	own := hop{Hop: h.Topic, At: h.Time.UTC(), Partition: &h.Partition, Offset: &h.Offset, What: h.Gone}
	if h.Gone != "" {
		own.At = time.Time{}
		return []hop{own}
	}
	any, _ := topics.Find(h.Topic)
	if t := any.TickOf(h.Value); t != nil {
		own.What = fmt.Sprintf("tick %d passed on: all before it is known", t.GetN())
		if h.Topic == topics.Frames.Name {
			own.Hop, own.What = "clock", fmt.Sprintf("tick %d, in frames", t.GetN())
		}
		return []hop{own}
	}
	own.What = kindOf(h.Value)
	frame, _ := h.Value.(*topics.Frame)
	s := frame.GetSamples()
	if s == nil || !(s.GetRate() > 0) {
		return []hop{own}
	}
	last := topics.MicroTime(s.EndUs())
	own.What = "the bridge handed it to Kafka"
	return []hop{
		{Hop: "patch", At: last, What: fmt.Sprintf("the last sample of its frame: %d of %s, boot %d", s.GetFirst()+uint64(s.GetCount())-1, s.GetDevice(), s.GetBoot())},
		{Hop: "bridge", At: topics.MicroTime(s.GetArrivalUs()), What: "accepted the frame"},
		own,
	}
}

// kindOf is what kind of record it is, by the field of its oneof.
func kindOf(v proto.Message) string {
	if v == nil {
		return "empty"
	}
	m := v.ProtoReflect()
	if oneofs := m.Descriptor().Oneofs(); oneofs.Len() > 0 {
		if f := m.WhichOneof(oneofs.Get(0)); f != nil {
			return string(f.Name())
		}
	}
	return "record"
}

var errStripSeen = errors.New("seen")

// stripOf is the strip of an alarm, and when it was copied; nil while there is none.
func stripOf(ctx context.Context, conf kafka.Config, raised topics.Record[*topics.Alarm]) (strip *topics.Strip, at hop, err error) {
	id := raised.Value.GetState().GetId()
	since := kafka.Since{Time: raised.Time.Add(-time.Minute), Of: raised.Key}
	err = conf.Scan(ctx, quiet(), topics.Strips, since, func(r topics.Record[proto.Message], bad error) error {
		s, ok := r.Value.(*topics.Strip)
		if ok && bad == nil && s.GetAlarm() == id {
			strip, at = s, hop{Hop: topics.Strips.Name, At: r.Time.UTC(), Partition: &r.Partition, Offset: &r.Offset, What: "its samples were copied"}
			return errStripSeen
		}
		if r.Origin.Partition == raised.Partition && r.Origin.Offset > raised.Offset {
			return errStripSeen // strips are copied in the order of alarms
		}
		return nil
	})
	if errors.Is(err, errStripSeen) {
		err = nil
	}
	return strip, at, err
}

func tellWay(out io.Writer, hops []hop) error {
	fmt.Fprintln(out, "\nThe way of what raised it (when each record was handed to Kafka, UTC, and ms since the line before):")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, h := range hops {
		at, ms, place := "-", "", ""
		if !h.At.IsZero() {
			at = h.At.Format("15:04:05.000")
		}
		if h.MS != nil {
			ms = fmt.Sprintf("%+.0f", *h.MS)
		}
		if h.Partition != nil {
			place = fmt.Sprintf("%d@%d", *h.Partition, *h.Offset)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", h.Hop, at, ms, place, h.What)
	}
	return w.Flush()
}
