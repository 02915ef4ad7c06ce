package pipelinetest

import (
	"runtime"
	"runtime/metrics"
	"time"
)

// WatchHeap begins to measure the live heap of the process. peak ends it, and
// gives how far the heap rose over what it was.
func WatchHeap() (peak func() int64) {
	live := func() int64 {
		runtime.GC()
		s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}} // what the last collection found alive
		metrics.Read(s)
		return int64(s[0].Value.Uint64())
	}
	live()
	base, most := live(), int64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				most = max(most, live()-base)
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-done
		return most
	}
}
