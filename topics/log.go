package topics

import (
	"context"
	"time"
)

// Stretch is what is read of one partition of a topic.
type Stretch struct {
	Partition int32
	From      time.Time    // when the first of its records was written
	Keys      map[Key]bool // whose records are wanted; nil: all
}

// Reader looks back into a topic, for a sink that is brought another.
type Reader[T any] interface {
	// Read calls each with the committed records of a stretch in order, and
	// with the ticks among them, until each returns false or what is committed
	// has been read. forgotten says that the log may have held more of the
	// stretch than it does: it begins within it.
	Read(ctx context.Context, s Stretch, each func(Record[T]) bool) (forgotten bool, err error)
}

// Made is a value that was made of the record at a place of another topic.
type Made[T any] struct {
	Value     T
	Partition int32
	Offset    int64
}

// Deriver writes values that a sink has made of the records of one topic to
// another. Their Origin is the record that they were made of.
type Deriver[T any] interface {
	// Write returns once all of them are in the log. After an error some may
	// be: writing them again makes repeats.
	Write(ctx context.Context, made ...Made[T]) error
	Close()
}
