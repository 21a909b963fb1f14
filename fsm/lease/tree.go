package lease

import (
	"encoding/binary"

	iradix "github.com/hashicorp/go-immutable-radix/v2"

	"github.com/tokengrove/grove/fsm/token"
)

// tree is an ordered map whose copies are images of it: a write leaves them as they are.
type tree[T any] struct{ t *iradix.Tree[T] }

func (t *tree[T]) len() int {
	if t.t == nil {
		return 0
	}
	return t.t.Len()
}

func (t *tree[T]) get(key string) (v T, ok bool) {
	if t.t == nil {
		return v, false
	}
	return t.t.Get([]byte(key))
}

func (t *tree[T]) put(key string, v T) {
	if t.t == nil {
		t.t = iradix.New[T]()
	}
	t.t, _, _ = t.t.Insert([]byte(key), v)
}

func (t *tree[T]) remove(key string) {
	if t.t != nil {
		t.t, _, _ = t.t.Delete([]byte(key))
	}
}

// first returns the least entry.
func (t *tree[T]) first() (key string, v T, ok bool) {
	if t.t == nil {
		return "", v, false
	}
	k, v, ok := t.t.Root().Minimum()
	return string(k), v, ok
}

// walk yields the entries whose keys start with prefix and come after one, in order.
func (t *tree[T]) walk(prefix, after string, yield func(key string, v T) bool) {
	if t.t == nil {
		return
	}
	it := t.t.Root().Iterator()
	it.SeekLowerBound([]byte(max(prefix, after)))
	for k, v, ok := it.Next(); ok; k, v, ok = it.Next() {
		key := string(k)
		if len(key) < len(prefix) || key[:len(prefix)] != prefix {
			return
		}
		if key != after && !yield(key, v) {
			return
		}
	}
}

// has reports whether a key starts with prefix.
func (t *tree[T]) has(prefix string) (found bool) {
	t.walk(prefix, "", func(string, T) bool {
		found = true
		return false
	})
	return found
}

// number is n as a key that sorts as n does.
func number(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

// moment is a key that sorts by time, and at one time by n.
func moment(at token.Instant, n uint64) string { return number(uint64(at)) + number(n) }
