package gateway

import (
	"fmt"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/sinks"
	"heartwire/sinks/sinktest"
	"heartwire/topics"
)

// conform runs the suite on one of the gateway's sinks. index finds in a
// message which record it tells of; the last record, with marker as its
// index, says that no more will come.
func conform[T proto.Message](t *testing.T, topic topics.Topic[T], pick func(*Gateway) sinks.Sink[T],
	value func(key string, i int) T, index func(*ServerMessage) (key string, i int, ok bool)) {
	const marker = 1_000_000
	key := func(p int32) string { return fmt.Sprintf("p%d", p) }
	object := func(v T) topics.Key { return topic.Key(v) }
	record := func(p int32, i int) topics.Record[T] {
		v := value(key(p), i)
		raw, err := topic.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		return topics.Record[T]{
			Key: object(v), Partition: p, Offset: int64(i), Value: v, Raw: raw,
			Origin: topics.Origin{Source: "source", Partition: p, Offset: int64(i)},
		}
	}
	foreign := record(1, 0)
	foreign.Key = "somebody else"
	sinktest.Run(t, sinktest.Case[T]{
		Good: record,
		Bad: map[string]topics.Record[T]{
			"no value":               {Key: topics.Key(key(0))},
			"another patient's key":  foreign,
			"no key and no tick":     {Value: topic.New(), Raw: []byte{0x7a, 0}},
			"a key that is not said": {Key: "p9", Value: topic.New(), Raw: []byte{0x7a, 0}},
		},
		New: func(t *testing.T) sinktest.Target[T] {
			r := start(t, nil)
			p := r.connect(protocolProto)
			p.subscribe("p0", "p1", "p2", "p3")
			for n := range sinktest.Partitions {
				until(p, snapshotOf(fmt.Sprintf("p%d", n)))
			}
			sink := pick(r.Gateway)
			return sinktest.Target[T]{Sink: sink, Effects: func(t *testing.T, want int) []topics.Origin {
				// One marker a partition: each patient has an order of its own.
				for n := range int32(sinktest.Partitions) {
					give(t, sink, topic, record(n, marker))
				}
				var got []topics.Origin
				for markers := 0; markers < sinktest.Partitions; {
					k, i, ok := index(p.next())
					switch part, err := strconv.Atoi(k[min(1, len(k)):]); {
					case !ok:
					case err != nil:
						t.Fatalf("a record of %q", k)
					case i == marker:
						markers++
					default:
						got = append(got, record(int32(part), i).Origin)
					}
				}
				return got
			}}
		},
	})
}

func TestSinksConform(t *testing.T) {
	t.Run("frames", func(t *testing.T) {
		conform(t, topics.Frames, (*Gateway).Frames,
			func(key string, i int) *topics.Frame { return frame(key, i).Value },
			func(m *ServerMessage) (string, int, bool) {
				f := m.GetFrame()
				return f.GetPatient(), int(f.GetSamples().GetFirst() / perFrame), f != nil
			})
	})
	t.Run("annotations", func(t *testing.T) {
		conform(t, topics.Annotations, (*Gateway).Annotations,
			func(key string, i int) *topics.Annotation { return beat(key, i).Value },
			func(m *ServerMessage) (string, int, bool) {
				a := m.GetAnnotation()
				return a.GetPatient(), int(a.GetSample() / perFrame), a != nil
			})
	})
	t.Run("chart", func(t *testing.T) {
		conform(t, topics.Charts, (*Gateway).Charts,
			func(key string, i int) *topics.Chart { return second(key, i, 72).Value },
			func(m *ServerMessage) (string, int, bool) {
				c := m.GetChart()
				return c.GetPatient(), int(c.GetSecond().GetSample()), c != nil
			})
	})
	t.Run("alarms", func(t *testing.T) {
		conform(t, topics.Alarms, (*Gateway).Alarms,
			func(key string, i int) *topics.Alarm {
				return alarm(key, strconv.Itoa(i), 1, topics.AlarmCondition_ALARM_CONDITION_ACTIVE).Value
			},
			func(m *ServerMessage) (string, int, bool) {
				a := m.GetAlarm()
				i, _ := strconv.Atoi(a.GetState().GetId())
				return a.GetPatient(), i, a != nil
			})
	})
	t.Run("settings", func(t *testing.T) {
		conform(t, topics.Settings, (*Gateway).Settings,
			func(key string, i int) *topics.Setting {
				return patientSetting(uint64(i+1), &topics.Patient{Patient: key, Alias: strconv.Itoa(i)}).Value
			},
			func(m *ServerMessage) (string, int, bool) {
				b := m.GetBed()
				i, err := strconv.Atoi(b.GetAlias())
				return b.GetPatient(), i, b != nil && err == nil
			})
	})
}
