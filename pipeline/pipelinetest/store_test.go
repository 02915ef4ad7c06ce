package pipelinetest_test

import (
	"fmt"
	"testing"

	"heartwire/pipeline/pipelinetest"
	"heartwire/sinks/sinktest"
	"heartwire/topics"
)

func TestStoreIsASink(t *testing.T) {
	sinktest.Run(t, sinktest.Case[*topics.Frame]{
		Good: func(p int32, i int) topics.Record[*topics.Frame] {
			key := topics.Key(fmt.Sprint("p", p))
			return topics.Record[*topics.Frame]{
				Key: key, Partition: p, Offset: int64(i), Origin: topics.Origin{Source: "d", Partition: p, Offset: int64(i)},
				Value: &topics.Frame{Patient: string(key)},
			}
		},
		Bad: map[string]topics.Record[*topics.Frame]{"no value": {}},
		New: func(*testing.T) sinktest.Target[*topics.Frame] {
			s := &pipelinetest.Store[*topics.Frame]{}
			return sinktest.Target[*topics.Frame]{Sink: s, Effects: func(*testing.T, int) []topics.Origin {
				var out []topics.Origin
				for _, r := range s.Rows() {
					out = append(out, r.Origin)
				}
				return out
			}}
		},
	})
}
