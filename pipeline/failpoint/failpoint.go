// Package failpoint names the moments at which a process may die, so that the
// fault suite can kill it right there. Only a binary built with the tag
// failpoint has them; in any other a Hit is nothing.
package failpoint

// Moments of a stage's turn, of its restore, and of the bridge's batch.
const (
	StageBegun     = "stage.begun"     // a transaction is open, nothing is produced
	StageProduced  = "stage.produced"  // outputs and checkpoints stand in it; it is about to end
	StageCommitted = "stage.committed" // it has ended, the states do not know it yet
	StageRestored  = "stage.restored"  // states are back, nothing is said yet
	BridgeReceived = "bridge.received" // from MQTT, nothing is produced
	BridgeProduced = "bridge.produced" // stands in Kafka, is not acknowledged to the patch
	BridgeAcked    = "bridge.acked"    // is acknowledged
)
