package bench

import (
	"slices"
	"time"
)

// probe asks for one Snapshot after the other and measures how long each takes.
type probe struct {
	stop  chan struct{}
	done  chan struct{}
	waits []float64 // ms
	err   error
}

func newProbe(of Dialect, address string, l Load) *probe {
	p := &probe{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for i := 0; ; i++ {
			select {
			case <-p.stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			began := time.Now()
			if p.err = of.Snapshot(address, Patient(i%l.Patients)); p.err != nil {
				return
			}
			p.waits = append(p.waits, float64(time.Since(began).Microseconds())/1000)
		}
	}()
	return p
}

// end is how long each took in ms, sorted.
func (p *probe) end() ([]float64, error) {
	close(p.stop)
	<-p.done
	slices.Sort(p.waits)
	return p.waits, p.err
}
