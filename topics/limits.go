package topics

// Names of the rules that Heartwire brings.
const (
	RuleVF              = "vf"
	RuleAsystole        = "asystole"
	RuleVT              = "vt"
	RuleHRExtremeHigh   = "hr.extreme-high"
	RuleHRExtremeLow    = "hr.extreme-low"
	RuleVRun            = "v-run"
	RuleSVT             = "svt"
	RuleAFFast          = "af-fast"
	RuleHRHigh          = "hr.high"
	RuleHRLow           = "hr.low"
	RulePause           = "pause"
	RuleNoCapture       = "no-capture"
	RuleAF              = "af"
	RuleIdioventricular = "idioventricular"
	RuleBigeminy        = "bigeminy"
	RuleTrigeminy       = "trigeminy"
	RuleCouplet         = "couplet"
	RuleRonT            = "r-on-t"
	RulePVC             = "pvc"
	RuleDroppedBeat     = "dropped-beat"
	RuleNoData          = "no-data"
	RuleLeadOff         = "lead-off"
	RuleSignalPoor      = "signal-poor"
	RuleBatteryLow      = "battery-low"
	RuleClockWrong      = "clock-wrong"
	RuleFramesLong      = "frames-long"
	RuleRebooted        = "rebooted"
	RuleDataLost        = "data-lost"
	RuleBroken          = "rule-broken" // one that people wrote cannot be judged
)

// Layers from which a value in force can come, the lowest first.
const (
	LayerDefault = "default"
	LayerProfile = "profile"
	LayerSite    = "site"
	LayerUnit    = "unit"
	LayerPatient = "patient"
)

// Off says whether a rule can be switched off.
type Off uint8

const (
	OffAtWill Off = iota
	OffByWord     // lethal: only where the layer says so by the rule's name (Layer.lethal_off)
	OffNever      // it says that a patient is not watched: standby is for that
)

// Span is a number with what it may be set to, both ends included. Where the
// ends are equal it cannot be set.
type Span struct{ Default, From, To float64 }

// Fixed reports that it cannot be set.
func (s Span) Fixed() bool { return s.From >= s.To }

// Holds reports that v is within. NaN never is.
func (s Span) Holds(v float64) bool { return v >= s.From && v <= s.To }

// BuiltIn is a rule that Heartwire brings: by what it judges an adult for whom
// nobody has set anything, and what may be set of it. These are the outermost
// bounds; a site's own are narrower.
type BuiltIn struct {
	Rule       string
	Unit       string // UCUM of value and hysteresis
	Value      Span   // fixed where the definition is stages/rhythm's, the same for every patient
	DurationS  Span   // s for which it must be exceeded
	Hysteresis Span   // by which it must be undercut
	Quality    Span   // 0 to 1: below it nothing is decided
	Follows    string // the rule whose value, duration and hysteresis it goes by
	Priority   Priority
	Lowest     Priority // to which it may be set
	Highest    Priority
	Latching   bool // by default
	Off        Off
	Technical  bool // of the equipment, not of the body
}

// Lethal reports a rule whose alarm is of a heart that may be about to stop:
// its priority, latching and quality gate are fixed, and it takes an explicit
// word to switch it off.
func (b *BuiltIn) Lethal() bool { return b.Off == OffByWord }

// Limit is the rule's limit by default, every field said.
func (b *BuiltIn) Limit() *Limit {
	latching, quality := b.Latching, b.Quality.Default
	return &Limit{
		Rule: b.Rule, Value: b.Value.Default, Unit: b.Unit, DurationS: b.DurationS.Default, Hysteresis: b.Hysteresis.Default,
		Layer: LayerDefault, Priority: b.Priority, Latching: &latching, Quality: &quality,
	}
}

const (
	low    = Priority_PRIORITY_LOW
	medium = Priority_PRIORITY_MEDIUM
	high   = Priority_PRIORITY_HIGH
)

