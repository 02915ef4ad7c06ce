package beats

import "heartwire/stages"

// AppendVersion2 is the state as version 2 wrote it.
func (s *State) AppendVersion2() ([]byte, error) {
	var e stages.Encoder
	err := s.write(&e)
	return e.B, err
}

// AppendVersion3 is the state as version 3 wrote it.
func (s *State) AppendVersion3() ([]byte, error) {
	var e stages.Encoder
	err := s.write(&e)
	writeReaders(&e, s.live)
	writeReaders(&e, s.late)
	writeEpisodes(&e, s.live)
	writeEpisodes(&e, s.late)
	return e.B, err
}
