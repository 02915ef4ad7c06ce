package topics

// Strips is the samples about the onset of each alarm, for as long as its life
// can be read.
var Strips = define(Spec{
	Name: "strips", Key: "patient", Retention: 365 * day, Schema: 1,
	Doc: "the 20 s of samples about an alarm's onset, copied from frames",
}, (*Strip).GetPatient)

// Why a strip has a hole.
const (
	HoleMissing   = "missing"   // the samples had not come when it was copied
	HoleForgotten = "forgotten" // the log held them no more
	HoleSize      = "size"      // a record cannot be as large
)
