package main

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestNotify(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	env := func(socket string) *environment {
		return &environment{getenv: func(k string) string { return map[string]string{"NOTIFY_SOCKET": socket}[k] }}
	}
	if err := notify(env(name), "READY=1"); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	b := make([]byte, 64)
	if n, err := conn.Read(b); err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("systemd was told %q, %v", b[:n], err)
	}
	if err := notify(env(""), "READY=1"); err != nil {
		t.Errorf("without systemd: %v", err)
	}
	if err := notify(env(name+"gone"), "READY=1"); err == nil {
		t.Error("nobody listens, and nobody says so")
	}
}
