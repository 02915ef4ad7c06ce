package bridge

import "fmt"

// Reason is why something is refused: a code of a closed list, so that it can
// be counted by it. topics/DESIGN.md tells a device maker what each one means.
type Reason string

const (
	Undecodable    Reason = "undecodable"
	Oversize       Reason = "oversize"
	DeviceInvalid  Reason = "device.invalid"
	DeviceMismatch Reason = "device.mismatch"
	LeadsNone      Reason = "leads.none"
	LeadsMany      Reason = "leads.many"
	LeadsUnequal   Reason = "leads.unequal"
	LeadName       Reason = "lead.name"
	LeadSamples    Reason = "lead.samples"
	RateInvalid    Reason = "rate.invalid"
	SamplesFew     Reason = "samples.few"
	SamplesMany    Reason = "samples.many"
	ScaleInvalid   Reason = "scale.invalid"
	MissingLength  Reason = "missing.length"
	PaceRange      Reason = "pace.range"
	Overflow       Reason = "overflow"
	Conflict       Reason = "conflict"
	VitalsCount    Reason = "vitals.count"
	VitalInvalid   Reason = "vital.invalid"
	Unwritable     Reason = "unwritable"
)

// Reasons are all of them.
func Reasons() []Reason {
	return []Reason{
		Undecodable, Oversize, DeviceInvalid, DeviceMismatch,
		LeadsNone, LeadsMany, LeadsUnequal, LeadName, LeadSamples,
		RateInvalid, SamplesFew, SamplesMany, ScaleInvalid, MissingLength, PaceRange,
		Overflow, Conflict, VitalsCount, VitalInvalid, Unwritable,
	}
}

// Refusal is the error of a message that can never be accepted.
type Refusal struct {
	Reason Reason
	Detail string // what is wrong and what to do, without what was sent
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Reason, r.Detail) }

func refuse(why Reason, format string, args ...any) error {
	return &Refusal{why, fmt.Sprintf(format, args...)}
}
