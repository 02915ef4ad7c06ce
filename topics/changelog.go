package topics

// Changelog is the topic in which a stage keeps its checkpoints. Its partition
// i belongs to the stage's input partition i.
func Changelog(stage string) Topic[*Checkpoint] {
	return define(Spec{
		Name: stage + "-changelog", Key: "patient", Compact: true, Schema: 1,
		Doc: "newest checkpoint of each key of the stage " + stage,
	}, (*Checkpoint).GetKey)
}

// BridgeChangelog is where each device's anchor in time is kept.
var BridgeChangelog = define(Spec{
	Name: "bridge-changelog", Key: "device", Compact: true, Schema: 1,
	Doc: "where the newest boot of each device begins in time",
}, (*Anchor).GetDevice)
