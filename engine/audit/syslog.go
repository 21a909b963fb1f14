package audit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// facilities in the order of their numbers (RFC 3164 §4.1.1).
var facilities = []string{
	"KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON", "AUTHPRIV", "FTP",
	"", "", "", "", "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6", "LOCAL7",
}

const severityInfo = 6

// syslogPaths are where systems have the socket of their log.
var syslogPaths = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

// syslog reads the options of a syslog device.
func (p *reader) syslog(c *Config, limit time.Duration) sink {
	name, tag := strings.ToUpper(p.text("facility", "AUTH")), p.text("tag", "grove")
	facility := slices.Index(facilities, name)
	if name == "" || facility < 0 {
		p.fail("facility %q is unknown: AUTH, DAEMON, USER, LOCAL0 to LOCAL7 and the like are allowed", name)
	}
	if strings.ContainsAny(tag, " \r\n\x00[:") || len(tag) > 64 {
		p.fail("tag %q: one word of at most 64 bytes is allowed", tag)
	}
	paths := syslogPaths
	if c.Syslog != "" {
		paths = []string{c.Syslog}
	}
	return &syslog{paths: paths, head: facility<<3 | severityInfo, tag: tag, limit: limit}
}

// syslog sends lines to the local system's log. It is not log/syslog, which has no write deadline.
type syslog struct {
	paths []string
	head  int // facility and severity
	tag   string
	limit time.Duration
	to    socket
}

func (s *syslog) open() error {
	var all error
	for _, path := range s.paths {
		for _, network := range []string{"unixgram", "unix"} {
			s.to = socket{network: network, address: path, limit: s.limit}
			err := s.to.open()
			if err == nil {
				return nil
			}
			all = errors.Join(all, err)
		}
	}
	return fmt.Errorf("no syslog on this system: %w", all)
}

func (s *syslog) write(b []byte) (int, error) {
	head := fmt.Sprintf("<%d>%s %s[%d]: ", s.head, time.Now().Format(time.Stamp), s.tag, os.Getpid())
	n, err := s.to.write(append([]byte(head), b...))
	return max(0, n-len(head)), err
}

func (s *syslog) close() { s.to.close() }

func (s *syslog) single() bool { return true }
