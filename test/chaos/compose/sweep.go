package compose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const prefix = "grove-chaos-"

// projectName names the run by its process, so that others can see whether it lives.
func projectName() string {
	return fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), time.Now().UnixNano()%1e6)
}

// abandoned reports whether a project is of a run whose process is gone.
func abandoned(project string) bool {
	number, _, _ := strings.Cut(strings.TrimPrefix(project, prefix), "-")
	pid, err := strconv.Atoi(number)
	return strings.HasPrefix(project, prefix) && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// sweep removes what dead runs left.
func sweep() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return err
	}
	boxes, err := run(ctx, "docker", "ps", "-a", "--filter", "label=grove.chaos", "--format", `{{.Label "grove.chaos"}}`)
	if err != nil {
		return err
	}
	projects := map[string]bool{}
	for _, name := range append(dirs, strings.Fields(boxes)...) {
		projects[filepath.Base(name)] = true
	}
	for p := range projects { // order: all of them go
		if abandoned(p) {
			err = errors.Join(err, remove(ctx, p))
		}
	}
	return err
}

// remove removes containers, network, volumes, image, mounts and the folder of a project.
func remove(ctx context.Context, project string) error {
	label := "label=com.docker.compose.project=" + project
	var err error
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"ps", "-aq", "--filter", label}, []string{"rm", "-f", "-v"}},
		{[]string{"network", "ls", "-q", "--filter", label}, []string{"network", "rm"}},
		{[]string{"volume", "ls", "-q", "--filter", label}, []string{"volume", "rm", "-f"}},
		{[]string{"images", "-q", project}, []string{"rmi", "-f"}},
	} {
		found, e := run(ctx, "docker", kind.list...)
		if e == nil && found != "" {
			_, e = run(ctx, "docker", append(kind.remove, strings.Fields(found)...)...)
		}
		err = errors.Join(err, e)
	}
	dir := filepath.Join(os.TempDir(), project)
	mounts, e := filepath.Glob(filepath.Join(dir, "*", "data"))
	err = errors.Join(err, e)
	for _, m := range mounts {
		if _, e := run(ctx, "umount", "-l", m); e != nil && !strings.Contains(e.Error(), "not mounted") {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, os.RemoveAll(dir))
}
