package stagetest

import (
	"bytes"
	"fmt"

	"heartwire/topics"
)

// codecPoints is how many states along the log are examined byte by byte.
const codecPoints = 12

// codec: what is written can be read into any memory and says the same again;
// what is cut off or too long is refused, and what was refused leaves no trace.
func (s *suite[S, PS, In, Out]) codec() error {
	m := s.machine()
	every := max(len(s.inputs)/codecPoints, 1)
	m.swap = func(i int, _ topics.Key, now *S) (*S, error) {
		if i%every != 0 && i != len(s.inputs)-1 {
			return now, nil
		}
		b, err := m.encode(now)
		if err != nil {
			return nil, err
		}
		return now, s.codecAt(m, now, b)
	}
	if err := m.run(); err != nil {
		return err
	}
	return s.clean.diff("a fold whose states are looked at", &m.trace)
}

func (s *suite[S, PS, In, Out]) codecAt(m *machine[S, PS, In, Out], now *S, b []byte) error {
	prefix := []byte("before")
	if got, err := PS(now).AppendBinary(bytes.Clone(prefix)); err != nil || !bytes.Equal(got, append(prefix, b...)) {
		return fmt.Errorf("AppendBinary does not append the same bytes to a buffer that holds some (%v)", err)
	}
	into, err := s.dirty()
	if err != nil {
		return err
	}
	if err := s.sameAgain(m, into, b, "a used state"); err != nil {
		return err
	}
	for _, n := range cuts(len(b)) {
		if err := unmarshal[S, PS](into, b[:n]); err == nil {
			return fmt.Errorf("UnmarshalBinary takes the first %d of %d bytes for a state", n, len(b))
		} else if isPanic(err) {
			return fmt.Errorf("the first %d of %d bytes: %w", n, len(b), err)
		}
	}
	if err := s.sameAgain(m, into, b, "a state that has refused others"); err != nil {
		return err
	}
	if err := unmarshal[S, PS](into, append(bytes.Clone(b), 0)); err == nil {
		return fmt.Errorf("UnmarshalBinary takes %d bytes and one more for a state", len(b))
	}
	for _, n := range cuts(len(b)) {
		other := bytes.Clone(b)
		other[n] ^= 1 << (n % 8)
		if err := unmarshal[S, PS](into, other); err != nil && isPanic(err) {
			return fmt.Errorf("byte %d of %d changed: %w", n, len(b), err)
		}
	}
	return s.sameAgain(m, new(S), b, "a new state")
}

func (s *suite[S, PS, In, Out]) sameAgain(m *machine[S, PS, In, Out], into *S, b []byte, what string) error {
	if err := unmarshal[S, PS](into, b); err != nil {
		return fmt.Errorf("into %s: %w", what, err)
	}
	again, err := m.encode(into)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, again) {
		return fmt.Errorf("read into %s and written again, %d bytes become %d, the first difference at byte %d", what, len(b), len(again), firstDifference(b, again))
	}
	return nil
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// cuts are places in n bytes: all at the begin, where the fields are small, then a sample.
func cuts(n int) []int {
	var at []int
	for i := 0; i < n; i += 1 + i/200 {
		at = append(at, i)
	}
	return at
}
