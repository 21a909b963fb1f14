package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// groveUser is the user of docker-compose.yml.
const groveUser = 65532

// configuration is that of every node. Snapshots are frequent, so that nodes which come back get one.
const configuration = `
listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_disable     = true
}
storage "raft" {
  path               = "/data"
  snapshot_threshold = 4000
  trailing_logs      = 1000
  snapshot_interval  = "5s"
%s}
log_level = "info"
`

// makeFolders makes what containers mount: the state on a small tmpfs, and the clock's offset.
func (c *Cluster) makeFolders(ctx context.Context) error {
	var joins strings.Builder
	for _, n := range c.nodes {
		fmt.Fprintf(&joins, "  retry_join {\n    leader_api_addr = \"http://%s:8200\"\n  }\n", n.name)
		for _, d := range []string{n.data(), n.clockDir()} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		options := fmt.Sprintf("size=%d,mode=0700,uid=%d,gid=%d", c.cfg.DiskBytes, groveUser, groveUser)
		if _, err := run(ctx, "mount", "-t", "tmpfs", "-o", options, c.project, n.data()); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(c.dir, "grove.hcl"), fmt.Appendf(nil, configuration, joins.String()), 0o644)
}

func (n *node) data() string     { return filepath.Join(n.dir, "data") }
func (n *node) clockDir() string { return filepath.Join(n.dir, "clock") }

// buildImage builds the binary for tests and the image around it, from the Dockerfile of the repository.
func (c *Cluster) buildImage(ctx context.Context) error {
	context := filepath.Join(c.dir, "image")
	image := filepath.Join("scripts", "compose", "image")
	if err := os.CopyFS(filepath.Join(context, image), os.DirFS(filepath.Join(c.cfg.Root, image))); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	ctx, cancel := withTimeout(ctx, 5*time.Minute)
	defer cancel()
	tags := strings.Join(append([]string{"chaos"}, c.cfg.Tags...), ",")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", tags, "-o", filepath.Join(context, "dist", "grove"), "./cmd/grove")
	build.Dir, build.Env = c.cfg.Root, append(os.Environ(), "CGO_ENABLED=0")
	if _, err := output(build); err != nil {
		return err
	}
	_, err := run(ctx, "docker", "build", "-q", "-t", c.project, "-f", filepath.Join(c.cfg.Root, "Dockerfile"), context)
	return err
}

func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// up starts the containers on the first subnet that is free.
func (c *Cluster) up(ctx context.Context) error {
	var err error
	for range 8 {
		subnet := fmt.Sprintf("10.%d.%d", 200+rand.IntN(50), rand.IntN(250))
		for i, n := range c.nodes {
			n.ip = fmt.Sprintf("%s.%d", subnet, 11+i)
		}
		if err = os.WriteFile(c.override(), []byte(c.overrideText(subnet)), 0o600); err != nil {
			return err
		}
		args := append(composeFiles(c.cfg.Root, c.override(), c.project), "up", "-d", "--no-build")
		if err = c.compose(ctx, args); err == nil || !strings.Contains(err.Error(), "overlaps") {
			return err
		}
	}
	return err
}

func (c *Cluster) override() string { return filepath.Join(c.dir, "override.yml") }

// composeFiles are the arguments that say which cluster is meant.
func composeFiles(root, override, project string) []string {
	return []string{"--project-directory", root, "-p", project, "-f", filepath.Join(root, "docker-compose.yml"), "-f", override, "--profile", "five"}
}

// compose runs docker-compose, of either version.
func (c *Cluster) compose(ctx context.Context, args []string) error {
	name := []string{"docker-compose"}
	if _, err := run(ctx, "docker", "compose", "version"); err == nil {
		name = []string{"docker", "compose"}
	}
	for _, n := range c.nodes {
		args = append(args, n.name)
	}
	args = append(name[1:], args...)
	cmd := exec.CommandContext(ctx, name[0], args...)
	cmd.Env = append(os.Environ(), "GROVE_CLUSTER_KEY="+c.key, "GROVE_IMAGE="+c.project)
	for i, n := range c.nodes {
		cmd.Env = append(cmd.Env, fmt.Sprintf("GROVE_PORT%d=%d", i+1, n.port))
	}
	_, err := output(cmd)
	return err
}

// overrideText is what the run adds to docker-compose.yml.
func (c *Cluster) overrideText(subnet string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "networks:\n  default:\n    ipam:\n      config:\n        - subnet: %s.0/24\nservices:\n", subnet)
	for _, n := range c.nodes {
		fmt.Fprintf(&b, "  %s:\n    container_name: %s\n    labels:\n      grove.chaos: %s\n", n.name, n.box, c.project)
		fmt.Fprintf(&b, "    environment:\n      GROVE_TEST_CLOCK_OFFSET_FILE: /chaos/offset\n")
		fmt.Fprintf(&b, "    networks:\n      default:\n        ipv4_address: %s\n", n.ip)
		fmt.Fprintf(&b, "    volumes:\n      - %s:/data\n      - %s:/chaos:ro\n      - %s:/etc/grove/grove.hcl:ro\n", n.data(), n.clockDir(), filepath.Join(c.dir, "grove.hcl"))
	}
	return b.String()
}

// initialize makes a cluster of the nodes, and waits until all vote.
func (c *Cluster) initialize(ctx context.Context) error {
	ctx, cancel := withTimeout(ctx, time.Minute)
	defer cancel()
	var made struct {
		RootToken string `json:"root_token"`
	}
	err := await(ctx, "making a cluster", func() error {
		return c.nodes[0].call(ctx, http.MethodPut, "sys/init", "", map[string]any{"secret_shares": 1, "secret_threshold": 1}, &made)
	})
	if err != nil {
		return err
	}
	c.token = made.RootToken
	return errors.Join((*victim)(c).awaitVoters(ctx), (*victim)(c).Await(ctx, c.numbers()))
}
