package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/stages/alarms"
	"heartwire/topics"
)

func TestAnswers(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	answersPeople(t, conf)
}

// answersPeople lets two people do the same to many patients at once: each is
// told of each what came of their own, and the first in the log wins.
func answersPeople(t *testing.T, conf kafka.Config) {
	does := func(who string, action topics.Action, patients int) (out []*topics.Chart) {
		for i := range patients {
			out = append(out, &topics.Chart{Patient: fmt.Sprint("p", i), Kind: &topics.Chart_Answer{Answer: &topics.Answer{
				Id: fmt.Sprint(who, action, i), Action: action, Person: who, Channel: "cli",
			}}})
		}
		return out
	}
	soon, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := pipeline.Answer(soon, conf, testLog(t), does("early", topics.Action_ACTION_PAUSE, 1)...)
	if err == nil || !strings.Contains(err.Error(), "does the alarms stage run?") || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with no alarms stage: %v", err)
	}
	if _, err := pipeline.Answer(t.Context(), conf, testLog(t), &topics.Chart{Patient: "p0", Kind: &topics.Chart_Answer{Answer: &topics.Answer{}}}); err == nil {
		t.Error("an answer without an id was written")
	}

	defer start(t, conf, "1", pipeline.Stage(alarms.Stage(), topics.Charts, topics.AlarmsCheckpoints, topics.Alarms))()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const patients = 20
	for _, c := range []struct {
		action topics.Action
		wins   int // of the two
	}{{topics.Action_ACTION_PAUSE, 2}, {topics.Action_ACTION_RESUME, 1}} {
		type told struct {
			who string
			of  []*topics.AnswerOutcome
			err error
		}
		all := make(chan told)
		for _, who := range []string{"nurse-1", "nurse-2"} {
			go func() {
				of, err := pipeline.Answer(ctx, conf, testLog(t), does(who, c.action, patients)...)
				all <- told{who, of, err}
			}()
		}
		var won [patients]int
		for range 2 {
			x := <-all
			if x.err != nil {
				t.Fatal(x.err)
			}
			for i, o := range x.of {
				if o.GetPerson() != x.who || o.GetAnswer() != fmt.Sprint(x.who, c.action, i) {
					t.Errorf("%s is told of p%d: %v", x.who, i, o)
				}
				if o.GetAccepted() {
					won[i]++
				} else if o.GetCode() != "not-paused" || o.GetProblem() == "" {
					t.Errorf("%v of p%d is refused: %v", c.action, i, o)
				}
			}
		}
		for i, n := range won {
			if n != c.wins {
				t.Errorf("%v of p%d: %d of two could, want %d", c.action, i, n, c.wins)
			}
		}
	}
}
