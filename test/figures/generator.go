package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// job is one load.
type job struct {
	workload string
	clients  int
	duration time.Duration
	urls     []string // clients are spread over them
	token    string
	children int // of the workload tree
	stock    int // tokens to revoke: the load ends when they are used up
}

// generator puts loads on servers, each with a process of its own.
type generator struct {
	grove    string       // binary
	external string       // binary of another generator, "" if there is none
	cert     *certificate // nil: plain HTTP
	warmup   time.Duration
}

// load runs a job and says what it used of the processors.
func (g *generator) load(ctx context.Context, j job) (outcome, time.Duration, error) {
	if g.external == "" {
		r, used, err := g.bench(ctx, j)
		return r.outcome(), used, err
	}
	line, used, err := g.exec(ctx, j, g.external, "-addr="+strings.Join(j.urls, ","), "-token="+j.token, "-w="+j.workload,
		fmt.Sprintf("-c=%d", j.clients), fmt.Sprintf("-d=%s", j.duration), fmt.Sprintf("-n=%d", j.stock))
	if err != nil {
		return outcome{}, used, err
	}
	var r struct {
		Ops      int64   `json:"ops"`
		Errors   int64   `json:"errors"`
		PerSec   float64 `json:"ops_per_s"`
		P50      float64 `json:"p50_ms"`
		P99      float64 `json:"p99_ms"`
		Max      float64 `json:"max_ms"`
		FirstErr string  `json:"first_error"`
	}
	err = json.Unmarshal(line, &r)
	return outcome{r.PerSec, r.Ops, r.Errors, r.FirstErr, r.P50, r.P99, r.Max}, used, err
}

// benchResult is what `grove bench -format=json` prints, as far as it is looked at here.
type benchResult struct {
	Rate       float64 `json:"rate"`
	Count      int64   `json:"count"`
	Errors     int64   `json:"errors"`
	FirstError string  `json:"first_error"`
	Latency    struct {
		P50 float64 `json:"p50"`
		P99 float64 `json:"p99"`
		Max float64 `json:"max"`
	} `json:"latency_ms"`
	Tree struct {
		Descendants int     `json:"descendants"`
		Build       float64 `json:"build_seconds"`
		Revoke      float64 `json:"revoke_ms"`
		Alive       int     `json:"alive"`
	} `json:"tree"`
}

func (r benchResult) outcome() outcome {
	return outcome{r.Rate, r.Count, r.Errors, r.FirstError, r.Latency.P50, r.Latency.P99, r.Latency.Max}
}

// bench runs a job with `grove bench`.
func (g *generator) bench(ctx context.Context, j job) (benchResult, time.Duration, error) {
	args := []string{"bench", "-format=json", "-address=" + strings.Join(j.urls, ","), fmt.Sprintf("-clients=%d", j.clients), fmt.Sprintf("-warmup=%s", g.warmup)}
	switch j.workload {
	case "tree":
		args = append(args, fmt.Sprintf("-children=%d", j.children), "-timeout=60s")
	case "revoke":
		args = append(args, fmt.Sprintf("-tokens=%d", j.stock))
		fallthrough
	default:
		args = append(args, fmt.Sprintf("-duration=%s", j.duration))
	}
	line, used, err := g.exec(ctx, j, g.grove, append(args, j.workload)...)
	if err != nil {
		return benchResult{}, used, err
	}
	var r benchResult
	return r, used, json.Unmarshal(line, &r)
}

// exec runs a generator and returns the last line that it printed. One that printed a result and ends with a
// failure found something wrong: the result says what.
func (g *generator) exec(ctx context.Context, j job, name string, args ...string) ([]byte, time.Duration, error) {
	limit := 2*time.Minute + 4*j.duration + time.Duration(j.children)*time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "VAULT_TOKEN="+j.token)
	if g.cert != nil {
		cmd.Env = append(cmd.Env, "VAULT_CACERT="+g.cert.authority, "SSL_CERT_FILE="+g.cert.authority)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var used time.Duration
	if st := cmd.ProcessState; st != nil {
		used = st.UserTime() + st.SystemTime()
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	last := lines[len(lines)-1]
	if len(last) == 0 || last[0] != '{' {
		return nil, used, errors.Join(fmt.Errorf("%s with %d clients: the generator printed no result within %s: %s", j.workload, j.clients, limit, stderr.String()), err)
	}
	return last, used, nil
}
