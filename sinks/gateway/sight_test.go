package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/google/go-cmp/cmp"

	"heartwire/topics"
)

// house is a gateway that asks who somebody is; each password is "secret".
type house struct {
	*rig
	book *logbook
	pool *x509.CertPool
}

func guarded(t *testing.T, users ...string) *house {
	t.Helper()
	dir := t.TempDir()
	cert, key, pool := selfSigned(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	for _, u := range users {
		file.WriteString(u + ":" + string(hash) + "\n")
	}
	name := filepath.Join(dir, "users")
	if err := os.WriteFile(name, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, book := actingOn(t, ln, func(c *Config) { c.TLS, c.UsersFile = TLSConfig{CertFile: cert, KeyFile: key}, name })
	return &house{r, book, pool}
}

func (h *house) account(version uint64, name, role string, units ...string) {
	h.t.Helper()
	give(h.t, h.Settings(), topics.Settings, accountSetting(version, name, role, units...))
}

// login is a client of a user, which has said who it is.
func (h *house) login(user string) (*peer, *Identity) {
	h.t.Helper()
	d := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: h.pool}, Subprotocols: []string{protocolProto}}
	req, _ := http.NewRequest("GET", "/", nil)
	req.SetBasicAuth(user, "secret")
	ws, _, err := d.Dial("wss://"+h.ln.Addr().String()+"/v1/live", req.Header)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { ws.Close() })
	p := &peer{Conn: ws, t: h.t}
	return p, identityOf(p)
}

func identityOf(p *peer) *Identity {
	p.t.Helper()
	for {
		m, err := p.read()
		if err != nil {
			p.t.Fatal(err)
		}
		if id := m.GetIdentity(); id != nil {
			return id
		}
	}
}

// quiet fails when anything but a heartbeat comes, until the second one.
func (p *peer) quiet(what string) {
	p.t.Helper()
	for beats := 0; beats < 2; {
		m, err := p.read()
		switch {
		case err != nil:
			p.t.Fatal(err)
		case m.GetHeartbeat() != nil:
			beats++
		default:
			p.t.Errorf("%s: %v", what, m)
		}
	}
}

func problemOf(m *ServerMessage) (*Problem, bool) { return m.GetProblem(), m.GetProblem() != nil }

func TestWhoHasNoAccountSeesNothing(t *testing.T) {
	h := guarded(t, "nurse-7")
	p, id := h.login("nurse-7")
	if id.GetAccount() != "nurse-7" || len(id.GetPermissions()) > 0 || len(id.GetRoles()) > 0 {
		t.Errorf("who has no account is %v", id)
	}
	if v := until(p, problemOf); v.GetCode() != "no-account" || !strings.Contains(v.GetText(), "heartwire account put") {
		t.Errorf("told %v", v)
	}
	p.subscribeAll()
	give(t, h.Frames(), topics.Frames, frame("p1", 0))
	p.quiet("without an account")
	p.act(3, answerAct("p1", pauseOfAll()))
	if m := until(p, doneOrProblem); m.GetProblem().GetCode() != "no-account" {
		t.Errorf("an Act: %v", m)
	}
	p.ask(4, &Ask{Reason: "x", Layer: &topics.Layer{Of: "patient/p1"}})
	if m := until(p, doneOrProblem); m.GetProblem().GetCode() != "no-account" {
		t.Errorf("an Ask: %v", m)
	}
	if n := len(written[*topics.Chart](h.book)); n > 0 {
		t.Errorf("%d were written", n)
	}

	// Once there is an account, what was asked for begins by itself.
	h.account(10, "nurse-7", "nurse", "4W")
	if id := identityOf(p); len(id.GetPermissions()) != 3 || id.GetUnits()[0] != "4W" {
		t.Errorf("then it is %v", id)
	}
	until(p, snapshotOf("p1"))
	p.quiet("after the Snapshot of the unit")
}

