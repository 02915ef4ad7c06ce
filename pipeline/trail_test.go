package pipeline

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace/noop"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

const from = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

func record(key, traceparent string) *kgo.Record {
	r := &kgo.Record{Topic: "frames", Key: []byte(key), Headers: []kgo.RecordHeader{
		{Key: topics.HeaderSchema, Value: []byte("Frame/1")}, {Key: topics.HeaderOrigin, Value: []byte("frames/0/1/2/3")},
	}}
	if traceparent != "" {
		kafka.SetTrace(r, traceparent)
	}
	return r
}

func TestTrailGoesOnWithWhatCameOfARecord(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	tracer := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder)).Tracer("")
	var at trail
	read := func(r *kgo.Record, ticked bool, said ...*kgo.Record) {
		at.pass(at.begin(tracer, "beats", r), r, ticked, said)
	}
	// What is said at once goes on, and nothing is held for the tick.
	a, tickA := record("p1", ""), record("p1", "")
	read(record("p1", from), false, a)
	read(record("", ""), true, tickA)
	// What is said at the tick goes on for its key alone, and once.
	read(record("p1", from), false)
	other, held, passed := record("p2", ""), record("p1", ""), record("", "")
	read(record("p1", ""), false)
	read(record("", ""), true, other, held, passed)
	late := record("p1", "")
	read(record("", ""), true, late)
	// What no frame that is followed caused does not.
	plain := record("p1", "")
	read(record("p1", ""), false, plain)

	if n := len(recorder.Ended()); n != 0 {
		t.Errorf("%d spans ended before the commit", n)
	}
	at.end(true)
	spans := recorder.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans, want 2", len(spans))
	}
	for i, s := range spans {
		if s.Name() != "beats" || s.Parent().SpanID().String() != "0123456789abcdef" || !s.Parent().IsRemote() {
			t.Errorf("span %d is %s under %s", i, s.Name(), s.Parent().SpanID())
		}
	}
	want := func(of int) string {
		return "00-0123456789abcdef0123456789abcdef-" + spans[of].SpanContext().SpanID().String() + "-01"
	}
	for _, c := range []struct {
		what string
		r    *kgo.Record
		want string
	}{
		{"said at once", a, want(0)}, {"said at a tick after that", tickA, ""},
		{"said at the tick", held, want(1)}, {"said of another", other, ""}, {"the tick itself", passed, ""},
		{"said at the tick after", late, ""}, {"said of no such record", plain, ""},
	} {
		if got := kafka.Trace(c.r); got != c.want {
			t.Errorf("%s carries %q, want %q", c.what, got, c.want)
		}
	}
	if at.end(true); len(recorder.Ended()) != 2 {
		t.Error("spans end twice")
	}
	read(record("p1", from), false)
	at.end(false)
	if last := recorder.Ended()[2]; last.Status().Description == "" {
		t.Error("the span of what was aborted does not say so")
	}
}

// Where nobody is told, a trace is handed on as it came.
func TestTrailIsHandedOnWhenNobodyIsTold(t *testing.T) {
	tracer := noop.NewTracerProvider().Tracer("")
	var at trail
	said := record("p1", "")
	r := record("p1", from)
	at.pass(at.begin(tracer, "beats", r), r, false, []*kgo.Record{said})
	at.end(true)
	if got := kafka.Trace(said); got != from {
		t.Errorf("it carries %q, want %q", got, from)
	}
}

func TestWhatIsNotFollowedCostsNoAllocation(t *testing.T) {
	tracer := sdk.NewTracerProvider().Tracer("")
	var at trail
	r, said := record("p1", ""), []*kgo.Record{record("p1", "")}
	n := testing.AllocsPerRun(1000, func() {
		if span := at.begin(tracer, "beats", r); span != nil || len(at.held) > 0 {
			at.pass(span, r, false, said)
		}
		at.end(true)
	})
	if n != 0 {
		t.Errorf("%g allocations a record, want none", n)
	}
}

func BenchmarkNotFollowed(b *testing.B) {
	tracer := sdk.NewTracerProvider().Tracer("")
	var at trail
	r := record("p1", "")
	b.ReportAllocs()
	for b.Loop() {
		if at.begin(tracer, "beats", r) != nil {
			b.Fatal("it is followed")
		}
	}
}
