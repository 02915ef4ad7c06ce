package access

import (
	"slices"
	"testing"

	"heartwire/topics"
)

// The table, cell by cell: a change of it is a change here.
func TestTable(t *testing.T) {
	want := map[string]string{
		//         see act limits rules admin
		"viewer":  "x....",
		"service": "x....",
		"nurse":   "xxx..",
		"doctor":  "xxxx.",
		"admin":   "xxxxx",
		"unknown": ".....",
		"":        ".....",
	}
	for role, cells := range want {
		r := Of(&topics.Account{Account: "a", Roles: []string{role}, Units: []string{"4W"}})
		for i, p := range Permissions {
			if got, may := r.May(p), cells[i] == 'x'; got != may {
				t.Errorf("%s may %s: %v, want %v", role, p, got, may)
			}
		}
		if r.Sees("4W") != (cells[0] == 'x') || r.Sees("5E") || r.Sees("") {
			t.Errorf("%s sees 4W %v, 5E %v, none %v", role, r.Sees("4W"), r.Sees("5E"), r.Sees(""))
		}
	}
	for role := range roles {
		if _, tested := want[role]; !tested {
			t.Errorf("the role %s is not in the test", role)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, c := range []struct {
		units []string
		sees  []string
		not   []string
	}{
		{nil, nil, []string{"4W", "", Unassigned, AllUnits}},
		{[]string{"4W"}, []string{"4W"}, []string{"4", "4w", "5E", "", Unassigned, AllUnits}},
		{[]string{"4W", Unassigned}, []string{"4W", "", Unassigned}, []string{"5E"}},
		{[]string{AllUnits}, []string{"4W", "5E", "", Unassigned}, nil},
	} {
		r := Of(&topics.Account{Roles: []string{"viewer"}, Units: c.units})
		for _, u := range c.sees {
			if !r.Sees(u) {
				t.Errorf("%v does not see %q", c.units, u)
			}
		}
		for _, u := range c.not {
			if r.Sees(u) {
				t.Errorf("%v sees %q", c.units, u)
			}
		}
	}
}

func TestRolesAddUpAndWhoIsGoneHasNone(t *testing.T) {
	both := Of(&topics.Account{Roles: []string{"service", "nurse"}, Units: []string{"*"}})
	if !slices.Equal(both.Permissions, []Permission{See, Act, Limits}) {
		t.Errorf("a service that is a nurse may %v", both.Permissions)
	}
	for name, a := range map[string]*topics.Account{
		"nobody": nil,
		"gone":   {Roles: []string{"admin"}, Units: []string{"*"}, Gone: true},
	} {
		if r := Of(a); len(r.Permissions) > 0 || r.Sees("4W") || r.In("4W") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