// A patient whom somebody may not see is answered as one who does not exist.
func TestAnotherUnitsPatientIsAsNobody(t *testing.T) {
	h := guarded(t, "nurse-7")
	h.account(10, "nurse-7", "doctor", "4W")
	give(t, h.Frames(), topics.Frames, frame("p2", 0), frame("p1", 0))
	give(t, h.Settings(), topics.Settings, layerSetting(11, "patient/p2"), layerSetting(12, "unit/5E"), layerSetting(13, "unit/4W"))
	p, _ := h.login("nurse-7")
	answers := func(key string) (out []*ServerMessage) {
		p.subscribe(key)
		s := until(p, snapshotOf(key))
		out = append(out, &ServerMessage{Kind: &ServerMessage_Snapshot{Snapshot: s}})
		p.act(5, answerAct(key, pauseOfAll()))
		out = append(out, until(p, doneOrProblem))
		p.ask(6, &Ask{Reason: "x", Layer: &topics.Layer{Of: "patient/" + key}})
		out = append(out, until(p, doneOrProblem))
		give(t, h.Frames(), topics.Frames, frame("p2", 1+len(out)))
		p.quiet("a patient of another unit")
		return out
	}
	theirs, nobodys := answers("p2"), answers("p9")
	for _, m := range append(theirs, nobodys...) {
		if b := m.GetSnapshot().GetBed(); b != nil {
			b.Patient = "" // the name that was asked for
		}
	}
	if d := cmp.Diff(nobodys, theirs, protocmp.Transform()); d != "" {
		t.Errorf("a patient of another unit can be told from nobody:\n%s", d)
	}
	if theirs[1].GetProblem().GetCode() != codeUnknownPatient {
		t.Errorf("told %v", theirs[1])
	}
	for _, of := range []string{"unit/5E", "unit/nowhere", "site"} {
		p.ask(7, &Ask{Reason: "x", Layer: &topics.Layer{Of: of}})
		if m := until(p, doneOrProblem); m.GetProblem().GetCode() != "forbidden" {
			t.Errorf("the layer of %s: %v", of, m)
		}
	}
	if n := len(written[*topics.Chart](h.book)) + len(written[*topics.Request](h.book)); n > 0 {
		t.Errorf("%d were written", n)
	}
}

func layerSetting(version uint64, of string, limits ...*topics.Limit) topics.Record[*topics.Setting] {
	object := "layer/" + of
	return topics.Record[*topics.Setting]{
		Key: topics.Key(object), Origin: topics.Origin{Source: "requests", Offset: int64(version)},
		Value: &topics.Setting{Object: object, Version: version, Author: "doctor-3", TimeUs: epoch, Kind: &topics.Setting_Layer{
			Layer: &topics.Layer{Of: of, Limits: limits},
		}},
	}
}

