package chaos

import (
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/fold"
	"heartwire/pipeline/kafka"
	"heartwire/stages/registry"
	"heartwire/topics"
)

// answers wants an outcome for each request that was asked, and holds what the
// registry said against what it says in one go. It says it in three topics, two
// of which have other partitions than requests, and passes no tick on; but what
// it says of one request commits as a whole, and each request has an outcome in
// settings. So it has read up to the last request of which settings knows, and
// each partition holds, in order, those of its words whose keys belong there.
func (t *Tally) answers(given Given, log Log) {
	requests, settings := topics.Requests.Name, topics.Settings.Name
	said, _ := sayings(log[settings][0], requests)
	if len(said) == 0 {
		if len(given.Asked) > 0 {
			t.add(Lost, settings, "every outcome")
		}
		return
	}
	last := int64(-1)
	for _, r := range said {
		last = max(last, r.origin.Offset)
	}
	before := t.Said
	told := t.registry(given, log, said[0].origin.Epoch, last)
	for _, out := range registryOuts {
		name := out.About().Name
		for p := range given.Partitions {
			said, _ := sayings(log[name][p], requests)
			t.compare(name, said, told[name][p], last)
		}
	}
	t.Answers = t.Said - before
	answered := map[string]bool{}
	for _, r := range log[settings][0] {
		if v, err := topics.Settings.DecodeValue(r.Value); err == nil && v.GetOutcome() != nil {
			answered[v.GetOutcome().Request] = true
		}
	}
	for _, id := range given.Asked {
		if !answered[id] {
			t.add(Lost, settings, "the outcome of "+id)
		}
	}
}

// registryOuts are the topics that the registry writes to, as cmd has it.
var registryOuts = []topics.Any{topics.Settings, topics.Frames, topics.Charts}

// registry is what the registry says of requests up to an offset, by topic and partition.
func (t *Tally) registry(given Given, log Log, epoch, last int64) map[string]map[int32][]record {
	told := map[string]map[int32][]record{}
	stage, err := registry.New(registry.Config{SiteKey: given.SiteKey})
	if err != nil {
		t.add(Condemned, topics.Requests.Name, err.Error())
		return told
	}
	part := fold.New[registry.State, *registry.State](stage, topics.Requests, epoch, 0)
	for r, err := range decoded(topics.Requests, log[topics.Requests.Name][0], last) {
		if err == nil {
			err = part.Fold(r)
		}
		if err != nil {
			t.add(Condemned, topics.Requests.Name, err.Error())
			continue
		}
		said, bad := part.Take()
		for _, b := range bad {
			t.add(Condemned, topics.Requests.Name, b.Err.Error())
		}
		for _, v := range said {
			topic, p, rec, err := placed(v.Value, v.Origin, given.Partitions)
			if err != nil {
				t.add(Condemned, topics.Requests.Name, err.Error())
				continue
			}
			if told[topic] == nil {
				told[topic] = map[int32][]record{}
			}
			told[topic][p] = append(told[topic][p], rec)
		}
		part.Commit()
	}
	return told
}

// placed is a value as a record of the topic that holds its type, with the
// partition that its key belongs to when patient topics have n of them.
func placed(v proto.Message, origin topics.Origin, n int32) (topic string, partition int32, _ record, _ error) {
	for _, out := range registryOuts {
		if !out.Holds(v) {
			continue
		}
		r, err := kafka.EncodeAny("", out, n, v, origin)
		if err != nil {
			return "", 0, record{}, err
		}
		return out.About().Name, r.Partition, record{topics.Key(r.Key), origin, r.Value}, nil
	}
	panic("the registry says what no topic holds")
}
