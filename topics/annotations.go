package topics

// Annotations is what happened in the signal, each at its sample.
var Annotations = define(Spec{
	Name: "annotations", Key: "patient", Retention: 30 * day, Schema: 1,
	Doc: "beats, gaps, leads, quality and how far detection is complete",
}, (*Annotation).GetPatient).withTicks((*Annotation).GetTick, func(t *Tick) *Annotation {
	w := new(struct {
		value Annotation
		kind  Annotation_Tick
	})
	w.kind.Tick = t
	w.value.Kind = &w.kind
	return &w.value
})
