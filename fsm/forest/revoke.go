package forest

import "github.com/tokengrove/grove/fsm/token"

// Revoke kills the tree of r. One mark, whatever the size of the tree; all of it is dead
// at once. A token that was revoked or expired already stays as it is.
func (f *Forest) Revoke(r Ref) {
	if f.node(r).state == Active {
		f.mark(r, Revoking)
		f.enqueue(linkTo(r))
	}
}

// RevokeOrphan kills r alone: from now on its children are orphans, which Reclaim cuts
// off one by one. On a token that is dead, if only through an ancestor, it has no effect,
// or its children would rise again. The forest does not know the time: that neither r nor
// an ancestor is past its deadline is for the caller to check, with Alive.
func (f *Forest) RevokeOrphan(r Ref) {
	if f.standing(r, 0) {
		f.mark(r, Orphaning)
		f.enqueue(linkTo(r))
	}
}

// mark gives the active token r another state.
func (f *Forest) mark(r Ref, s State) {
	f.due.remove(r)
	n := f.edit(r)
	n.state = s
	f.paths.edit(n.source.path).active--
}

// RevokePrefix kills the trees of all tokens whose source path is prefix or starts with
// it. One mark for each such path, whatever the number of tokens.
//
// It returns how many tokens have such a path and were not revoked or expired before.
// Among them are those that were dead only through an ancestor, as long as they are not
// reclaimed: telling them apart would take a look at every token.
func (f *Forest) RevokePrefix(prefix string) (named uint64) {
	for _, i := range f.paths.order.cut(prefix) {
		f.paths.kill(i)
		f.enqueue(linkToPath(i))
		named += uint64(f.paths.at(i).active)
	}
	return named
}

// RevokeBelow kills the trees of all tokens that were issued at path or below it: "a/b"
// covers "a/b" and "a/b/c", and not "a/bc". It returns what RevokePrefix does.
func (f *Forest) RevokeBelow(path string) (named uint64) {
	if i := f.paths.find(path); i != 0 {
		f.paths.order.remove(i)
		f.paths.kill(i)
		f.enqueue(linkToPath(i))
		named = uint64(f.paths.at(i).active)
	}
	return named + f.RevokePrefix(path+"/")
}

// Expire revokes the tokens whose deadline is not after until, each with its tree: at
// most limit of them, in the order of (deadline, hash). It returns how many.
func (f *Forest) Expire(until token.Instant, limit int) int {
	n := 0
	for ; n < limit && f.due.passed(until); n++ {
		f.Revoke(f.due.heap.at(0).ref)
	}
	return n
}
