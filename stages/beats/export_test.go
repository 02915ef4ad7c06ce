package beats

import "heartwire/stages"

// AppendVersion is the state as version 2 or 3 wrote it.
func (s *State) AppendVersion(version uint32) ([]byte, error) {
	var e stages.Encoder
	err := s.write(&e)
	if version >= 3 {
		writeReaders(&e, s.live)
		writeReaders(&e, s.late)
		writeEpisodes(&e, s.live)
		writeEpisodes(&e, s.late)
	}
	return e.B, err
}
