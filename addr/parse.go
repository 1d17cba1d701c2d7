package addr

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"sockeye"
)

// An Error is an address that can't be read: what is wrong with it and, where
// that is known, what to type instead. Its text is one line.
type Error struct {
	Input   string // the address as it was given
	Problem string
	Hint    string // an address, or empty
}

// Error is the address, what is wrong with it, and what to try.
func (e *Error) Error() string {
	s := fmt.Sprintf("address %q: %s", e.Input, e.Problem)
	if e.Hint != "" {
		s += "; try " + e.Hint
	}
	return s
}

// Lengths of sun_path (unix(7)). Linux takes a path name without its last NUL.
const (
	maxPath     = 108
	maxAbstract = 107
)

// Parse reads an address. Errors are of type *Error.
func Parse(s string) (Address, error) {
	if s == "" {
		return Address{}, &Error{s, "it is empty", "8888, host:8888 or unix:PATH"}
	}
	if name, rest, ok := strings.Cut(s, ":"); ok {
		if after, ok := strings.CutPrefix(rest, "//"); ok { // tcp://, and unix://PATH as well
			return parseScheme(s, name, after)
		}
		sch, known := schemeOf(name)
		switch {
		case known && sch.form == path:
			return parsePath(s, sch, rest)
		case known:
			return Address{}, &Error{s, "the scheme " + sch.name + " is followed by //", sch.name + "://" + colonFirst(rest)}
		case strings.ContainsAny(rest, "/@"): // no port: a path with a mistyped scheme?
			if near := closest(name); near != "" {
				return Address{}, &Error{s, fmt.Sprintf("unknown scheme %q", name), near + ":" + rest}
			}
		}
	}
	switch {
	case s[0] == '@':
		return Address{}, &Error{s, "an abstract name needs the scheme unix:", "unix:" + s}
	case strings.Contains(s, "/"):
		return Address{}, &Error{s, "a path needs the scheme unix:", "unix:" + s}
	}
	tcp, _ := schemeOf("tcp")
	return parseHostPort(s, tcp, s)
}

// colonFirst is how a lone port is written after //.
func colonFirst(rest string) string {
	if _, err := strconv.ParseUint(rest, 10, 16); err == nil {
		return ":" + rest
	}
	return rest
}

func parseScheme(s, name, rest string) (Address, error) {
	sch, ok := schemeOf(name)
	if !ok {
		return Address{}, unknownScheme(s, name, rest)
	}
	switch sch.form {
	case path:
		return parsePath(s, sch, rest)
	case hostOnly, hostProtocol:
		return parseIP(s, sch, rest)
	}
	return parseHostPort(s, sch, rest)
}

func unknownScheme(s, name, rest string) *Error {
	if port, err := servicePort(name); err == nil { // http, say
		e := &Error{Input: s, Problem: fmt.Sprintf("%q is a protocol above the socket", name)}
		host, _, _ := strings.Cut(rest, "/")
		e.Hint = fmt.Sprintf("tcp://%s:%d", host, port)
		if strings.Contains(host, ":") {
			e.Hint = "tcp://" + host
		}
		return e
	}
	e := &Error{Input: s, Problem: fmt.Sprintf("unknown scheme %q", name)}
	near, ok := schemeOf(closest(name))
	switch {
	case !ok:
		e.Problem += " (there are " + strings.Join(Schemes(), ", ") + ")"
	case near.form == path:
		e.Hint = near.name + ":" + rest
	default:
		e.Hint = near.name + "://" + rest
	}
	return e
}

func parsePath(s string, sch scheme, p string) (Address, error) {
	a := sch.address()
	limit := maxPath
	if name, ok := strings.CutPrefix(p, "@"); ok {
		p, limit = "\x00"+name, maxAbstract+1
	}
	switch {
	case p == "" || p == "\x00":
		return a, &Error{s, "no path", sch.name + ":/tmp/socket or " + sch.name + ":@name"}
	case p[0] != 0 && strings.Contains(p, "\x00"):
		return a, &Error{s, "a path can't hold a NUL byte", ""}
	case len(p) > limit && p[0] == 0:
		return a, &Error{s, fmt.Sprintf("the name has %d bytes, and a socket address holds %d", len(p)-1, maxAbstract), "a shorter one"}
	case len(p) > limit:
		return a, &Error{s, fmt.Sprintf("the path has %d bytes, and a socket address holds %d", len(p), maxPath), "a shorter one, or a relative one"}
	}
	a.Path = p
	return a, nil
}

