package audit

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	table "github.com/tokengrove/grove/fsm/audit"
)

// writeTimeout is how long a write may take unless the device says otherwise; maxWriteTimeout is
// the longest that it may say, because every request may have to wait so long.
const (
	writeTimeout    = 2 * time.Second
	maxWriteTimeout = 30 * time.Second
)

const maxPrefix = 4096

// options are those that every type of device has, decoded, with its sink.
type options struct {
	format
	limit time.Duration // of a write
	sink  sink
}

// common are the names of the options of every type.
var common = []string{"log_raw", "hmac_accessor", "elide_list_responses", "format", "prefix", "write_timeout", "fallback", "filter", "exclude"}

// parse decodes the options of d, strictly: a misspelt option of an audit device must not be
// found out when the log is needed.
func (c *Config) parse(d *table.Device) (options, error) {
	o := options{format: format{veil: veil{salt: d.Salt, accessors: true}}, limit: writeTimeout}
	p := reader{options: d.Options, seen: slices.Clone(common)}
	o.raw = p.boolean("log_raw", false)
	o.accessors = p.boolean("hmac_accessor", true)
	o.elide = p.boolean("elide_list_responses", false)
	o.limit = p.duration("write_timeout", writeTimeout)
	o.prefix = d.Options["prefix"]
	switch f := d.Options["format"]; {
	case f == "jsonx":
		p.fail(`format "jsonx" is not supported: "json" is`)
	case f != "" && f != "json":
		p.fail("unknown format type %q: \"json\" is allowed", f)
	}
	if p.boolean("fallback", false) {
		p.fail("fallback devices are not supported: every device gets every record")
	}
	for _, name := range []string{"filter", "exclude"} {
		if d.Options[name] != "" {
			p.fail("option %q is not supported: every device gets every record, whole", name)
		}
	}
	if len(o.prefix) > maxPrefix || strings.ContainsAny(o.prefix, "\r\n\x00") {
		p.fail("a prefix has at most %d bytes and is part of a line", maxPrefix)
	}
	switch d.Type {
	case "file":
		o.sink = p.file(c)
	case "syslog":
		o.sink = p.syslog(c, o.limit)
	case "socket":
		o.sink = p.socket(o.limit)
	default:
		return o, fmt.Errorf("unknown backend type: %q: invalid configuration", d.Type)
	}
	p.unknown()
	if p.err != nil {
		return o, fmt.Errorf("%w: invalid configuration", p.err)
	}
	return o, nil
}

// reader reads options; the first error stays.
type reader struct {
	options map[string]string
	seen    []string
	err     error
}

func (p *reader) fail(form string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(form, args...)
	}
}

func (p *reader) text(name, usual string) string {
	p.seen = append(p.seen, name)
	if v := p.options[name]; v != "" {
		return v
	}
	return usual
}

func (p *reader) boolean(name string, usual bool) bool {
	v := p.text(name, strconv.FormatBool(usual))
	b, err := strconv.ParseBool(v)
	if err != nil {
		p.fail("option %q: %q is neither true nor false", name, v)
	}
	return b
}

func (p *reader) duration(name string, usual time.Duration) time.Duration {
	v := p.text(name, "")
	if v == "" {
		return usual
	}
	d, err := time.ParseDuration(v)
	if n, e := strconv.Atoi(v); e == nil && n <= int(maxWriteTimeout/time.Second) {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 || d > maxWriteTimeout {
		p.fail("option %q: %q is no time above zero and up to %s", name, v, maxWriteTimeout)
		return usual
	}
	return d
}

// mode reads the mode of a file: 0 keeps that of a file which is there.
func (p *reader) mode(name string) os.FileMode {
	v := p.text(name, "0600")
	n, err := strconv.ParseUint(v, 8, 32)
	switch {
	case err != nil || n > 0o777:
		p.fail("option %q: %q is no mode of a file such as 0600", name, v)
	case n&0o111 != 0:
		p.fail("option %q: %q: an audit log cannot be executable", name, v)
	}
	return os.FileMode(n)
}

// unknown refuses the options that nobody has asked for.
func (p *reader) unknown() {
	var names []string
	for name := range p.options { // order: sorted below
		if !slices.Contains(p.seen, name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		slices.Sort(p.seen)
		p.fail("unknown options %q: %q are allowed", names, slices.Compact(p.seen))
	}
}
