package bridge

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/topics"
)

func settingOf(t *testing.T, device string, bound ...*topics.DeviceBinding) *kgo.Record {
	t.Helper()
	v, err := topics.Settings.Append(nil, &topics.Setting{
		Object: "device/" + device, Kind: &topics.Setting_Device{Device: &topics.Device{Device: device, Bindings: bound}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{Key: []byte("device/" + device), Value: v}
}

// In doubt a frame is nobody's, never guessed.
func TestWhoseAFrameIs(t *testing.T) {
	b := &bindings{devices: map[string][]*topics.DeviceBinding{}}
	if err := b.fold(settingOf(t, "d",
		&topics.DeviceBinding{Patient: "a", FromUs: 100, UntilUs: 200},
		&topics.DeviceBinding{Patient: "b", FromUs: 200, UntilUs: 300},
		&topics.DeviceBinding{Patient: "c", FromUs: 400, UntilUs: 500},
		&topics.DeviceBinding{Patient: "x", FromUs: 450, UntilUs: 460},
		&topics.DeviceBinding{Patient: "e", FromUs: 600},
	)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, until int64
		want        string
	}{
		{50, 60, ""},            // before anybody
		{100, 150, "a"},         // from is inclusive
		{150, 199, "a"},         //
		{150, 200, ""},          // until is exclusive: it straddles
		{200, 299, "b"},         //
		{90, 110, ""},           // begins before
		{310, 320, ""},          // between two
		{290, 410, ""},          // over a gap
		{405, 440, "c"},         //
		{452, 455, ""},          // two at a time
		{600, 1 << 50, "e"},     // open
		{599, 700, ""},          //
		{-1 << 50, 1 << 50, ""}, // everything
	} {
		if got := b.patient("d", c.from, c.until); got != c.want {
			t.Errorf("%d to %d: %q, want %q", c.from, c.until, got, c.want)
		}
	}
	if got := b.patient("other", 100, 150); got != "" {
		t.Errorf("a device nobody knows is %q's", got)
	}
	if err := b.fold(&kgo.Record{Key: []byte("device/d"), Offset: 9, Value: []byte{0xff}}); err == nil {
		t.Error("what cannot be read was folded")
	}
	if got := b.patient("d", 100, 150); got != "" {
		t.Errorf("after a setting that cannot be read the device is %q's", got)
	}
	if b.next != 10 {
		t.Errorf("next is %d, want 10", b.next)
	}
}
