package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"heartwire/pipeline/driver"
	"heartwire/stages/alarms"
	"heartwire/stages/beats"
	"heartwire/stages/rhythm"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// annotation is what was typed, and how the stages are set.
type annotation struct {
	in, out, lead string
	beats         []string
	workers       int

	only      *int // lead
	beatsConf beats.Config
}

// The patient that a recording is of: any name gives the same files.
const (
	recordPatient = "patient"
	recordDevice  = "recorder"
	mostLeads     = 12              // a frame holds no more; the others of a recording are left out
	recordTail    = 3 * time.Second // of ticks: the stages have said what they had
)

// recordStart is a sample time for recordings, which need not have one.
var recordStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Extensions of what annotate writes.
const (
	extBeats   = "hw"
	extRhythms = "hwr"
	extAlarms  = "alarms.jsonl"
)

// one annotates one recording. Where that fails, nothing of it is left from an
// earlier run, which would look like an answer.
func (run *annotation) one(ctx context.Context, name string) (annotated, error) {
	sum, err := run.annotate(ctx, name)
	if run.beats == nil && errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: fetch it, or start from beat annotations that are there with --beats", err)
	}
	if err != nil {
		for _, ext := range []string{extBeats, extRhythms, extAlarms} {
			if bad := os.Remove(run.to(name, ext)); bad != nil && !errors.Is(bad, fs.ErrNotExist) {
				err = errors.Join(err, bad)
			}
		}
	}
	return sum, err
}

func (run *annotation) to(name, ext string) string { return filepath.Join(run.out, name+"."+ext) }

func (run *annotation) annotate(ctx context.Context, name string) (annotated, error) {
	r, err := wfdb.Open(filepath.Join(run.in, name))
	if err != nil {
		return annotated{}, err
	}
	v := viewer{transcript: wfdb.Transcript{Rate: r.Rate, Start: recordStart}}
	var leads int
	var said iter.Seq2[topics.Record[*topics.Annotation], error]
	if run.beats != nil {
		said, err = run.given(r, name, &v)
	} else {
		said, leads, err = run.measured(r, &v)
	}
	if err != nil {
		return annotated{}, err
	}
	if err := v.watch(ctx, said); err != nil {
		return annotated{}, err
	}
	if err := run.write(name, &v); err != nil {
		return annotated{}, err
	}
	seconds := float64(v.transcript.Length) / r.Rate
	return annotated{
		recordings: 1, beats: len(v.transcript.Beats()), alarms: len(v.alarms), seconds: seconds,
		hidden: float64(v.transcript.Suspended()) / r.Rate, leadHours: seconds / 3600 * float64(leads),
	}, nil
}

// measured is what the stage beats says of a recording's signals.
func (run *annotation) measured(r *wfdb.Record, v *viewer) (_ iter.Seq2[topics.Record[*topics.Annotation], error], leads int, err error) {
	names := r.Leads()
	switch {
	case len(r.Signals) == 0:
		return nil, 0, errNoSignals
	case len(names) == 0:
		return nil, 0, errors.New("none of its signals is an ECG in mV, µV or V")
	case run.only != nil && *run.only >= len(names):
		return nil, 0, fmt.Errorf("it has no lead %d: its leads are 0 to %d (%s)", *run.only, len(names)-1, strings.Join(names, ", "))
	case run.only != nil:
		names = names[*run.only : *run.only+1]
	case len(names) > mostLeads:
		names = names[:mostLeads]
	}
	frames := r.Frames(wfdb.FrameOptions{
		Patient: recordPatient, Device: recordDevice, Boot: 1, Start: recordStart, Leads: names, Lost: int(math.Ceil(r.Rate)),
		Kept: driver.Kept,
	})
	log := driver.Tap(driver.Ticks(frames, recordTail), func(f *topics.Frame) {
		if s := f.GetSamples(); s != nil {
			v.now = s.GetArrivalUs()
			v.transcript.Length = int64(s.GetFirst()) // the last frame is what is lost
		}
		v.tick(f.GetTick())
	})
	return driver.Fold(beats.New(run.beatsConf), topics.Frames, topics.Annotations, log), len(names), nil
}

