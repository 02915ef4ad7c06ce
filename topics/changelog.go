package topics

// The topics in which the stages keep their checkpoints. Partition i of each
// belongs to partition i of what the stage reads.
var (
	BeatsChangelog    = changelog("beats", PerSite)
	RhythmChangelog   = changelog("rhythm", PerSite)
	AlarmsChangelog   = changelog("alarms", PerSite)
	RegistryChangelog = changelog("registry", Single)
)

func changelog(stage string, spread Spread) Topic[*Checkpoint] {
	return define(Spec{
		Name: stage + "-changelog", Key: "the key of what the stage reads", Spread: spread, Compact: true, Schema: 1,
		Doc: "newest checkpoint of each key of the stage " + stage,
	}, (*Checkpoint).GetKey)
}

// BridgeChangelog is where each device's anchor in time is kept.
var BridgeChangelog = define(Spec{
	Name: "bridge-changelog", Key: "device", Compact: true, Schema: 1,
	Doc: "where the newest boot of each device begins in time",
}, (*Anchor).GetDevice)
