package main

import (
	"errors"
	"fmt"
	"os"

	"heartwire/topics/paper"
	"heartwire/topics/wfdb"
)

// saveStrip draws an alarm's strip into a file, and writes it as a WFDB record
// into a folder, where they are named.
func (s *alarmStory) saveStrip(svg, folder string) error {
	if svg == "" && folder == "" {
		return nil
	}
	id := s.last.GetState().GetId()
	if s.strip == nil {
		return fmt.Errorf("alarm %s has no strip yet: it is copied some 10 s after it was raised, by the strips sink; does it run?", short(id))
	}
	var errs []error
	if svg != "" {
		errs = append(errs, func() error {
			f, err := os.Create(svg)
			if err != nil {
				return fmt.Errorf("--strip: %w", err)
			}
			return errors.Join(paper.Write(f, s.strip), f.Close())
		}())
	}
	if folder != "" {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("--wfdb: %w", err)
		}
		errs = append(errs, wfdb.WriteStrip(folder, short(id), s.strip))
	}
	return errors.Join(errs...)
}
