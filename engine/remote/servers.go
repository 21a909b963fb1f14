package remote

import (
	"slices"
	"sync"
)

// maxServers bounds how many servers are remembered: one or two for each mount that uses them.
const maxServers = 32

// Servers keeps a client, with its connections, for each server that was asked lately. It is safe for
// concurrent use.
type Servers struct {
	name string

	mu     sync.Mutex
	recent []*Server // the last used is at the end
}

// NewServers makes an empty one. name is what its servers are, in error texts: "the Kubernetes API".
func NewServers(name string) *Servers { return &Servers{name: name} }

// At returns the server at base, which ParseBase has returned. It must show a certificate of one of the authorities in
// ca (PEM); "": of those that the system trusts. An error says what is wrong with ca.
func (s *Servers) At(base, ca string) (*Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.recent, func(r *Server) bool { return r.base == base && r.ca == ca })
	if i >= 0 {
		found := s.recent[i]
		s.recent = append(slices.Delete(s.recent, i, i+1), found)
		return found, nil
	}
	made, err := newServer(s.name, base, ca)
	if err != nil {
		return nil, err
	}
	if len(s.recent) >= maxServers {
		s.recent[0].http.CloseIdleConnections()
		s.recent = slices.Delete(s.recent, 0, 1)
	}
	s.recent = append(s.recent, made)
	return made, nil
}
