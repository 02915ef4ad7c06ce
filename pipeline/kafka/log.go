package kafka

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// clientLog gives franz-go's warnings and errors to slog, each sentence once in
// 30 s: a broker that is away is tried again for ever. Its information is ours
// to say in our own words, so it goes to debug.
type clientLog struct {
	log *slog.Logger

	mu   *sync.Mutex
	said map[string]time.Time // by sentence, of which there are few
}

func newClientLog(log *slog.Logger) clientLog {
	return clientLog{log: log, mu: new(sync.Mutex), said: map[string]time.Time{}}
}

const sayAgain = 30 * time.Second

func (l clientLog) Level() kgo.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelWarn
}

func (l clientLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug
	switch level {
	case kgo.LogLevelError:
		to = slog.LevelError
	case kgo.LogLevelWarn:
		to = slog.LevelWarn
	}
	if to > slog.LevelDebug && !l.fresh(msg) {
		return
	}
	l.log.Log(context.Background(), to, "kafka: "+msg, keyvals...)
}

// fresh reports whether a sentence was not said lately.
func (l clientLog) fresh(msg string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.said[msg]) < sayAgain {
		return false
	}
	l.said[msg] = now
	return true
}
