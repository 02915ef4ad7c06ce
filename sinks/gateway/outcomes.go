package gateway

import "sync"

// outcomes are what people wait for who have asked for something: the log
// tells, under the id of what was asked, and the gateway reads it anyway.
type outcomes[T any] struct {
	mu      sync.Mutex
	waiting map[string][]chan T
}

// expect waits for the outcome under an id from now on, until done is called.
func (o *outcomes[T]) expect(id string) (outcome <-chan T, done func()) {
	ch := make(chan T, 1)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		o.waiting = make(map[string][]chan T)
	}
	o.waiting[id] = append(o.waiting[id], ch)
	return ch, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		list := o.waiting[id]
		for i := range list {
			if list[i] == ch {
				list = append(list[:i:i], list[i+1:]...)
				break
			}
		}
		if len(list) == 0 {
			delete(o.waiting, id)
			return
		}
		o.waiting[id] = list
	}
}

// tell gives an outcome to those who wait for it.
func (o *outcomes[T]) tell(id string, outcome T) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ch := range o.waiting[id] {
		select {
		case ch <- outcome:
		default: // it has been told: a restatement
		}
	}
}
