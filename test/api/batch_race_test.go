package api

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestBatchTokenRace: no use of a batch token that begins after its parent's death was acknowledged succeeds, on any node.
func TestBatchTokenRace(t *testing.T) {
	u := root(t)
	for range 5 {
		parent := u.child(obj{"policies": []string{"root"}, "ttl": "1h"}).id
		id := u.as(parent).post("auth/token/create", obj{"type": "batch", "policies": []string{"default"}, "ttl": "10m"}).want(200).str("auth.client_token")
		var dead atomic.Bool
		var before atomic.Int64
		var wg sync.WaitGroup
		started := make(chan struct{}, 6)
		for range 6 {
			wg.Go(func() {
				for first := true; ; first = false {
					over := dead.Load()
					status := u.as(id).get("auth/token/lookup-self").status
					if status == 200 {
						before.Add(1)
					}
					if first {
						started <- struct{}{}
					}
					switch {
					case status != 200 && status != 403:
						t.Errorf("answered with %d", status)
						return
					case over && status == 200:
						t.Error("used after its parent's death was acknowledged")
						return
					case over:
						return
					}
				}
			})
		}
		for range 6 {
			<-started
		}
		u.post("auth/token/revoke", obj{"token": parent}).want(204)
		dead.Store(true)
		wg.Wait()
		if before.Load() == 0 {
			t.Error("nobody used it while it lived")
		}
	}
}
