package topics

import (
	"context"

	"google.golang.org/protobuf/proto"
)

// Writer writes values of a topic into the log, in the order in which they are
// given. nil means that they are there, as durably as the log keeps what it
// has; after an error each of them may be there or not, and may still come.
type Writer interface {
	Write(ctx context.Context, t Any, values ...proto.Message) error
}
