package rules

import (
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"heartwire/topics"
)

// Partitions of a site are folded at the same time: they share programs.
func TestProgramsAreForAllGoroutines(t *testing.T) {
	var p Programs
	list := []*topics.Rule{written("hr.mean(30s) > 100 && spo2.min(1min) < 90"), {Name: "other", When: "hr > 130", Words: "X", Priority: 1}}
	var all sync.WaitGroup
	sets := make([]*Set, 8)
	for i := range sets {
		all.Go(func() {
			set, failed := p.Set(list)
			if len(failed) > 0 {
				t.Error(failed[0].Err)
			}
			sets[i] = set
			var h History
			m := &Moment{Second: second(110), NowUs: began}
			for k := range 200 {
				if k == 100 {
					h.Vital(set, &topics.Vital{Loinc: "59408-5", Value: 85, Ucum: "%"}, began)
				}
				h.Add(set, time.Duration(k)*time.Second, m)
				want := Unknown
				if k >= 129 {
					want = Over
				}
				if got := set.Rules[0].Judge(&h, m, NoLimit, false); got != want {
					t.Errorf("second %d: %v", k, got)
					return
				}
			}
		})
	}
	all.Wait()
	for _, s := range sets {
		if s != sets[0] {
			t.Error("the same rules are compiled twice")
		}
	}
}

func TestProgramsForget(t *testing.T) {
	var p Programs
	r := written("hr > 130")
	p.known = map[string]compiled{}
	for i := range remembered {
		p.known[string(rune(i))+"x"] = compiled{}
	}
	if _, err := p.Rule(r); err != nil || len(p.known) != 1 {
		t.Errorf("%v, %d are remembered", err, len(p.known))
	}
}

// Who set a rule makes it no other one; every part by which it is judged does.
func TestWhatIsCompiledOnce(t *testing.T) {
	var p Programs
	one := &topics.Rule{
		Name: "a", Version: 1, When: "hr > 1", Clear: "hr < 1", Value: "hr", Words: "W", Unit: "u", Priority: 1, DurationS: 1, CalmS: 1, Quality: 0.1,
		Layer: "unit", Author: "doctor-1", SetUs: 1, Reason: "r", ExpiresUs: 5,
	}
	first, err := p.Rule(one)
	if err != nil {
		t.Fatal(err)
	}
	fields := one.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		other := proto.CloneOf(one)
		switch v := other.ProtoReflect(); f.Kind() {
		case protoreflect.StringKind:
			v.Set(f, protoreflect.ValueOfString(v.Get(f).String()+" "))
		case protoreflect.DoubleKind:
			v.Set(f, protoreflect.ValueOfFloat64(v.Get(f).Float()+0.25))
		case protoreflect.BoolKind:
			v.Set(f, protoreflect.ValueOfBool(true))
		case protoreflect.EnumKind:
			v.Set(f, protoreflect.ValueOfEnum(2))
		case protoreflect.Uint32Kind:
			v.Set(f, protoreflect.ValueOfUint32(2))
		case protoreflect.Int64Kind:
			v.Set(f, protoreflect.ValueOfInt64(2))
		default:
			t.Fatalf("field %s", f.Name())
		}
		again, _ := p.Rule(other)
		same := f.Name() == "layer" || f.Name() == "author" || f.Name() == "set_us" || f.Name() == "reason" || f.Name() == "expires_us"
		if (again == first) != same {
			t.Errorf("another %s: compiled once %v, want %v", f.Name(), again == first, same)
		}
	}
}

func TestASetLeavesOutWhatCannotBe(t *testing.T) {
	bad, twin, good := written("hr >"), written("hr > 140"), written("hr > 130")
	bad.Name = "bad"
	set, failed := new(Programs).Set([]*topics.Rule{bad, good, twin})
	if len(set.Rules) != 1 || set.Find("mine").Written.GetWhen() != "hr > 130" || set.Find("bad") != nil || len(failed) != 2 {
		t.Errorf("%v, %v", set, failed)
	}
	if !strings.Contains(failed[1].Err.Error(), "there are two rules of that name") {
		t.Error(failed[1].Err)
	}
	if set, _ := new(Programs).Set([]*topics.Rule{bad}); set != nil || set.Find("bad") != nil {
		t.Error("a set of nothing")
	}
	err := CheckSet([]*topics.Rule{bad, good, twin})
	if list := Problems(err); len(list) != 2 || list[0].Field != "when" || list[1].Field != "name" {
		t.Errorf("%v", list)
	}
}
