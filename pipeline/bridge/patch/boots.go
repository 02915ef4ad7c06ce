package patch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// BootDir counts the starts of each device in a file of its own, so that a
// device's boot number rises over restarts of the emulator, too.
func BootDir(dir string) func(device string) (uint64, error) {
	return func(device string) (uint64, error) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return 0, fmt.Errorf("boot counter of %s: %w", device, err)
		}
		path := filepath.Join(dir, device+".boot")
		boot := uint64(0)
		switch b, err := os.ReadFile(path); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return 0, fmt.Errorf("boot counter of %s: %w", device, err)
		default:
			if boot, err = strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err != nil {
				return 0, fmt.Errorf("boot counter of %s: %s holds no number: put the last boot number there, a lower one makes late data of all that follows", device, path)
			}
		}
		boot++
		next := path + ".next"
		if err := os.WriteFile(next, fmt.Appendf(nil, "%d\n", boot), 0o600); err != nil {
			return 0, fmt.Errorf("boot counter of %s: %w", device, err)
		}
		if err := os.Rename(next, path); err != nil {
			return 0, fmt.Errorf("boot counter of %s: %w", device, err)
		}
		return boot, nil
	}
}

// bootClock counts boots from the seconds since 2020, so that they rise from
// one start of the emulator to the next as long as patches reboot less than
// once a second.
func bootClock(now func() time.Time) func(device string) (uint64, error) {
	last := make(map[string]uint64)
	return func(device string) (uint64, error) {
		epoch := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		last[device] = max(last[device]+1, uint64(max(0, now().Sub(epoch)/time.Second)))
		return last[device], nil
	}
}
