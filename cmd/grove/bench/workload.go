package bench

import "context"

// workload is a named way to load servers.
type workload struct {
	name, about string
	comparable  bool // with a null server
	run         func(ctx context.Context, r *run) (Result, error)
}

// workloads are all there are.
var workloads = []workload{
	{"create", "make tokens", true, steady("create", createPlan)},
	{"lookup", "look up tokens with themselves", true, steady("lookup", lookupPlan)},
	{"use", "the same with tokens of limited uses: each request is a replicated write", true, steady("use", usePlan)},
	{"renew", "renew tokens with themselves", true, steady("renew", renewPlan)},
	{"revoke", "revoke tokens made before; ends when they are used up", true, steady("revoke", revokePlan)},
	{"mixed", "90 % lookup, 5 % use, 3 % create, 1 % renew, 1 % revoke", true, steady("mixed", mixedPlan)},
	{"tree", "revoke a parent of many while others look up tokens; nothing of it may live", false, tree},
	{"fill", "make tokens that stay", true, fill},
	{"failover", "create while a node is killed; what was acknowledged must be there", false, failover},
}

// Workloads are the names of all workloads.
func Workloads() []string {
	names := make([]string, len(workloads))
	for i, w := range workloads {
		names[i] = w.name
	}
	return names
}

// Describe says in a line what a workload does.
func Describe(name string) string {
	if w := find(name); w != nil {
		return w.about
	}
	return ""
}

func find(name string) *workload {
	for i := range workloads {
		if workloads[i].name == name {
			return &workloads[i]
		}
	}
	return nil
}