// given is what the stage beats would have said of annotations that are there.
func (run *annotation) given(r *wfdb.Record, name string, v *viewer) (iter.Seq2[topics.Record[*topics.Annotation], error], error) {
	var list []wfdb.Annotation
	err := fs.ErrNotExist
	for _, ext := range run.beats {
		if list, err = wfdb.ReadAnnotations(filepath.Join(run.in, name+"."+ext)); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w %s.%s", errNoReference, name, strings.Join(run.beats, " or ."))
	case err != nil:
		return nil, err
	}
	if rate, ok := wfdb.Resolution(list); ok && rate != r.Rate {
		for i := range list {
			list[i].Sample = int64(math.Round(float64(list[i].Sample) / rate * r.Rate))
		}
	}
	g := wfdb.Given{Patient: recordPatient, Device: recordDevice, Boot: 1, Start: recordStart, Rate: r.Rate, Length: int64(r.Length)}
	if g.Length == 0 && len(list) > 0 {
		g.Length = list[len(list)-1].Sample + 1
	}
	v.transcript.Length = g.Length
	log := driver.TicksAt(topics.Annotations, g.Arrived, g.Annotations(list), recordTail)
	return driver.Tap(log, func(a *topics.Annotation) {
		if a.GetTick() == nil {
			v.now = g.Arrived(a)
		}
		v.tick(a.GetTick())
	}), nil
}

var errNoReference = errors.New("it has no annotations")

// viewer sees all that the stages say of one recording.
type viewer struct {
	transcript wfdb.Transcript
	now        int64 // UTC µs of the log
	alarms     []alarmLine
}

func (v *viewer) tick(t *topics.Tick) {
	if t != nil {
		v.now = t.GetWallUs()
	}
}

// watch folds annotations through the stages after beats, to the end.
func (v *viewer) watch(ctx context.Context, said iter.Seq2[topics.Record[*topics.Annotation], error]) error {
	log := driver.Fold(alarms.Stage(), topics.Charts, topics.Alarms,
		driver.Tap(driver.Fold(rhythm.Stage(), topics.Annotations, topics.Charts,
			driver.Tap(said, v.transcript.Annotation)), v.transcript.Chart))
	for r, err := range log {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		v.transcript.Alarm(r.Value)
		if s := r.Value.GetState(); s != nil && !s.GetRestated() {
			v.alarm(s)
		}
	}
	return nil
}

// alarmLine is one alarm in REC.alarms.jsonl. What the fields are is told in the help of annotate.
type alarmLine struct {
	Rule      string        `json:"rule"`
	Priority  string        `json:"priority"`
	Technical bool          `json:"technical"`
	Text      string        `json:"text"`
	Onset     int64         `json:"onset"`
	OnsetS    float64       `json:"onset_s"`
	DecidedS  float64       `json:"decided_s"`
	EndedS    *float64      `json:"ended_s,omitempty"`
	Changes   []alarmChange `json:"changes,omitempty"`

	id string
}

type alarmChange struct {
	AtS      float64 `json:"at_s"`
	Priority string  `json:"priority"`
	Text     string  `json:"text"`
}

// alarm notes a change in an alarm's life.
func (v *viewer) alarm(s *topics.AlarmState) {
	priority := strings.TrimPrefix(s.GetPriority().String(), "PRIORITY_")
	i := len(v.alarms) - 1
	for i >= 0 && v.alarms[i].id != s.GetId() {
		i--
	}
	switch {
	case i < 0:
		// While samples are missing a stage's time runs ahead of them by up to a second.
		onset := min(s.GetOnsetUs(), v.now)
		v.alarms = append(v.alarms, alarmLine{
			Rule: s.GetRule(), Priority: priority, Technical: s.GetTechnical(), Text: s.GetText(),
			Onset: v.transcript.SampleAt(onset), OnsetS: v.seconds(onset), DecidedS: v.seconds(v.now), id: s.GetId(),
		})
	case s.GetEndedUs() != 0:
		at := v.seconds(s.GetEndedUs())
		v.alarms[i].EndedS = &at
	case s.GetChange().GetWhat() != "value" && s.GetChange().GetWhat() != "priority":
		// Nobody answers in a recording: that nobody does is no change of the alarm.
	default:
		v.alarms[i].Changes = append(v.alarms[i].Changes, alarmChange{v.seconds(v.now), priority, s.GetText()})
	}
}

// seconds is a time from the first sample on, to the millisecond.
func (v *viewer) seconds(us int64) float64 {
	return math.Round(float64(us-recordStart.UnixMicro())/1e3) / 1e3
}

// write puts the files of a recording in place, each whole or not at all.
func (run *annotation) write(name string, v *viewer) error {
	beats, err := wfdb.AppendAnnotations(nil, v.transcript.Beats())
	if err != nil {
		return err
	}
	rhythms, err := wfdb.AppendAnnotations(nil, v.transcript.Rhythms())
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	to := json.NewEncoder(&lines)
	to.SetEscapeHTML(false) // HR 134 > 120 is for people, too
	for _, a := range v.alarms {
		if err := to.Encode(a); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		ext  string
		data []byte
	}{{extBeats, beats}, {extRhythms, rhythms}, {extAlarms, lines.Bytes()}} {
		path := run.to(name, f.ext)
		if err := os.WriteFile(path+".part", f.data, 0o644); err != nil {
			return err
		}
		if err := os.Rename(path+".part", path); err != nil {
			return err
		}
	}
	return nil
}