// With another account or another unit, streams begin and end at once.
func TestSightFollowsSettings(t *testing.T) {
	h := guarded(t, "nurse-7", "nurse-8")
	h.account(10, "nurse-7", "nurse", "4W")
	h.account(11, "nurse-8", "viewer", "*")
	p, _ := h.login("nurse-7")
	all, _ := h.login("nurse-8")
	p.subscribeAll()
	all.subscribeAll()
	until(p, snapshotOf("p1"))
	until(all, snapshotOf("p1"))

	bedOf := func(key string) func(*ServerMessage) (*Bed, bool) {
		return func(m *ServerMessage) (*Bed, bool) {
			return m.GetBed(), m.GetBed().GetPatient() == key && m.GetBed().GetDischarged()
		}
	}
	began := time.Now()
	give(t, h.Settings(), topics.Settings, patientSetting(20, &topics.Patient{Patient: "p2", Unit: "4W"}))
	until(p, snapshotOf("p2"))
	give(t, h.Settings(), topics.Settings, patientSetting(21, &topics.Patient{Patient: "p1", Unit: "5E"}))
	if b := until(p, bedOf("p1")); !proto.Equal(b, &Bed{Patient: "p1", Discharged: true}) {
		t.Errorf("who has left sight is told as %v", b)
	}
	give(t, h.Frames(), topics.Frames, frame("p1", 0))
	give(t, h.Alarms(), topics.Alarms, alarmRecord("p1"))
	p.quiet("a patient who has left the unit")
	h.account(22, "nurse-7", "nurse", "5E")
	identityOf(p)
	until(p, snapshotOf("p1"))
	h.account(23, "nurse-7", "") // taken away
	if id := identityOf(p); len(id.GetPermissions()) > 0 {
		t.Errorf("an account that was taken away may %v", id.GetPermissions())
	}
	if took := time.Since(began); took > 6*time.Second { // of which 2 s were waited for quiet
		t.Errorf("it took %v", took)
	}
	until(p, problemOf)
	until(p, bedOf("p1"))
	give(t, h.Frames(), topics.Frames, frame("p1", 1), frame("p2", 1))
	p.quiet("without an account")
	p.act(9, answerAct("p1", pauseOfAll()))
	until(p, problemOf)
	h.end()

	var saw []string
	for _, a := range written[*topics.Audit](h.book) {
		if a.GetPerson() == "nurse-7" {
			saw = append(saw, a.GetWhat()+" "+a.GetSubject()+" "+a.GetResult())
		}
	}
	want := []string{"see p1 ", "see p2 ", "see-end p1 ", "see-end p2 ", "see p1 ", "see-end p1 ", "act p1 no-account"}
	if d := cmp.Diff(want, saw); d != "" {
		t.Errorf("the audit of nurse-7:\n%s", d)
	}
	isChain(t, written[*topics.Audit](h.book))
}

func alarmRecord(key string) topics.Record[*topics.Alarm] {
	return topics.Record[*topics.Alarm]{Key: topics.Key(key), Origin: topics.Origin{Source: "chart", Offset: 5}, Value: &topics.Alarm{
		Patient: key, Kind: &topics.Alarm_State{State: &topics.AlarmState{Id: "ab", Version: 1, Condition: topics.AlarmCondition_ALARM_CONDITION_ACTIVE}},
	}}
}

// A device that is bound to nobody is seen by those who see all, and by those
// whose unit is unassigned.
func TestUnassignedDevices(t *testing.T) {
	h := guarded(t, "a", "b", "c")
	h.account(10, "a", "nurse", "4W")
	h.account(11, "b", "nurse", "unassigned")
	h.account(12, "c", "nurse", "*")
	give(t, h.Frames(), topics.Frames, frame("u-1234", 0))
	for user, sees := range map[string]bool{"a": false, "b": true, "c": true} {
		p, _ := h.login(user)
		p.act(1, answerAct("u-1234", pauseOfAll()))
		if m := until(p, doneOrProblem); (m.GetDone() != nil) != sees {
			t.Errorf("%s: %v", user, m)
		}
	}
}

// Who sees a patient is told where the limits come from: with the Snapshot,
// and when that changes.
func TestLayersAreToldToThoseWhoSee(t *testing.T) {
	h := guarded(t, "a")
	h.account(10, "a", "nurse", "4W")
	give(t, h.Settings(), topics.Settings, layerSetting(11, "site"), layerSetting(12, "unit/5E"), layerSetting(13, "unit/4W"), layerSetting(14, "patient/p1"))
	p, _ := h.login("a")
	next := func() *topics.Setting {
		t.Helper()
		for {
			m, err := p.read()
			if err != nil {
				t.Fatal(err)
			}
			if m.GetSetting() != nil {
				return m.GetSetting()
			}
		}
	}
	p.subscribeAll()
	for _, want := range []string{"layer/site", "layer/unit/4W", "layer/patient/p1"} {
		if s := next(); s.GetObject() != want || s.GetAuthor() != "doctor-3" || s.GetVersion() == 0 {
			t.Errorf("told %v, want %s", s, want)
		}
	}
	give(t, h.Settings(), topics.Settings, layerSetting(20, "unit/5E"), layerSetting(21, "patient/p2"), layerSetting(13, "unit/4W"), layerSetting(22, "unit/4W"), layerSetting(23, "site"))
	for _, want := range []uint64{22, 23} {
		if s := next(); s.GetVersion() != want {
			t.Errorf("told %v, want version %d", s, want)
		}
	}
}

