package fsm

import (
	"math"

	"github.com/tokengrove/grove/fsm/token"
)

// appendFast appends rs as the library would, and reports false if the library must.
func appendFast(b []byte, rs []Result) ([]byte, bool) {
	if rs == nil {
		return b, false
	}
	b = appendHead(b, majorList, uint64(len(rs)))
	for i := range rs {
		var ok bool
		if b, ok = rs[i].appendFields(b); !ok {
			return b, false
		}
	}
	return b, true
}

// readFastResults decodes what appendFast wrote.
func readFastResults(b []byte) ([]Result, bool) {
	r := fieldReader{s: string(b), ok: true}
	n := r.head(majorList)
	if !r.ok || n > uint64(len(r.s)) || n == 0 {
		return nil, false
	}
	rs := make([]Result, 0, n)
	for range n {
		var one Result
		one.readFields(&r)
		if !r.ok {
			return nil, false
		}
		rs = append(rs, one)
	}
	return rs, r.s == ""
}

func (s *Result) appendFields(b []byte) ([]byte, bool) {
	w := writeFields(b)
	w.uint(1, uint64(s.Code))
	w.text(2, s.Message)
	w.bool(3, s.Stale)
	w.key(4)
	w.b = appendHead(w.b, majorUint, s.Index)
	if s.Caller != nil {
		w.record(5, s.Caller)
	}
	if s.Token != nil {
		w.record(6, s.Token)
	}
	w.int(7, int64(s.Granted))
	w.int(8, int64(s.Asked))
	w.int(9, int64(s.Max))
	w.uint(10, s.Count)
	w.key(11)
	w.b = appendInt(w.b, int64(s.At))
	return w.b, w.ok
}

func (s *Result) readFields(r *fieldReader) {
	last := uint64(0)
	for n := r.fields(); n > 0 && r.ok; n-- {
		switch r.key(&last) {
		case 1:
			s.Code = Code(r.uint(math.MaxUint8))
		case 2:
			s.Message = r.text()
		case 3:
			s.Stale = r.bool()
		case 4:
			s.Index = r.head(majorUint)
		case 5:
			s.Caller = new(token.Record)
			r.record(s.Caller)
		case 6:
			s.Token = new(token.Record)
			r.record(s.Token)
		case 7:
			s.Granted = r.duration()
		case 8:
			s.Asked = r.duration()
		case 9:
			s.Max = r.duration()
		case 10:
			s.Count = r.head(majorUint)
		case 11:
			s.At = r.instant()
		default:
			r.ok = false
		}
	}
}
