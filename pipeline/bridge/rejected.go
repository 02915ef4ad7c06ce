package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Rejected reads messages again that a bridge once refused, as they would have
// been read when they came: with the time that their samples had, and the
// patient to whom the device belonged then. It writes nothing, so it can stand
// beside the bridge that is active.
type Rejected struct {
	siteKey  []byte
	bindings *bindings
	devices  map[string]*device
}

// NewRejected reads whose the devices were, and how their samples count.
func NewRejected(ctx context.Context, conf Config, kconf kafka.Config, log *slog.Logger) (*Rejected, error) {
	key, err := conf.siteKey()
	if err != nil {
		return nil, err
	}
	b := &Bridge{conf: conf, kafka: kconf, log: log}
	r := &Rejected{siteKey: key}
	if r.bindings, err = restoreBindings(ctx, kconf, log); err != nil {
		return nil, fmt.Errorf("read whose the devices are: %w", err)
	}
	if r.devices, err = b.restoreDevices(ctx); err != nil {
		return nil, fmt.Errorf("restore the devices' anchors: %w", err)
	}
	return r, nil
}

// Frame makes the frame of a message of kind Frames that came at a time, UTC µs.
// What it must not be is a Refusal.
func (r *Rejected) Frame(m Message, came int64) (*topics.Frame, error) {
	if m.Kind != Frames {
		return nil, errors.New("only frames are read again: what else a patch says is of its moment, and would be taken for now")
	}
	s, err := decodeFrame(m.Payload, m.Device)
	if err != nil {
		return nil, err
	}
	at := float64(came) - seconds(s.First+uint64(s.Count)-1, s.Rate)
	if d := r.devices[s.Device]; d != nil && d.now.boot == s.Boot && d.now.rate == s.Rate {
		at = min(at, d.now.at)
	}
	s.ArrivalUs, s.TimeUs = came, int64(math.Round(at+seconds(s.First, s.Rate)))
	patient := r.bindings.patient(s.Device, s.TimeUs, s.TimeUs+int64(seconds(uint64(s.Count-1), s.Rate)))
	if patient == "" {
		patient = string(topics.Unassigned(r.siteKey, s.Device))
	}
	return &topics.Frame{Patient: patient, Kind: &topics.Frame_Samples{Samples: s}}, nil
}
