package conformance

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	. "sockeye"
)

var (
	sprintf = fmt.Sprintf
	itoa    = strconv.Itoa
)

// log adds a line for a call, unless it only sets the scene.
func (x *calls) log(result, format string, args ...any) {
	call := sprintf(format, args...)
	if strings.Contains(result, timedOut) {
		x.fail("%s = %s", call, result)
	}
	if !x.quiet {
		x.lines = append(x.lines, call+" = "+result)
	}
}

// note adds a line for the reader.
func (x *calls) note(format string, args ...any) {
	if !x.quiet {
		x.lines = append(x.lines, "# "+sprintf(format, args...))
	}
}

// result is how a call ended: 0 or its value, or the errno's name.
func result(err error, value ...string) string {
	if err != nil {
		return "-1 " + errorName(err)
	}
	if len(value) == 0 {
		return "0"
	}
	return strings.Join(value, ", ")
}

func errorName(err error) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return ErrnoName(errno)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return timedOut
	}
	return err.Error()
}

// timedOut is the result of a call that waited until the scenario's deadline. No
// scenario is meant to.
const timedOut = "timed out"

// counted is the result of a call that gives a count, and may give an error with
// it.
func counted(n int, err error) string {
	switch {
	case err != nil && n > 0:
		return sprintf("%d, then -1 %s", n, errorName(err))
	case err != nil:
		return result(err)
	}
	return itoa(n)
}

// received is the result of a call that received n bytes to p.
func received(p []byte, n int, err error) string {
	if err == io.EOF {
		return "EOF"
	}
	if err != nil || n == 0 {
		return counted(n, err)
	}
	return sprintf("%d %s", n, quote(p[:min(n, len(p))]))
}

// quote shows data as C would write it. Of much data it shows the beginning,
// the length and a checksum.
func quote(p []byte) string {
	const show = 16
	if len(p) <= 4*show {
		return strconv.Quote(string(p))
	}
	return sprintf("%q...[%d, crc %08x]", p[:show], len(p), crc32.ChecksumIEEE(p))
}

// protocol names the third argument of socket(2).
func protocol(family Family, p Protocol) string {
	if p == 0 || family != AF_INET && family != AF_INET6 {
		return itoa(int(p))
	}
	return p.String()
}

func acceptFlags(t Type) string {
	return strings.TrimPrefix(t.String(), "0|")
}

// The bounds of net.ipv4.ip_local_port_range in Sysctls.
const firstEphemeral, lastEphemeral = 32768, 60999

func ephemeral(port uint16) bool { return port >= firstEphemeral && port <= lastEphemeral }

// addr shows an address. An ephemeral port is marked for render to name.
func (x *calls) addr(sa Sockaddr) string { return x.addrOr(sa, "NULL") }

func (x *calls) addrOr(sa Sockaddr, zero string) string {
	switch {
	case sa.IsZero():
		return zero
	case sa.Data() != nil:
		return sa.String()
	case sa.Family() == AF_UNIX:
		return strconv.Quote(sa.Path())
	}
	port := itoa(int(sa.Port()))
	if ephemeral(sa.Port()) {
		x.mu.Lock()
		port = sprintf("%c%s.%d%c", portMark, port, max(1, x.ports[sa.Port()]), portMark)
		x.mu.Unlock()
	}
	ip := sa.Addr().String()
	if sa.Addr().Is6() {
		ip = "[" + ip + "]"
	}
	s := ip + ":" + port
	if sa.Flowinfo() != 0 {
		s += sprintf(" flowinfo %#x", sa.Flowinfo())
	}
	if sa.ScopeID() != 0 && sa.Addr().Is4In6() {
		s += sprintf(" scope %d", sa.ScopeID())
	}
	return s
}

const (
	portMark    = '\x01'
	sectionMark = "\x02"
)

var (
	portPattern     = regexp.MustCompile("\x01[^\x01]*\x01")
	autobindPattern = regexp.MustCompile(`"\\x00[0-9a-f]{5}"`)
)

// render gives names to what differs from run to run, in the order of
// appearance: ephemeral ports become P1, P2, the abstract names of the system's
// choice A1, A2.
func (x *calls) render() string {
	var b strings.Builder
	var names map[string]string
	name := func(letter string) func(string) string {
		return func(what string) string {
			if names[what] == "" {
				n := 1
				for k := range names {
					if names[k][:1] == letter {
						n++
					}
				}
				names[what] = letter + itoa(n)
			}
			return names[what]
		}
	}
	names = make(map[string]string)
	for _, line := range x.lines {
		if heading, ok := strings.CutPrefix(line, sectionMark); ok {
			names = make(map[string]string)
			b.WriteString("-- " + heading + "\n")
			continue
		}
		line = strings.ReplaceAll(line, x.site.Dir, "DIR")
		line = portPattern.ReplaceAllStringFunc(line, name("P"))
		line = autobindPattern.ReplaceAllStringFunc(line, func(s string) string {
			return `"\x00` + name("A")(s) + `"`
		})
		b.WriteString(line + "\n")
	}
	return b.String()
}