func fixed(v float64) Span { return Span{v, v, v} }

var (
	gate    = Span{0, 0, 0.9} // 1 would be a rule that never speaks
	ectopy  = Span{0, 0, 600} // s
	briefly = Span{0, 0, 60}  // s
)

// builtIns stand with the worst first: what inhibits before what it inhibits.
//
// Bounds and defaults are those of IEC 60601-2-27 monitors as Heartwire takes
// them. A rate high of 250 /min at most keeps hr.extreme-high, 20 above it,
// where a rate can be measured; 20 /min at least for the rate low keeps
// hr.extreme-low, 10 below it, above an asystole of 10 s. A HIGH alarm must sound within 10 s
// of its onset: that bounds the duration of the extremes, whose windows are 8 s.
var builtIns = [...]BuiltIn{
	{Rule: RuleVF, Unit: "s", Value: fixed(4), Priority: high, Lowest: high, Highest: high, Latching: true, Off: OffByWord},
	{Rule: RuleAsystole, Unit: "s", Value: Span{4, 3, 10}, Priority: high, Lowest: high, Highest: high, Latching: true, Off: OffByWord},
	{Rule: RuleVT, Unit: "{beats}", Value: fixed(5), Priority: high, Lowest: high, Highest: high, Latching: true, Off: OffByWord},
	// In force is the higher of the value and hr.high + 20, and the lower of the value and hr.low − 10.
	{Rule: RuleHRExtremeHigh, Unit: "/min", Value: Span{140, 100, 270}, DurationS: Span{0, 0, 2}, Hysteresis: Span{2, 0, 20},
		Priority: high, Lowest: high, Highest: high, Latching: true, Off: OffByWord},
	{Rule: RuleHRExtremeLow, Unit: "/min", Value: Span{40, 10, 100}, DurationS: Span{0, 0, 2}, Hysteresis: Span{2, 0, 20},
		Priority: high, Lowest: high, Highest: high, Latching: true, Off: OffByWord},

	{Rule: RuleVRun, Unit: "{beats}", Value: fixed(3), Quality: gate, Priority: medium, Lowest: low, Highest: high},
	{Rule: RuleSVT, Unit: "{beats}", Value: fixed(5), DurationS: briefly, Quality: gate, Priority: medium, Lowest: low, Highest: high},
	{Rule: RuleAFFast, Unit: "/min", Follows: RuleHRHigh, Quality: gate, Priority: medium, Lowest: low, Highest: high},
	{Rule: RuleHRHigh, Unit: "/min", Value: Span{120, 30, 250}, DurationS: Span{3, 0, 60}, Hysteresis: Span{2, 0, 20}, Quality: gate,
		Priority: medium, Lowest: low, Highest: high},
	{Rule: RuleHRLow, Unit: "/min", Value: Span{50, 20, 200}, DurationS: Span{3, 0, 60}, Hysteresis: Span{2, 0, 20}, Quality: gate,
		Priority: medium, Lowest: low, Highest: high},
	{Rule: RulePause, Unit: "s", Value: Span{3, 2, 5}, Quality: gate, Priority: medium, Lowest: low, Highest: high},
	{Rule: RuleNoCapture, Unit: "{pulses}", Value: fixed(3), DurationS: briefly, Quality: gate, Priority: medium, Lowest: low, Highest: high},

	{Rule: RuleAF, Unit: "/min", Value: fixed(0), DurationS: Span{0, 0, 3600}, Quality: gate, Priority: low, Lowest: low, Highest: medium},
	{Rule: RuleIdioventricular, Unit: "{beats}", Value: fixed(3), DurationS: ectopy, Quality: gate, Priority: low, Lowest: low, Highest: high},
	{Rule: RuleBigeminy, Unit: "{beats}", Value: fixed(6), DurationS: ectopy, Quality: gate, Priority: low, Lowest: low, Highest: medium},
	{Rule: RuleTrigeminy, Unit: "{beats}", Value: fixed(9), DurationS: ectopy, Quality: gate, Priority: low, Lowest: low, Highest: medium},
	{Rule: RuleCouplet, Unit: "{beats}", Value: fixed(2), Quality: gate, Priority: low, Lowest: low, Highest: medium},
	{Rule: RuleRonT, Unit: "ms", Value: fixed(0), Quality: gate, Priority: low, Lowest: low, Highest: high},
	{Rule: RulePVC, Unit: "/min", Value: Span{10, 1, 99}, DurationS: ectopy, Hysteresis: Span{2, 0, 20}, Quality: gate,
		Priority: low, Lowest: low, Highest: medium},
	{Rule: RuleDroppedBeat, Unit: "s", Value: fixed(0), Quality: gate, Priority: low, Lowest: low, Highest: medium},

	{Rule: RuleNoData, Unit: "s", Value: Span{10, 5, 60}, Priority: medium, Lowest: medium, Highest: high, Off: OffNever, Technical: true},
	{Rule: RuleLeadOff, Unit: "s", Value: Span{0, 0, 60}, Priority: medium, Lowest: medium, Highest: high, Off: OffNever, Technical: true},
	{Rule: RuleSignalPoor, Value: fixed(1), DurationS: Span{30, 5, 120}, Priority: medium, Lowest: medium, Highest: high, Off: OffNever, Technical: true},
	{Rule: RuleBatteryLow, Unit: "%", Value: Span{15, 5, 50}, DurationS: briefly, Hysteresis: Span{2, 0, 10}, Priority: low, Lowest: low, Highest: medium, Technical: true},
	{Rule: RuleClockWrong, Unit: "s", Value: Span{60, 5, 3600}, DurationS: briefly, Hysteresis: Span{5, 0, 30}, Priority: low, Lowest: low, Highest: medium, Technical: true},
	{Rule: RuleFramesLong, Unit: "s", Value: Span{1, 1, 10}, DurationS: briefly, Priority: low, Lowest: low, Highest: medium, Technical: true},
	{Rule: RuleRebooted, Value: fixed(1), Priority: low, Lowest: low, Highest: medium, Technical: true},
	{Rule: RuleDataLost, Value: fixed(1), Priority: high, Lowest: high, Highest: high, Off: OffNever, Technical: true},
	{Rule: RuleBroken, Value: fixed(1), Priority: medium, Lowest: medium, Highest: high, Off: OffNever, Technical: true},
}

