//go:build real

package chaos_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/bridge/patch"
	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// asks is how often somebody asks the registry for something.
const asks = 300 * time.Millisecond

// ask lets requests come until the test ends or the house is hushed. Those
// whose write was acknowledged must be answered.
func (h *house) ask() {
	cl, err := h.conf.NewClient(slog.New(slog.DiscardHandler))
	if err != nil {
		h.t.Fatal(err)
	}
	h.until("requests", func(ctx context.Context) error {
		defer cl.Close()
		w := wishes{luck: rand.New(rand.NewPCG(1, 2))}
		next := time.NewTicker(asks)
		defer next.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-next.C:
			}
			q := w.next(h.conf.Site)
			r, err := kafka.Encode(h.conf.Site, topics.Requests, partitions, q, topics.Origin{Source: "ask", Offset: int64(w.n)})
			if err != nil {
				return err
			}
			if cl.ProduceSync(ctx, r).FirstErr() != nil {
				continue // whether it stands in the log is not known
			}
			h.mu.Lock()
			h.asked = append(h.asked, q.Id)
			h.mu.Unlock()
		}
	})
}

// wishes are requests of all kinds, most of which can be done.
type wishes struct {
	luck *rand.Rand
	n    int
	last []*topics.Request // that may be repeated
}

// next is one that is asked now. Half of the patches change hands, each about
// every ten seconds; the others stay, so that their alarms last.
func (w *wishes) next(site string) *topics.Request {
	w.n++
	if len(w.last) == 20 && w.luck.IntN(100) < 15 {
		return w.last[w.luck.IntN(len(w.last))] // as one who has not heard the answer
	}
	q := &topics.Request{Site: site, Id: fmt.Sprint("wish-", w.n), Author: "chaos", TimeUs: time.Now().UnixMicro()}
	device, patient := patch.DeviceName(partitions+w.luck.IntN(patients-partitions)), fmt.Sprint("q", w.luck.IntN(6))
	switch k := w.luck.IntN(100); {
	case k < 12:
		q.Kind = &topics.Request_Bind{Bind: &topics.Bind{Device: device, Patient: patient}}
	case k < 18:
		q.Kind = &topics.Request_Unbind{Unbind: &topics.Unbind{Device: device}}
	case k < 30: // has seen something else
		q.Expected = proto.Uint64(uint64(w.luck.IntN(w.n)))
		q.Kind = &topics.Request_Bind{Bind: &topics.Bind{Device: device, Patient: patient}}
	case k < 36: // cannot be done
		q.Kind = &topics.Request_Bind{Bind: &topics.Bind{Device: device, Patient: "nobody"}}
	default:
		q.Kind = &topics.Request_PutPatient{PutPatient: &topics.Patient{
			Patient: patient, Unit: "4 West", Bed: fmt.Sprint("B", w.luck.IntN(30)), Paced: w.luck.IntN(8) == 0,
			AgeGroup: topics.AgeGroup(w.luck.IntN(2)), Discharged: w.luck.IntN(15) == 0,
		}}
	}
	if w.last = append(w.last, q); len(w.last) > 20 {
		w.last = w.last[1:]
	}
	return q
}
