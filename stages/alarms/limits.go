package alarms

import (
	"fmt"
	"strings"
	"time"

	"heartwire/topics"
)

// limit is what a rule is judged by.
type limit struct {
	value      float64
	duration   time.Duration // for which it must be exceeded
	hysteresis float64       // by which it must be undercut
	quality    float64       // below which nothing is decided; 0: no gate
	priority   topics.Priority
	latching   bool
	off        bool
	layer      *layer // from which it comes; nil: nobody has set it
}

// layer is where a value comes from. Limits of one layer, author and time share it.
type layer struct {
	name, author, reason string
	setUs, expiresUs     int64
}

// limits are those in force for the patient. The zero limits are the defaults.
type limits struct {
	version  uint64
	set      *[ruleCount]limit // as it was said; nil: the defaults
	force    *[ruleCount]limit // as it is judged by: what goes by another is worked out
	pause    time.Duration     // when nobody says how long
	pauseMax time.Duration
	wait     time.Duration // of a HIGH alarm for an answer
}

var (
	builtIns      = topics.BuiltIns()
	defaults      = resolve(topics.DefaultLimits())
	defaultsForce = defaults.inForce()
	defaultWait   = seconds64(topics.AnswerWaitS.Default)
)

// set is a limit for each rule of the table.
type set [ruleCount]limit

func resolve(list []*topics.Limit) *set {
	var all set
	for _, l := range list {
		if i := ruleNamed(l.GetRule()); i >= 0 {
			all[i] = asLimit(l, nil)
		}
	}
	return &all
}

func asLimit(l *topics.Limit, from *layer) limit {
	return limit{
		value: l.GetValue(), duration: seconds64(l.GetDurationS()), hysteresis: l.GetHysteresis(), quality: l.GetQuality(),
		priority: l.GetPriority(), latching: l.GetLatching(), off: l.GetOff(), layer: from,
	}
}

