package gateway

import (
	"context"
	"net"
	"net/http"

	"heartwire/sinks/gateway/access"
	"heartwire/topics"
)

// identity is who somebody is and what may be done by them, as settings say
// now. It is replaced, never changed.
type identity struct {
	account string
	access.Rights
}

// Channels by which something is asked.
const (
	channelPage = "page" // a browser
	channelAPI  = "api"
)

// asker is who asks, and from where.
type asker struct {
	user    string // who has logged in; empty: nobody was asked
	channel string
	address string // loopback, private or public: not the address itself
}

type userKey struct{}

// as is the request of a user whose password was right.
func as(r *http.Request, user string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), userKey{}, user))
}

// askerOf is who makes a request. A browser names the page that it comes from.
func askerOf(r *http.Request) asker {
	a := asker{channel: channelAPI, address: addressClass(r.RemoteAddr)}
	a.user, _ = r.Context().Value(userKey{}).(string)
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		a.channel = channelPage
	}
	return a
}

// addressClass says where an address is, and not which one it is.
func addressClass(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	ip := net.ParseIP(host)
	switch {
	case err != nil || ip == nil:
		return "unknown"
	case ip.IsLoopback():
		return "loopback"
	case ip.IsPrivate() || ip.IsLinkLocalUnicast():
		return "private"
	}
	return "public"
}

// account is what settings say of somebody.
type account struct {
	version uint64
	set     *topics.Account
}

// identify says who a user is. A user without an account may do nothing.
// Where no users are asked for, everybody is the local account; where there is
// none either, all is to be seen and nothing to be done.
func (w *ward) identify(user string) identity {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.identified(user)
}

// identified is identify with the ward's lock held.
func (w *ward) identified(user string) identity {
	local := w.cfg.UsersFile == ""
	if local {
		user = w.cfg.LocalAccount
	}
	a := w.accounts[user].set
	switch {
	case local && user == "":
		a = &topics.Account{Roles: []string{"viewer"}, Units: []string{access.AllUnits}}
	case local && (a == nil || a.GetGone()):
		a = &topics.Account{Roles: []string{"admin"}, Units: []string{access.AllUnits}}
	}
	return identity{account: user, Rights: access.Of(a)}
}

// enroll takes what settings say of an account, and tells those who are
// connected as it who they are now.
func (w *ward) enroll(a *topics.Account, version uint64) {
	w.mu.Lock()
	was := w.accounts[a.GetAccount()]
	if !newer(version, &was.version) {
		w.mu.Unlock()
		return
	}
	was.set = a
	w.accounts[a.GetAccount()] = was
	w.mu.Unlock()

	w.mu.RLock()
	defer w.mu.RUnlock()
	alarming, calm := w.known()
	for c := range w.clients {
		if !c.become(w.identified(c.asker.user)) {
			continue
		}
		// Those that it has named and that nobody knows are looked at too.
		for _, key := range append(append(c.namedKeys(), alarming...), calm...) {
			w.reconsider(c, key)
		}
	}
}

// say is the message of who somebody is.
func (id identity) say() *message {
	out := &Identity{Account: id.account, Roles: id.Roles, Units: id.Units}
	for _, p := range id.Permissions {
		out.Permissions = append(out.Permissions, string(p))
	}
	return say(kindIdentity, &ServerMessage{Kind: &ServerMessage_Identity{Identity: out}})
}

// refused says why an identity may not do something.
func (id identity) refused(p access.Permission) *refusal {
	switch {
	case id.account == "":
		return refuse("no-account", "nobody is asked who they are here, so nothing is to be done: set gateway.users_file, or gateway.local_account")
	case len(id.Permissions) == 0:
		return refuse("no-account", "the user has no account here, so nothing is to be seen or done: whoever runs the site makes one with heartwire account put USER --role ROLE --unit UNIT")
	}
	return refuse("forbidden", "the account has no role in its units that may do this (%s): ask somebody who has, or whoever runs the site for the role", p)
}

// greet tells a client who it is.
func (c *client) greet() {
	c.mu.Lock()
	id := c.who
	c.mu.Unlock()
	c.push(id.say())
	if len(id.Permissions) == 0 {
		c.push(say(kindProblem, id.refused(access.See).message(0)))
	}
}

// become replaces who a client is, tells it, and reports whether anything has changed.
func (c *client) become(id identity) bool {
	c.mu.Lock()
	same := c.who.account == id.account && c.who.Equal(id.Rights)
	c.who = id
	c.mu.Unlock()
	if !same {
		c.greet()
	}
	return !same
}
