package topics

// Rejects is what could not be read or folded. Nothing vanishes: it is here.
var Rejects = define(Spec{
	Name: "rejects", Key: "device", Retention: 30 * day, Schema: 1,
	Doc: "what could not be read or folded, with the reason and the original bytes",
}, (*Reject).GetKey)
