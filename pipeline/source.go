package pipeline

import (
	"context"

	"heartwire/topics"
)

// Source is a node that brings records from outside into the log, and reads
// what it must know for that. run gets the Env's Ready to call.
func Source(name string, reads, writes []topics.Any, run func(ctx context.Context, ready func()) error) Node {
	return Node{
		Name: name, Kind: KindSource, Reads: specs(reads), Writes: specs(writes),
		Run: func(ctx context.Context, env *Env) error { return run(ctx, env.Ready) },
	}
}