func TestPermissionsOfRoles(t *testing.T) {
	h := guarded(t, "viewer", "nurse", "doctor", "admin")
	version := uint64(10)
	for _, role := range []string{"viewer", "nurse", "doctor", "admin"} {
		h.account(version, role, role, "*")
		version++
	}
	layer := func(of string, change func(*topics.Layer)) *Ask {
		l := &topics.Layer{Of: of}
		if change != nil {
			change(l)
		}
		return &Ask{Reason: "policy", Layer: l}
	}
	for what, c := range map[string]struct {
		ask *Ask
		may string // of viewer, nurse, doctor, admin
	}{
		"act":        {nil, ".xxx"},
		"patient":    {layer("patient/p1", nil), ".xxx"},
		"lethal off": {layer("patient/p1", func(l *topics.Layer) { l.LethalOff = []string{"vf"} }), "..xx"},
		"a rule":     {layer("patient/p1", func(l *topics.Layer) { l.Rules = []*topics.Rule{{Name: "x"}} }), "..xx"},
		"unit":       {layer("unit/4W", nil), "..xx"},
		"site":       {layer("site", nil), "...x"},
	} {
		for i, role := range []string{"viewer", "nurse", "doctor", "admin"} {
			p, _ := h.login(role)
			if c.ask == nil {
				p.act(1, answerAct("p1", pauseOfAll()))
			} else {
				p.ask(1, c.ask)
			}
			m := until(p, doneOrProblem)
			if may := c.may[i] == 'x'; (m.GetDone() != nil) != may || !may && m.GetProblem().GetCode() != "forbidden" {
				t.Errorf("%s by %s: %v", what, role, m)
			}
		}
	}
	// What a layer says already, a nurse may leave in it.
	off := layerSetting(40, "patient/p1")
	off.Value.GetLayer().LethalOff, off.Value.GetLayer().Rules = []string{"vf"}, []*topics.Rule{{Name: "x", Version: 3, Author: "doctor-3"}}
	give(t, h.Settings(), topics.Settings, off)
	p, _ := h.login("nurse")
	p.ask(1, layer("patient/p1", func(l *topics.Layer) {
		l.LethalOff, l.Rules = []string{"vf"}, []*topics.Rule{{Name: "x"}}
	}))
	if m := until(p, doneOrProblem); m.GetDone() == nil {
		t.Errorf("a layer left as it is: %v", m)
	}
}

// Where nobody is asked who they are.
func TestTheLocalAccount(t *testing.T) {
	for name, c := range map[string]struct {
		local string
		roles string // of the account in settings
		want  []string
		acts  bool
	}{
		"by default":    {"local", "", []string{"see", "act", "limits", "rules", "admin"}, true},
		"by settings":   {"local", "viewer", []string{"see"}, false},
		"another":       {"desk", "", []string{"see", "act", "limits", "rules", "admin"}, true},
		"nobody at all": {"", "", []string{"see"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, book := acting(t, func(c2 *Config) { c2.LocalAccount = c.local })
			if c.roles != "" {
				give(t, r.Settings(), topics.Settings, accountSetting(9, "local", c.roles, "*"))
			}
			p, _, err := r.try(protocolProto, nil)
			if err != nil {
				t.Fatal(err)
			}
			id := identityOf(p)
			if d := cmp.Diff(c.want, id.GetPermissions()); d != "" || id.GetAccount() != c.local {
				t.Errorf("it is %v", id)
			}
			p.subscribeAll()
			until(p, snapshotOf("p1"))
			p.act(1, answerAct("p1", pauseOfAll()))
			if m := until(p, doneOrProblem); (m.GetDone() != nil) != c.acts {
				t.Errorf("an Act: %v", m)
			}
			if charts := written[*topics.Chart](book); c.acts && charts[0].GetAnswer().GetPerson() != c.local {
				t.Errorf("written is %v", charts)
			}
		})
	}
}
