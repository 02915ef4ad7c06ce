package topics

import "time"

// Checkpoints are the topics in which a stage keeps the states of its keys.
// Partition i of each belongs to partition i of what the stage reads.
type Checkpoints struct {
	Changelog Topic[*Checkpoint] // the newest of each key: what a new owner restores from
	History   Topic[*Checkpoint] // the first, the last and one an hour: for replay and repair
}

// Where each stage keeps its states. History is kept as long as the stage's
// input: what the log has forgotten cannot be folded again.
var (
	BeatsCheckpoints    = checkpoints("beats", Frames.Spec)
	RhythmCheckpoints   = checkpoints("rhythm", Annotations.Spec)
	AlarmsCheckpoints   = checkpoints("alarms", Charts.Spec)
	RegistryCheckpoints = checkpoints("registry", Requests.Spec)
)

func checkpoints(stage string, in Spec) Checkpoints {
	keep := func(suffix, doc string, compact bool, retention time.Duration) Topic[*Checkpoint] {
		return define(Spec{
			Name: stage + suffix, Key: "the key of what the stage reads", Spread: in.Spread,
			Compact: compact, Retention: retention, Schema: 1, Doc: doc + " of each key of the stage " + stage,
		}, (*Checkpoint).GetKey)
	}
	return Checkpoints{
		Changelog: keep("-changelog", "newest checkpoint", true, 0),
		History:   keep("-history", "first, hourly and last checkpoints", false, in.Retention),
	}
}

// BridgeChangelog is where each device's anchor in time is kept.
var BridgeChangelog = define(Spec{
	Name: "bridge-changelog", Key: "device", Compact: true, Schema: 1,
	Doc: "where the newest boot of each device begins in time",
}, (*Anchor).GetDevice)
