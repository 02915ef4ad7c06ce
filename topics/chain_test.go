package topics_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// chained are n records of a chain, as they stand in the log.
func chained(t *testing.T, writer string, n int) (out []topics.Record[*topics.Audit]) {
	t.Helper()
	var previous []byte
	for i := range n {
		a := &topics.Audit{Subject: fmt.Sprint("p", i%3), Writer: writer, Sequence: uint64(i + 1), Previous: previous, Person: "nurse-7", What: "see"}
		out = append(out, logged(t, a, i))
		previous = topics.AuditSum(out[i].Raw)
	}
	return out
}

func logged(t *testing.T, a *topics.Audit, offset int) topics.Record[*topics.Audit] {
	t.Helper()
	raw, err := topics.Audits.Append(nil, a)
	if err != nil {
		t.Fatal(err)
	}
	return topics.Record[*topics.Audit]{Key: topics.Audits.Key(a), Offset: int64(offset), Value: a, Raw: raw}
}

func TestAuditChains(t *testing.T) {
	altered := func(r topics.Record[*topics.Audit], change func(*topics.Audit)) topics.Record[*topics.Audit] {
		a := proto.CloneOf(r.Value)
		change(a)
		return logged(t, a, int(r.Offset))
	}
	for name, c := range map[string]struct {
		change func([]topics.Record[*topics.Audit]) []topics.Record[*topics.Audit]
		says   string // empty: it is whole
	}{
		"whole":          {func(r []topics.Record[*topics.Audit]) []topics.Record[*topics.Audit] { return r }, ""},
		"in any order":   {func(r []topics.Record[*topics.Audit]) []topics.Record[*topics.Audit] { slices.Reverse(r); return r }, ""},
		"written twice":  {func(r []topics.Record[*topics.Audit]) []topics.Record[*topics.Audit] { return append(r, r[3:6]...) }, ""},
		"a later look":   {func(r []topics.Record[*topics.Audit]) []topics.Record[*topics.Audit] { return r[4:] }, ""},
		"one taken out":  {func(r []topics.Record[*topics.Audit]) []topics.Record[*topics.Audit] { return slices.Delete(r, 4, 5) }, "number 5 to 5 are missing"},
		"some taken out": {func(r []topics.Record[*topics.Audit]) []topics.Record[*topics.Audit] { return slices.Delete(r, 4, 7) }, "number 5 to 7 are missing"},
		"one changed": {func(r []topics.Record[*topics.Audit]) []topics.Record[*topics.Audit] {
			r[4] = altered(r[4], func(a *topics.Audit) { a.Person = "doctor-3" })
			return r
		}, "number 5 (0@4) is not what was written before number 6"},
		"one put in": {func(r []topics.Record[*topics.Audit]) []topics.Record[*topics.Audit] {
			return append(r, altered(r[4], func(a *topics.Audit) { a.Person = "doctor-3" }))
		}, "2 records say that they are number 5"},
		"under another key": {func(r []topics.Record[*topics.Audit]) []topics.Record[*topics.Audit] {
			r[4].Key = "p9"
			return r
		}, "another key"},
		"of no chain": {func(r []topics.Record[*topics.Audit]) []topics.Record[*topics.Audit] {
			return append(r, logged(t, &topics.Audit{Subject: "p1"}, 99))
		}, "0@99 is of no chain"},
		"a first that is none": {func(r []topics.Record[*topics.Audit]) []topics.Record[*topics.Audit] {
			r[0] = altered(r[0], func(a *topics.Audit) { a.Previous = []byte("x") })
			return r
		}, "number 1 (0@0) names a record before it"},
	} {
		t.Run(name, func(t *testing.T) {
			var all topics.AuditChains
			for _, r := range append(c.change(chained(t, "w1", 10)), chained(t, "w2", 3)...) {
				all.Add(r)
			}
			chains, broken := all.Chains()
			if len(chains) != 2 || chains[0].Writer != "w1" || chains[1].Last != 3 || len(chains[1].Broken) > 0 {
				t.Fatalf("chains are %+v", chains)
			}
			said := strings.Join(append(broken, chains[0].Broken...), "; ")
			if (said == "") != (c.says == "") || !strings.Contains(said, c.says) {
				t.Errorf("said %q, want %q", said, c.says)
			}
		})
	}
}
