package engine

import "fmt"

// errNoSealer: a node without a key for secrets keeps none.
var errNoSealer = Unreachable("this node has no key to seal secrets with yet")

// Seal hides what the mount must be able to read again. name says where it is kept: sealed there, it opens nowhere else, and in
// no other mount.
func (rq *Request) Seal(name string, plain []byte) ([]byte, error) {
	if rq.Sealer == nil {
		return nil, errNoSealer
	}
	sealed, err := rq.Sealer.Seal(plain, rq.place(name))
	if err != nil {
		return nil, fmt.Errorf("sealing %s: %w", name, err)
	}
	return sealed, nil
}

// Open reads what Seal has hidden.
func (rq *Request) Open(name string, sealed []byte) ([]byte, error) {
	if rq.Sealer == nil {
		return nil, errNoSealer
	}
	plain, err := rq.Sealer.Open(sealed, rq.place(name))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	return plain, nil
}

func (rq *Request) place(name string) []byte { return []byte(rq.Mount.UUID + "\x00" + name) }