func parseHostPort(s string, sch scheme, rest string) (Address, error) {
	a := sch.address()
	if rest != "" && strings.Trim(rest, "0123456789") == "" {
		rest = ":" + rest // 8888
	}
	if before, after, ok := strings.Cut(rest, "/"); ok {
		e := &Error{s, "nothing can follow the port", ""}
		if after == "" || strings.Contains(before, ":") {
			e.Hint = sch.name + "://" + before
		}
		return a, e
	}
	host, port, ok := cutPort(rest)
	if !ok {
		e := &Error{s, "no port", sch.name + "://" + rest + ":8888"}
		if strings.HasPrefix(rest, "[") && !strings.Contains(rest, "]") {
			return a, &Error{s, "the bracket is not closed", sch.name + "://[::1]:8888"}
		}
		if ip, err := netip.ParseAddr(rest); err == nil && ip.Is6() {
			e.Problem, e.Hint = "an IPv6 address stands in brackets, with a port behind", "["+rest+"]:8888"
			if i := strings.LastIndexByte(rest, ':'); i > 0 {
				if ip, err := netip.ParseAddr(rest[:i]); err == nil {
					e.Hint = fmt.Sprintf("[%s]:%s", ip, rest[i+1:])
				}
			}
		}
		return a, e
	}
	if err := a.setHost(s, sch, host); err != nil {
		return a, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case port == "":
		return a, &Error{s, "no port", sch.name + "://" + a.bracketed() + ":8888"}
	case err == nil:
		a.Port = uint16(n)
		return a, nil
	case strings.Trim(port, "0123456789") == "":
		return a, &Error{s, "port " + port + " is too large: ports go from 0 to 65535", ""}
	}
	e := &Error{s, fmt.Sprintf("port %q is not a number", port), ""}
	if n, err := servicePort(port); err == nil {
		e.Hint = fmt.Sprintf("%s://%s:%d", sch.name, a.bracketed(), n)
	}
	return a, e
}

// cutPort cuts host:port or [host]:port at the colon.
func cutPort(s string) (host, port string, ok bool) {
	if strings.HasPrefix(s, "[") {
		host, port, ok = strings.Cut(s, "]:")
		return host + "]", port, ok
	}
	if strings.Count(s, ":") != 1 {
		return "", "", false
	}
	return strings.Cut(s, ":")
}

func parseIP(s string, sch scheme, rest string) (Address, error) {
	a := sch.address()
	host, proto, found := strings.Cut(rest, "/")
	if err := a.setHost(s, sch, host); err != nil {
		return a, err
	}
	if sch.form == hostOnly {
		if proto != "" {
			return a, &Error{s, "nothing can follow the host", sch.name + "://" + a.bracketed()}
		}
		return a, nil
	}
	n, err := strconv.ParseUint(proto, 10, 8)
	switch {
	case !found || proto == "":
		return a, &Error{s, "no protocol number", fmt.Sprintf("%s://%s/89 for OSPF", sch.name, a.bracketed())}
	case err != nil:
		return a, &Error{s, fmt.Sprintf("protocol %q is not a number from 1 to 255", proto), ""}
	case n == 0:
		return a, &Error{s, "protocol 0 can't be opened: they go from 1 to 255", ""}
	}
	a.Protocol = sockeye.Protocol(n)
	return a, nil
}

// setHost checks a host that may stand in brackets.
func (a *Address) setHost(s string, sch scheme, host string) error {
	bare, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		bare = strings.TrimSuffix(bare, "]")
	}
	ip, err := netip.ParseAddr(bare)
	switch {
	case bracketed && (err != nil || !ip.Is6()):
		return &Error{s, "brackets are for IPv6 addresses, which " + strconv.Quote(bare) + " is not", ""}
	case err == nil && ip.Is6() && !bracketed:
		return &Error{s, "an IPv6 address stands in brackets", "[" + bare + "]"}
	case err == nil:
		return a.setIP(s, sch, ip, bare)
	case bare != "" && strings.Trim(bare, "0123456789.") == "":
		return &Error{s, bare + " is not an IPv4 address, which is four numbers from 0 to 255", ""}
	case strings.ContainsFunc(bare, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`"%?#[]\@:`, r) }):
		return &Error{s, strconv.Quote(bare) + " is not a host's name", ""}
	}
	a.Host = bare
	return nil
}

func (a *Address) setIP(s string, sch scheme, ip netip.Addr, written string) error {
	stem := strings.TrimRight(sch.name, "46")
	switch {
	case a.Family == sockeye.AF_INET && !ip.Is4():
		return &Error{s, written + " is an IPv6 address", "the scheme " + stem + "6"}
	case a.Family == sockeye.AF_INET6 && ip.Is4():
		return &Error{s, written + " is an IPv4 address", "the scheme " + stem + "4"}
	}
	a.Host = written
	return nil
}

func (s scheme) address() Address {
	return Address{Family: s.family, Type: s.typ, Protocol: s.proto}
}

// servicePort is the port of a service that services(5) knows.
func servicePort(name string) (int, error) {
	if len(name) > 32 {
		return 0, &net.AddrError{Err: "unknown service", Addr: name}
	}
	return net.LookupPort("tcp", name)
}

// closest is the scheme that somebody who typed name meant; "" if none is near.
func closest(name string) string {
	name = strings.ToLower(name)
	best, least := "", 3
	for _, s := range schemes {
		if len(name) > len(s.name)+least {
			continue
		}
		if d := distance(name, s.name); d < least && d < len(s.name) && d < len(name) {
			best, least = s.name, d
		}
	}
	return best
}

// distance is how many letters were left out, added, changed or swapped with
// the next one (optimal string alignment).
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