func seconds64(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Extremes, ALARMS: above max(140, high + 20), below min(40, low − 10).
const highBy, lowBy = 20.0, 10.0

// inForce works out the rules that go by another's limit. They stay when that
// one is turned off.
func (s *set) inForce() *[ruleCount]limit {
	f := [ruleCount]limit(*s)
	high, low := &f[ruleHRHigh], &f[ruleHRLow]
	fast := &f[ruleAFFast]
	fast.value, fast.duration, fast.hysteresis = high.value, high.duration, high.hysteresis
	f[ruleExtremeHigh].value = max(f[ruleExtremeHigh].value, high.value+highBy)
	f[ruleExtremeLow].value = min(f[ruleExtremeLow].value, low.value-lowBy)
	return &f
}

// at is the limit in force of a rule of the table.
func (l *limits) at(i int) *limit {
	if l.force == nil {
		return &defaultsForce[i]
	}
	return &l.force[i]
}

// limit takes the whole set that is in force from now on. A rule that it does
// not name has its default: no rule is turned off by being forgotten. A name
// that is no rule's is passed over: the registry may be newer than this stage,
// and a patient must not lose the limits that can be kept. A set with an
// impossible limit is refused, and the one before stays in force.
func (s *State) limit(l *topics.Limits) error {
	s.idle = 0
	if s.limits.set != nil && l.GetVersion() < s.limits.version {
		return nil
	}
	next := *defaults
	var layers []*layer
	for _, one := range l.GetLimits() {
		i := ruleNamed(one.GetRule())
		if i < 0 {
			continue
		}
		if err := possible(&builtIns[i], one); err != nil {
			return err
		}
		set := asLimit(one, share(&layers, one))
		b := &defaults[i]
		if builtIns[i].Follows != "" {
			set.value, set.duration, set.hysteresis = b.value, b.duration, b.hysteresis
		}
		if one.Priority == topics.Priority_PRIORITY_UNSPECIFIED {
			set.priority = b.priority
		}
		if one.Latching == nil {
			set.latching = b.latching
		}
		if one.Quality == nil {
			set.quality = b.quality
		}
		next[i] = set
	}
	if high, low := &next[ruleHRHigh], &next[ruleHRLow]; low.value >= high.value && !low.off && !high.off {
		return fmt.Errorf("limit %s of %v is not below %s of %v: want a rate between them", topics.RuleHRLow, low.value, topics.RuleHRHigh, high.value)
	}
	pause, most, err := pauses(l)
	if err != nil {
		return err
	}
	wait, err := answerWait(l)
	if err != nil {
		return err
	}
	free, err := s.rewrite(l, &layers)
	if err != nil {
		return err
	}
	s.limits = limits{version: l.GetVersion(), set: (*[ruleCount]limit)(&next), force: next.inForce(), pause: pause, pauseMax: most, wait: wait}
	s.free = free
	s.compose()
	return nil
}

// possible checks a limit against what may be set of its rule at all.
func possible(b *topics.BuiltIn, l *topics.Limit) error {
	own := b.Follows == "" // else it goes by the other's, whatever stands here
	switch v, d, h, q := l.GetValue(), l.GetDurationS(), l.GetHysteresis(), l.GetQuality(); {
	case own && !b.Value.Holds(v):
		return fmt.Errorf("limit %s of %v: want %v to %v", b.Rule, v, b.Value.From, b.Value.To)
	case own && !b.DurationS.Holds(d):
		return fmt.Errorf("limit %s for %v s: want %v to %v", b.Rule, d, b.DurationS.From, b.DurationS.To)
	case own && !b.Hysteresis.Holds(h):
		return fmt.Errorf("limit %s with a hysteresis of %v: want %v to %v", b.Rule, h, b.Hysteresis.From, b.Hysteresis.To)
	case !b.Quality.Holds(q):
		return fmt.Errorf("limit %s with a quality gate of %v: want %v to %v", b.Rule, q, b.Quality.From, b.Quality.To)
	}
	switch p := l.GetPriority(); {
	case p != topics.Priority_PRIORITY_UNSPECIFIED && (p < b.Lowest || p > b.Highest):
		return fmt.Errorf("limit %s of %v: want %v to %v", b.Rule, p, b.Lowest, b.Highest)
	case l.GetOff() && b.Off == topics.OffNever:
		return fmt.Errorf("limit %s is off: it says that a patient is not watched, and cannot be turned off; standby is for that", b.Rule)
	case l.Latching != nil && !l.GetLatching() && b.Lethal():
		return fmt.Errorf("limit %s does not latch: want a lethal alarm to stay until somebody resets it", b.Rule)
	}
	return nil
}

// pauses is how long a pause lasts when nobody says, and at most.
func pauses(l *topics.Limits) (usual, most time.Duration, err error) {
	u, m := l.GetPauseS(), l.GetPauseMaxS()
	if m == 0 {
		m = topics.DefaultPauseMaxS
	}
	if u == 0 {
		u = min(topics.DefaultPauseS, m)
	}
	if !(u > 0 && u <= m && m <= topics.DefaultPauseMaxS) {
		return 0, 0, fmt.Errorf("a pause of %v s, at most %v s: want them above 0 and up to %d", u, m, topics.DefaultPauseMaxS)
	}
	return seconds64(u), seconds64(m), nil
}

// pauseOf is how long a pause lasts for which s seconds were asked; 0: the
// usual. A code says why it cannot be.
func (l *limits) pauseOf(s float64) (time.Duration, code) {
	usual, most := l.pause, l.pauseMax
	if l.set == nil {
		usual, most = topics.DefaultPauseS*time.Second, topics.DefaultPauseMaxS*time.Second
	}
	switch {
	case s == 0:
		return usual, ""
	case !(s > 0 && s < 1e9):
		return 0, codeDuration
	case seconds64(s) > most:
		return 0, codeTooLong
	}
	return seconds64(s), ""
}

// answerWait is how long a HIGH alarm waits for an answer.
func answerWait(l *topics.Limits) (time.Duration, error) {
	switch s := l.GetAnswerWaitS(); {
	case s == 0:
		return defaultWait, nil
	case !topics.AnswerWaitS.Holds(s):
		return 0, fmt.Errorf("a wait of %v s for an answer: want %v to %v", s, topics.AnswerWaitS.From, topics.AnswerWaitS.To)
	default:
		return seconds64(s), nil
	}
}

// answerWithin is how long a HIGH alarm waits for an answer, from when it was
// raised, or from the last who rejected it.
func (l *limits) answerWithin() time.Duration {
	if l.set == nil {
		return defaultWait
	}
	return l.wait
}

// share finds the layer from which a limit comes among those that the set has named.
func share(layers *[]*layer, l *topics.Limit) *layer {
	if l.GetLayer() == topics.LayerDefault && l.GetAuthor() == "" || l.GetLayer() == "" {
		return nil
	}
	return intern(layers, layer{l.GetLayer(), l.GetAuthor(), l.GetReason(), l.GetSetUs(), l.GetExpiresUs()})
}

func intern(layers *[]*layer, want layer) *layer {
	for _, have := range *layers {
		if *have == want {
			return have
		}
	}
	want.name, want.author, want.reason = strings.Clone(want.name), strings.Clone(want.author), strings.Clone(want.reason)
	*layers = append(*layers, &want)
	return &want
}

// inForce is the limit as a record says it.
func (l *limit) inForce(r *rule) *topics.Limit {
	latching, quality := l.latching, l.quality
	out := &topics.Limit{
		Rule: r.name, Value: l.value, Unit: r.unit, DurationS: l.duration.Seconds(), Hysteresis: l.hysteresis, Off: l.off,
		Layer: topics.LayerDefault, Priority: l.priority, Latching: &latching, Quality: &quality,
	}
	if f := l.layer; f != nil {
		out.Layer, out.Author, out.Reason, out.SetUs, out.ExpiresUs = f.name, f.author, f.reason, f.setUs, f.expiresUs
	}
	return out
}
