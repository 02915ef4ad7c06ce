package gateway

import (
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"heartwire/topics"
)

const followed = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

func TestWhatIsFollowedEndsAtTheFirstClient(t *testing.T) {
	for _, protocol := range []string{protocolProto, protocolJSON} {
		t.Run(protocol, func(t *testing.T) {
			r := start(t, nil)
			recorder := tracetest.NewSpanRecorder()
			r.Trace(sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder)))
			frames := r.Frames()
			send := func(i int, traceparent string) {
				f := frame("p1", i)
				f.Trace = traceparent
				give(t, frames, topics.Frames, f)
			}
			ended := func(n int) []sdk.ReadOnlySpan {
				t.Helper()
				for end := time.Now().Add(10 * time.Second); len(recorder.Ended()) < n; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("%d spans ended, want %d", len(recorder.Ended()), n)
					}
				}
				return recorder.Ended()
			}
			send(0, followed) // to nobody
			ended(1)

			a, b := r.connect(protocol), r.connect(protocol)
			for _, p := range []*peer{a, b} {
				p.subscribeAll()
				// What a snapshot shows is the record alone.
				s := until(p, snapshotOf("p1"))
				if len(s.GetFrames()) != 1 || s.GetFrames()[0].GetSamples().GetFirst() != 0 {
					t.Fatalf("the snapshot has %v", s.GetFrames())
				}
			}
			send(1, "")
			send(2, followed)
			send(2, followed) // a repeat, which nobody is told
			send(3, "")
			for _, p := range []*peer{a, b} {
				for i := 1; i <= 3; i++ {
					m := until(p, func(m *ServerMessage) (*ServerMessage, bool) { return m, m.GetFrame() != nil })
					want := ""
					if i == 2 {
						want = "00-0123456789abcdef0123456789abcdef-" + ended(2)[1].SpanContext().SpanID().String() + "-01"
					}
					if m.GetTraceparent() != want || m.GetFrame().GetSamples().GetFirst() != uint64(i*perFrame) {
						t.Errorf("message %d of samples from %d carries %q, want %q", i, m.GetFrame().GetSamples().GetFirst(), m.GetTraceparent(), want)
					}
				}
			}
			for _, s := range ended(2) {
				if s.Name() != "gateway" || s.Parent().SpanID().String() != "0123456789abcdef" {
					t.Errorf("span %s under %s", s.Name(), s.Parent().SpanID())
				}
			}
			if n := len(recorder.Ended()); n != 2 {
				t.Errorf("%d spans, want 2: one a record, whatever the clients", n)
			}
		})
	}
}
