package gateway

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// users are the people and programs of an htpasswd file.
type users struct {
	hashes map[string][]byte
	nobody []byte        // compared with where there is no such user: the time of an answer does not tell who exists
	salt   []byte        // of this process
	turn   chan struct{} // bcrypt is slow by design: two at a time, lest guesses starve the data

	mu    sync.Mutex
	known map[string][]byte // user → digest of the password that bcrypt has accepted
}

// loadUsers reads an htpasswd file with bcrypt hashes.
func loadUsers(name string) (*users, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("gateway.users_file: %w", err)
	}
	u := &users{
		hashes: make(map[string][]byte), known: make(map[string][]byte),
		salt: make([]byte, 32), turn: make(chan struct{}, 2),
	}
	rand.Read(u.salt)
	if u.nobody, err = bcrypt.GenerateFromPassword(u.salt, bcrypt.DefaultCost); err != nil {
		return nil, fmt.Errorf("gateway.users_file: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, ok := strings.Cut(line, ":")
		if _, err := bcrypt.Cost([]byte(hash)); !ok || name == "" || err != nil {
			return nil, fmt.Errorf("gateway.users_file: line %d is not user:hash with bcrypt: make it with htpasswd -B", n)
		}
		u.hashes[name] = []byte(hash)
	}
	if len(u.hashes) == 0 {
		return nil, fmt.Errorf("gateway.users_file: %s names nobody", name)
	}
	return u, lines.Err()
}

// guard asks each request for a user.
func (u *users) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, ok := r.BasicAuth()
		if !ok || !u.check(r, name, password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="Heartwire", charset="UTF-8"`)
			if strings.HasPrefix(r.URL.Path, "/v1/") {
				writeProblem(w, newProblem(http.StatusUnauthorized, "no-user", "a user and a password are needed"))
			} else {
				http.Error(w, "a user and a password are needed", http.StatusUnauthorized)
			}
			return
		}
		next.ServeHTTP(w, as(r, name))
	})
}

func (u *users) check(r *http.Request, name, password string) bool {
	mac := hmac.New(sha256.New, u.salt)
	mac.Write([]byte(password))
	digest := mac.Sum(nil)
	u.mu.Lock()
	known := u.known[name]
	u.mu.Unlock()
	if known != nil && hmac.Equal(known, digest) {
		return true
	}
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-r.Context().Done():
		return false
	}
	hash, exists := u.hashes[name]
	if !exists {
		hash = u.nobody
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !exists {
		return false
	}
	u.mu.Lock()
	u.known[name] = digest
	u.mu.Unlock()
	return true
}
