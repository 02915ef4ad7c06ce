package rules

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// frame holds what one evaluation reads. It is cel.Activation.
type frame struct {
	rule    *Rule
	history *History
	moment  *Moment
	limit   Limit
}

var frames = sync.Pool{New: func() any { return new(frame) }}

// notKnown is a value that cannot be told. CEL's logic is that of Kleene:
// false && unknown is false, true || unknown is true, else it stays unknown.
var notKnown = types.NewUnknown(1, nil)

// ResolveName gives CEL what is in a slot.
func (f *frame) ResolveName(name string) (any, bool) {
	if !isSlot(name) || slotAt(name) >= len(f.rule.reads) {
		return nil, false
	}
	return f.read(&f.rule.reads[slotAt(name)]), true
}

// Parent is none.
func (f *frame) Parent() cel.Activation { return nil }

func (f *frame) read(r *read) ref.Val {
	v := f.number(r)
	switch {
	case v != v || math.IsInf(v, 0):
		return notKnown
	case r.kind() == Truth:
		return types.Bool(v != 0)
	case r.kind() == TimeOfDay:
		return types.Duration{Duration: time.Duration(v) * time.Second}
	}
	return number(v)
}

func (f *frame) number(r *read) float64 {
	switch {
	case r.stat != none:
		return f.history.window(r)
	case r.held():
		return f.history.value(r, f.moment)
	case r.quantity.Name == limitName:
		return f.limit.Value
	case r.quantity.Name == hysteresisName:
		return f.limit.Hysteresis
	}
	return r.quantity.read(f.moment).v
}

func (r *Rule) with(h *History, m *Moment, l Limit, do func(*frame)) {
	f := frames.Get().(*frame)
	*f = frame{r, h, m, l}
	do(f)
	*f = frame{}
	frames.Put(f)
}

// Judge is what a second says about the rule. open says whether its alarm is:
// only then is it asked whether it is clear. h has had the second by Add. The
// gate of quality is the caller's, who keeps what it suppresses.
func (r *Rule) Judge(h *History, m *Moment, l Limit, open bool) (v Verdict) {
	r.with(h, m, l, func(f *frame) {
		switch is, known := r.when.truth(f); {
		case !known:
			v = Unknown
		case is:
			v = Over
		case !open || r.clear == nil:
			v = Clear
		default:
			switch is, known := r.clear.truth(f); {
			case !known:
				v = Unknown
			case is:
				v = Clear
			default:
				v = Within
			}
		}
	})
	return v
}

// Value is the number that the rule's text carries; false where it has none,
// or it cannot be told now.
func (r *Rule) Value(h *History, m *Moment, l Limit) (v float64, known bool) {
	if r.value == nil {
		return 0, false
	}
	r.with(h, m, l, func(f *frame) {
		if d, ok := r.value.eval(f).(types.Double); ok && !math.IsNaN(float64(d)) && !math.IsInf(float64(d), 0) {
			v, known = float64(d), true
		}
	})
	return v, known
}

func (e *expression) truth(f *frame) (is, known bool) {
	b, ok := e.eval(f).(types.Bool)
	return bool(b), ok
}

// eval is nil where it is an error. CEL turns a panic into one.
func (e *expression) eval(f *frame) ref.Val {
	v, _, err := e.program.Eval(f)
	if err != nil {
		return nil
	}
	return v
}

// Text is what people read: words, value and limit, as in HR MEAN 134 > 130 /min.
// A rule without a value, or one that cannot be told (NaN), has its words alone;
// one whose when holds something else against the limit, or whose limit nobody
// set, its words and value.
func (r *Rule) Text(value float64, l Limit) string {
	w := r.Written
	if r.value == nil || math.IsNaN(value) {
		return w.GetWords()
	}
	b := append([]byte(w.GetWords()), ' ')
	shown := round(value)
	b = strconv.AppendFloat(b, shown, 'f', -1, 64)
	if r.comparesLimit && !math.IsNaN(l.Value) {
		than := " > "
		switch {
		case shown == l.Value && value >= l.Value:
			than = " ≥ "
		case shown == l.Value:
			than = " ≤ "
		case shown < l.Value:
			than = " < "
		}
		b = append(b, than...)
		b = strconv.AppendFloat(b, l.Value, 'f', -1, 64)
	}
	if u := unitWords(w.GetUnit()); u != "" {
		b = append(append(b, ' '), u...)
	}
	return string(b)
}

// round is a value as it is shown: to three places of what it is, at most one
// after the point, two below 10.
func round(v float64) float64 {
	switch a := math.Abs(v); {
	case a >= 100:
		return math.Round(v)
	case a >= 10:
		return math.Round(v*10) / 10
	}
	return math.Round(v*100) / 100
}

var unitNames = strings.NewReplacer("Cel", "°C", "mm[Hg]", "mmHg", "{", "", "}", "", "ms2", "ms²")

func unitWords(ucum string) string {
	if ucum == "1" {
		return ""
	}
	return unitNames.Replace(ucum)
}
