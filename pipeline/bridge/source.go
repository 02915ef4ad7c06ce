// Package bridge carries what patches send into Kafka.
//
// The guarantee: a message is acknowledged to its source only after Kafka has
// acknowledged, on all in-sync copies, everything the message caused: its
// frame, its vitals, or its reject. So nothing that a patch was told is safe
// is lost, and nothing vanishes for being unreadable. While Kafka is away
// nothing is acknowledged and the source keeps the messages. After a crash a
// message can come twice; frames may repeat a run of samples, and (device,
// boot, first sample) tells.
//
// The obvious design, acknowledging when the handler returns, loses what was
// in flight; waiting in the handler for each record keeps only one in flight.
// Here the handler only begins the writing, and one goroutine acknowledges in
// the order of arrival, as MQTT asks, whatever the order in which the
// partitions' leaders answer.
//
// The map: source.go is the contract of a source, mqtt/ the first of them;
// decode.go, check.go and wire.go read what a patch says, anchor.go gives it its time,
// binding.go its patient, term.go its way into Kafka; election.go decides who
// of two is active, and bridge.go holds it together.
package bridge

import "context"

// Kind is what a message carries.
type Kind uint8

const (
	Frames Kind = iota // a topics.PatchFrame
	Vitals             // a topics.PatchVitals
	Status             // a topics.PatchStatus; empty when a retained one is taken away
)

// String is the kind's word in the patch's protocol.
func (k Kind) String() string {
	switch k {
	case Frames:
		return "frames"
	case Vitals:
		return "vitals"
	default:
		return "status"
	}
}

// ParseKind reads what String wrote.
func ParseKind(s string) (Kind, bool) {
	for _, k := range []Kind{Frames, Vitals, Status} {
		if s == k.String() {
			return k, true
		}
	}
	return 0, false
}

// Message is one message as a source received it.
type Message struct {
	Kind    Kind
	Device  string // whom the transport names as sender: an MQTT topic, a path, a certificate
	Place   string // where it came from, for rejects: the MQTT topic
	Payload []byte // the bridge's from now on
	Ack     func() // called at most once, after those of all earlier messages; it may come from any goroutine
}

// Source receives messages. More than one process may have the same source;
// the bridge sees to it that one of them runs.
type Source interface {
	// Name says which messages it receives. Sources of one name stand by for
	// each other; those of different names must not overlap.
	Name() string

	// Run receives until ctx ends, and comes back to a lost server by itself.
	// deliver does not wait for Kafka, but it may hold up a source that is far
	// ahead of it; a message that is never acknowledged must come again.
	// When ctx ends, Run gives what it has delivered a short time to be
	// acknowledged, and returns nil.
	Run(ctx context.Context, deliver func(Message)) error
}
