package topics

// Rules of which a person can set the limit.
const (
	RuleHRHigh   = "hr.high"
	RuleHRLow    = "hr.low"
	RuleAsystole = "asystole"
	RuleNoData   = "no-data"
	RuleLeadOff  = "lead-off"
)

// DefaultLimits are the limits of an adult for whom nobody has set any:
// ALARMS of IEC 60601-2-27 monitors as this project takes them. They stand
// here because those who judge by them, those who resolve them and those who
// show them all need them, and none of these may know another.
func DefaultLimits() []*Limit {
	return []*Limit{
		{Rule: RuleHRHigh, Value: 120, Unit: "/min", DurationS: 3, Hysteresis: 2, Layer: "default"},
		{Rule: RuleHRLow, Value: 50, Unit: "/min", DurationS: 3, Hysteresis: 2, Layer: "default"},
		{Rule: RuleAsystole, Value: 4, Unit: "s", Layer: "default"},
		{Rule: RuleNoData, Value: 10, Unit: "s", Layer: "default"},
		{Rule: RuleLeadOff, Value: 0, Unit: "s", Layer: "default"},
	}
}
