package cluster

import "time"

// renew keeps the node's certificate young. Every member holds the authority that signs, so
// that this waits for nobody.
func (n *Node) renew() {
	tick := time.NewTicker(min(time.Hour, n.cfg.Tune.CertificateLife/10))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
		done, err := n.trust.renew()
		switch {
		case err != nil:
			n.log.Error("the certificate of this node", "error", err)
		case done:
			n.log.Info("the certificate of this node was renewed", "until", n.trust.current.Load().Certificate.NotAfter)
		}
	}
}
