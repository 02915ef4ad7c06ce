package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"heartwire/topics"
)

// A Change is one difference between the cluster and the plan of the site.
type Change struct {
	Topic   string // with the site
	What    string // create, or the name of a setting
	From    string // as it is on the cluster; empty for create
	To      string // as it should be
	Refused string // why it will not be made, and what to do; empty when Apply makes it
}

// wanted is a topic's settings as the site wants them.
func (c Config) wanted(s topics.Spec) (partitions int32, settings map[string]string) {
	partitions = c.Partitions
	if s.Spread == topics.Single {
		partitions = 1
	}
	settings = map[string]string{
		"min.insync.replicas": strconv.Itoa(c.MinISR),
		"max.message.bytes":   strconv.Itoa(MaxRecordBytes),
		// Producers stamp records; a wrong clock of one must not make the log forget early.
		"message.timestamp.type": "CreateTime",
	}
	if s.Compact {
		settings["cleanup.policy"] = "compact"
		settings["min.cleanable.dirty.ratio"] = "0.1"
		// A restore reads the whole topic, and only closed segments are compacted.
		settings["segment.bytes"] = strconv.Itoa(16 << 20)
		settings["segment.ms"] = strconv.FormatInt((6 * time.Hour).Milliseconds(), 10)
	} else {
		settings["cleanup.policy"] = "delete"
		settings["retention.ms"] = strconv.FormatInt(s.Retention.Milliseconds(), 10)
	}
	return partitions, settings
}

// MaxRecordBytes is the largest record that a topic takes: a 10-s frame of 12
// leads at 1 kHz is below half of it.
const MaxRecordBytes = 2 << 20

// Plan compares the cluster with what the site needs. No change is made.
func (c Config) Plan(ctx context.Context, cl *kgo.Client) ([]Change, error) {
	adm := kadm.NewClient(cl)
	var names []string
	for _, t := range topics.All() {
		names = append(names, t.About().On(c.Site))
	}
	there, err := adm.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var known []string
	for _, n := range names {
		if d, ok := there[n]; ok && d.Err == nil {
			known = append(known, n)
		} else if ok && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			return nil, fmt.Errorf("topic %s: %w", n, d.Err)
		}
	}
	settings := map[string]map[string]string{}
	if len(known) > 0 {
		configs, err := adm.DescribeTopicConfigs(ctx, known...)
		if err != nil {
			return nil, fmt.Errorf("read topic settings: %w", err)
		}
		for _, rc := range configs {
			m := map[string]string{}
			for _, kv := range rc.Configs {
				m[kv.Key] = kv.MaybeValue()
			}
			settings[rc.Name] = m
		}
	}
	var changes []Change
	for _, t := range topics.All() {
		changes = append(changes, c.compare(t.About(), there, settings)...)
	}
	return changes, nil
}

func (c Config) compare(s topics.Spec, there kadm.TopicDetails, settings map[string]map[string]string) []Change {
	name := s.On(c.Site)
	partitions, want := c.wanted(s)
	have, ok := settings[name]
	if !ok {
		return []Change{{Topic: name, What: "create", To: fmt.Sprintf("%d partitions, %d copies", partitions, c.Replication)}}
	}
	var changes []Change
	if n := int32(len(there[name].Partitions)); n != partitions {
		changes = append(changes, Change{
			Topic: name, What: "partitions", From: strconv.Itoa(int(n)), To: strconv.Itoa(int(partitions)),
			Refused: "a key would move to another partition and its order would be lost: set kafka.partitions to what the site was made with, or begin a new site",
		})
	}
	if n := there[name].Partitions.NumReplicas(); n != int(c.Replication) {
		changes = append(changes, Change{
			Topic: name, What: "replication", From: strconv.Itoa(n), To: strconv.Itoa(int(c.Replication)),
			Refused: "copies are moved with kafka-reassign-partitions, which watches the load",
		})
	}
	keys := make([]string, 0, len(want))
	for k := range want {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if have[k] == want[k] {
			continue
		}
		ch := Change{Topic: name, What: k, From: have[k], To: want[k]}
		if k == "cleanup.policy" {
			ch.Refused = "it would delete or keep records against the plan of the one who set it: change it by hand if that is meant"
		}
		changes = append(changes, ch)
	}
	return changes
}

// Apply makes the changes that are not refused, and returns when every topic
// is there for whoever asks. It never deletes.
func (c Config) Apply(ctx context.Context, cl *kgo.Client, changes []Change) error {
	adm := kadm.NewClient(cl)
	var errs []error
	created := false
	for _, ch := range changes {
		switch {
		case ch.Refused != "":
		case ch.What == "create":
			errs = append(errs, c.create(ctx, adm, ch.Topic))
			created = true
		default:
			to := ch.To
			res, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: ch.What, Value: &to}}, ch.Topic)
			for _, r := range res {
				err = errors.Join(err, r.Err)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("set %s of %s: %w", ch.What, ch.Topic, err))
			}
		}
	}
	if created && errors.Join(errs...) == nil {
		errs = append(errs, c.settled(ctx, cl))
	}
	return errors.Join(errs...)
}

// settled waits until every broker knows every topic: they learn of a new one
// one after the other, and whoever comes next may ask any of them.
func (c Config) settled(ctx context.Context, cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := c.everywhere(ctx, cl)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the new topics are not there after a minute: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// everywhere is an error while a broker does not know a topic.
func (c Config) everywhere(ctx context.Context, cl *kgo.Client) error {
	brokers, err := kadm.NewClient(cl).ListBrokers(ctx)
	if err != nil {
		return fmt.Errorf("list brokers: %w", err)
	}
	for _, b := range brokers {
		req := kmsg.NewPtrMetadataRequest()
		for _, t := range topics.All() {
			topic := kmsg.NewMetadataRequestTopic()
			topic.Topic = kmsg.StringPtr(t.About().On(c.Site))
			req.Topics = append(req.Topics, topic)
		}
		resp, err := cl.Broker(int(b.NodeID)).RetriableRequest(ctx, req)
		if err != nil {
			return fmt.Errorf("ask broker %d: %w", b.NodeID, err)
		}
		for _, t := range resp.(*kmsg.MetadataResponse).Topics {
			if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
				return fmt.Errorf("broker %d: %w", b.NodeID, err)
			}
		}
	}
	return nil
}

func (c Config) create(ctx context.Context, adm *kadm.Client, name string) error {
	for _, t := range topics.All() {
		s := t.About()
		if s.On(c.Site) != name {
			continue
		}
		partitions, want := c.wanted(s)
		settings := make(map[string]*string, len(want))
		for k, v := range want {
			settings[k] = &v
		}
		_, err := adm.CreateTopic(ctx, partitions, c.Replication, settings, name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create %s: %w", name, err)
		}
		return nil
	}
	return fmt.Errorf("create %s: no topic of this site", name)
}
