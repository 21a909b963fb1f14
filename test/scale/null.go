package scale

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// NullVariable tells a process that runs this package's tests to be the null server.
const NullVariable = "GROVE_SCALE_NULL"

// nullBody has the size of an answer to a creation.
var nullBody = map[string]any{"auth": map[string]any{
	"client_token": strings.Repeat("t", 28), "accessor": strings.Repeat("a", 24), "policies": []string{"default"}, "token_policies": []string{"default"},
	"metadata": nil, "lease_duration": 3600, "renewable": true, "entity_id": "", "token_type": "service", "orphan": false, "num_uses": 0,
}}

// ServeNull is net/http and encoding/json with no work behind: it says its address, and
// serves until the other side hangs up.
func ServeNull(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("null server: %w", err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(nullBody)
	})}
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		return fmt.Errorf("null server: %w", err)
	}
	go func() {
		io.Copy(io.Discard, in)
		s.Close()
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("null server: %w", err)
	}
	return nil
}

const nullClients = 32

// measureHTTP says what CPU a bare request costs, apart for server and client: the server
// is a process of its own, and both are asked how long they ran.
func measureHTTP(ctx context.Context, requests int) (server, client time.Duration, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, fmt.Errorf("null server: %w", err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env, cmd.Stderr = append(os.Environ(), NullVariable+"=1"), os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return 0, 0, fmt.Errorf("null server: %w", err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		client, err = ask(ctx, "http://"+strings.TrimSpace(addr), requests)
	}
	if err := errors.Join(err, in.Close(), cmd.Wait()); err != nil {
		return 0, 0, fmt.Errorf("null server: %w", err)
	}
	server = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return server / time.Duration(requests), client / time.Duration(requests), nil
}

// ask sends requests from several clients and returns what CPU that took here.
func ask(ctx context.Context, url string, requests int) (time.Duration, error) {
	tr := &http.Transport{MaxIdleConnsPerHost: nullClients}
	defer tr.CloseIdleConnections()
	hc := &http.Client{Transport: tr}
	before := processTime()
	errs := make([]error, nullClients)
	var wg sync.WaitGroup
	for i := range nullClients {
		wg.Go(func() {
			for range requests / nullClients {
				if errs[i] = askOnce(ctx, hc, url); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return processTime() - before, errors.Join(errs...)
}

func askOnce(ctx context.Context, hc *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(`{"policies":["default"],"ttl":"1h"}`)))
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", strings.Repeat("t", 28))
	resp, err := hc.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("null server: status %d", resp.StatusCode)
	}
	return nil
}
