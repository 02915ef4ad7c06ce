package beats

import "heartwire/stages"

// AppendVersion2 is the state as version 2 wrote it.
func (s *State) AppendVersion2() ([]byte, error) {
	var e stages.Encoder
	err := s.write(&e)
	return e.B, err
}
