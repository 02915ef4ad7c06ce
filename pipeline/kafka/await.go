package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Await returns once a broker answers. Until then it says in one line who does
// not, and tries again; an error means that ctx has ended or that the Config
// names files that cannot be read.
func (c Config) Await(ctx context.Context, log *slog.Logger) error {
	cl, err := c.NewClient(slog.New(slog.DiscardHandler), kgo.RetryTimeout(2*time.Second), kgo.RequestRetries(1))
	if err != nil {
		return err
	}
	defer cl.Close()
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := cl.Ping(try)
		cancel()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		log.Warn("no Kafka at "+strings.Join(c.Brokers, ", ")+", trying again", "err", last(err), "in", wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// Reach asks the brokers for an answer, by a connection of its own; nil is one.
func (c Config) Reach(ctx context.Context) error {
	cl, err := c.NewClient(slog.New(slog.DiscardHandler), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := cl.Ping(ctx); err != nil {
		return fmt.Errorf("reach Kafka: %w", last(err))
	}
	return nil
}

// last is the innermost error: "connection refused" tells what the chain around it does not.
func last(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
