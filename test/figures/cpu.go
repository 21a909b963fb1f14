package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor times in /proc: Linux shows 1/100 s to programs, whatever it counts in.
const tick = 10 * time.Millisecond

// cpu is who used the processors while something was measured, in cores.
type cpu struct {
	Seconds   float64 `json:"seconds"`
	Servers   float64 `json:"servers"`   // that were loaded
	Generator float64 `json:"generator"` //
	Idle      float64 `json:"idle"`      // servers of this run that were not loaded
	Others    float64 `json:"others"`    // everything else on the machine
	Stolen    float64 `json:"stolen"`    // by other guests of the machine below
}

// Above these many cores others have falsified a measurement.
const (
	tooBusy   = 0.1
	tooStolen = 0.05
)

// String says it in a line.
func (c cpu) String() string {
	return fmt.Sprintf("servers %.2f, generator %.2f, idle servers %.2f, others %.2f, stolen %.2f cores", c.Servers, c.Generator, c.Idle, c.Others, c.Stolen)
}

// disturbed says what must be warned of, "" if nothing.
func (c cpu) disturbed() string {
	switch {
	case c.Others > tooBusy:
		return fmt.Sprintf("other processes used %.2f cores", c.Others)
	case c.Stolen > tooStolen:
		return fmt.Sprintf("other guests of the machine took %.2f cores", c.Stolen)
	}
	return ""
}

// add joins two periods.
func (c cpu) add(d cpu) cpu {
	total := c.Seconds + d.Seconds
	if total == 0 {
		return cpu{}
	}
	mean := func(a, b float64) float64 { return (a*c.Seconds + b*d.Seconds) / total }
	return cpu{total, mean(c.Servers, d.Servers), mean(c.Generator, d.Generator), mean(c.Idle, d.Idle), mean(c.Others, d.Others), mean(c.Stolen, d.Stolen)}
}

// clock is the state of the machine's counters.
type clock struct {
	at            time.Time
	busy, stolen  time.Duration
	loaded, idler time.Duration // of processes of this run
}

// readClock reads the counters: of the machine, of the loaded servers and of the other servers.
func readClock(loaded, idler []int) (clock, error) {
	c := clock{at: time.Now()}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return c, err
	}
	if c.busy, c.stolen, err = machineTimes(string(text)); err != nil {
		return c, err
	}
	if c.loaded, err = processTimes(loaded); err != nil {
		return c, err
	}
	c.idler, err = processTimes(idler)
	return c, err
}

// since makes a cpu of two readings, between which the generator used so much.
func (c clock) since(before clock, generator time.Duration) cpu {
	wall := c.at.Sub(before.at).Seconds()
	cores := func(d time.Duration) float64 { return d.Seconds() / wall }
	u := cpu{
		Seconds: wall, Servers: cores(c.loaded - before.loaded), Generator: cores(generator),
		Idle: cores(c.idler - before.idler), Stolen: cores(c.stolen - before.stolen),
	}
	u.Others = max(0, cores(c.busy-before.busy)-u.Servers-u.Generator-u.Idle)
	return u
}

// machineTimes takes user + nice + system, and steal, from the first line of /proc/stat. Interrupts are left
// out: no process is charged for them, and the network of the load itself makes most.
func machineTimes(text string) (busy, stolen time.Duration, err error) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	sum := func(fields ...string) (d time.Duration) {
		for _, s := range fields {
			n, nerr := strconv.ParseInt(s, 10, 64)
			if nerr != nil {
				err = fmt.Errorf("/proc/stat: %w", nerr)
			}
			d += time.Duration(n) * tick
		}
		return d
	}
	busy, stolen = sum(f[1:4]...), sum(f[8])
	return busy, stolen, err
}

// processTimes sums what processes have used.
func processTimes(pids []int) (sum time.Duration, err error) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, fmt.Errorf("a server has ended: %w", err)
		}
		d, err := processTime(string(text))
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// processTime takes utime + stime from /proc/PID/stat: fields 14 and 15, counted behind the name, which may
// hold anything.
func processTime(text string) (time.Duration, error) {
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(f) < 13 {
		return 0, fmt.Errorf("stat of a process: %q", text)
	}
	user, err := strconv.ParseInt(f[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("stat of a process: %w", err)
	}
	system, err := strconv.ParseInt(f[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("stat of a process: %w", err)
	}
	return time.Duration(user+system) * tick, nil
}

// loadAverage is the first number of /proc/loadavg.
func loadAverage() (float64, error) {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), " ")
	return strconv.ParseFloat(first, 64)
}

// fileSystem is the type of the file system that a folder is on, "" if that is not known.
func fileSystem(dir, mounts string) string {
	best, kind := 0, ""
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		at := strings.TrimSuffix(f[1], "/")
		if (dir == at || strings.HasPrefix(dir, at+"/")) && len(f[1]) >= best {
			best, kind = len(f[1]), f[2]
		}
	}
	return kind
}