// BuiltIns are the rules that Heartwire brings, the worst first. They stand here
// because those who judge by them, those who resolve what is set of them and
// those who show it all need them, and none of these may know another.
func BuiltIns() []BuiltIn { return builtIns[:len(builtIns):len(builtIns)] }

// FindBuiltIn is the rule of that name, or nil.
func FindBuiltIn(rule string) *BuiltIn {
	for i := range builtIns {
		if builtIns[i].Rule == rule {
			return &builtIns[i]
		}
	}
	return nil
}

// DefaultLimits are the limits of an adult for whom nobody has set any, a whole
// set in the order of BuiltIns.
func DefaultLimits() []*Limit {
	set := make([]*Limit, len(builtIns))
	for i := range builtIns {
		b := &builtIns[i]
		set[i] = b.Limit()
		if b.Follows != "" {
			of := FindBuiltIn(b.Follows).Limit()
			set[i].Value, set[i].DurationS, set[i].Hysteresis = of.Value, of.DurationS, of.Hysteresis
		}
	}
	return set
}

// How long a pause of alarms lasts when nobody says, and at most, in s.
const (
	DefaultPauseS    = 120
	DefaultPauseMaxS = 600
)

// AnswerWaitS is how long a HIGH alarm waits for an answer before it is the next
// person's, in s (ALARMS, time budget).
var AnswerWaitS = Span{60, 15, 300}
