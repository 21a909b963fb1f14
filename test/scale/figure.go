package scale

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

// Figure is one measured quantity: one line of the file.
type Figure struct {
	Tokens int     `json:"tokens"` // of the run that it belongs to; 0: of no size
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Count  int     `json:"count"` // samples behind it
}

// Origin says where and when figures were taken. It is the first line of a file.
type Origin struct {
	Date  string `json:"date"`
	Cores int    `json:"cores"`
	Go    string `json:"go"`
	OS    string `json:"os"`
}

// Here is the origin of what is measured now.
func Here(now time.Time) Origin {
	return Origin{Date: now.UTC().Format(time.DateOnly), Cores: runtime.NumCPU(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH}
}

// String says it in one line.
func (o Origin) String() string {
	return fmt.Sprintf("%s, %d cores, %s, %s", o.Date, o.Cores, o.OS, o.Go)
}

// Recorder writes figures as they are taken, so that a run that is cut off loses nothing.
type Recorder struct{ out *json.Encoder }

// NewRecorder starts a file with its origin.
func NewRecorder(w io.Writer, o Origin) (*Recorder, error) {
	r := &Recorder{json.NewEncoder(w)}
	if err := r.out.Encode(struct {
		Origin Origin `json:"origin"`
	}{o}); err != nil {
		return nil, fmt.Errorf("writing the origin: %w", err)
	}
	return r, nil
}

// Record appends one figure.
func (r *Recorder) Record(f Figure) error {
	if err := r.out.Encode(f); err != nil {
		return fmt.Errorf("writing figure %q: %w", f.Name, err)
	}
	return nil
}

// Figures are what a file holds.
type Figures struct {
	Origin Origin
	All    []Figure
}

// Of returns the last figure of that name and size.
func (fs Figures) Of(name string, tokens int) (Figure, bool) {
	for i := len(fs.All) - 1; i >= 0; i-- {
		if f := fs.All[i]; f.Name == name && f.Tokens == tokens {
			return f, true
		}
	}
	return Figure{}, false
}

// ReadFigures reads what a Recorder wrote. An unknown field, or a file that does not start
// with its origin, is an error.
func ReadFigures(r io.Reader) (Figures, error) {
	var fs Figures
	n := 0
	err := lines(r, func(line []byte) error {
		n++
		if n == 1 {
			var first struct {
				Origin *Origin `json:"origin"`
			}
			if err := strict(line, &first); err != nil {
				return err
			}
			if first.Origin == nil {
				return errors.New("the first line names no origin")
			}
			fs.Origin = *first.Origin
			return nil
		}
		var f Figure
		if err := strict(line, &f); err != nil {
			return err
		}
		fs.All = append(fs.All, f)
		return nil
	})
	if err == nil && n == 0 {
		err = errors.New("the file of figures is empty")
	}
	return fs, err
}

// ReadFigureFile is ReadFigures of a file.
func ReadFigureFile(name string) (Figures, error) {
	f, err := os.Open(name)
	if err != nil {
		return Figures{}, fmt.Errorf("opening figures: %w", err)
	}
	defer f.Close()
	fs, err := ReadFigures(f)
	if err != nil {
		return fs, fmt.Errorf("%s: %w", name, err)
	}
	return fs, nil
}

// lines hands over every line that is not empty.
func lines(r io.Reader, use func([]byte) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for n := 1; s.Scan(); n++ {
		if len(s.Bytes()) == 0 {
			continue
		}
		if err := use(s.Bytes()); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("reading lines: %w", err)
	}
	return nil
}
