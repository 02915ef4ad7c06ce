package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Lag is, for each group, how many records it has not committed yet.
func Lag(ctx context.Context, cl *kgo.Client, groups ...string) (map[string]int64, error) {
	lags, err := kadm.NewClient(cl).Lag(ctx, groups...)
	if err != nil {
		return nil, fmt.Errorf("lag of groups: %w", err)
	}
	out := map[string]int64{}
	for group, l := range lags {
		if err := l.Error(); err != nil {
			return nil, fmt.Errorf("lag of group %s: %w", group, err)
		}
		out[group] = l.Lag.Total()
	}
	return out, nil
}
