package fsm

import "github.com/tokengrove/grove/fsm/token"

func (w *fieldWriter) login(k byte, l *token.Login) {
	w.key(k)
	in := writeFields(w.b)
	in.text(1, l.Mount)
	in.text(2, l.Entity)
	in.text(3, l.Data)
	w.b = in.b
}

func (r *fieldReader) login(l *token.Login) {
	last := uint64(0)
	for n := r.fields(); n > 0 && r.ok; n-- {
		switch r.key(&last) {
		case 1:
			l.Mount = r.text()
		case 2:
			l.Entity = r.text()
		case 3:
			l.Data = r.text()
		default:
			r.ok = false
		}
	}
}
