package labfile

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sockeye/link"
)

// Kinds of one word.
var (
	nameKind = scalar(schema{"type": "string", "pattern": namePattern}, "a name of letters, digits and inner hyphens, such as web or host-1", parseName)
	boolKind = scalar(schema{"type": "boolean"}, "true or false", func(s string) (bool, bool) { return s == "true", s == "true" || s == "false" })
	portKind = scalar(schema{"type": "integer", "minimum": 1, "maximum": 65535}, "a port from 1 to 65535", parsePort)
	seedKind = scalar(schema{"type": "integer", "minimum": 0}, "a whole number from 0 on", func(s string) (uint64, bool) {
		n, err := strconv.ParseUint(s, 0, 64)
		return n, err == nil
	})
	timeKind = scalar(schema{"type": "string", "pattern": `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`}, "a time, as 80ms or 1.5s", func(s string) (time.Duration, bool) {
		d, err := time.ParseDuration(s)
		return d, err == nil && d >= 0 && d <= longest
	})
	rateKind = scalar(schema{"type": "string", "pattern": `^[0-9.]+[kmg]?bit$`}, "bits per second, as 500kbit, 5mbit or 1gbit", func(s string) (int64, bool) {
		var f link.Faults
		return f.Rate, f.Set("rate", s) == nil && f.Rate > 0
	})
	bytesKind = scalar(schema{"type": []string{"string", "integer"}}, "bytes, as 1500, 64kB or 10MB", parseBytes)
	pathKind  = scalar(schema{"type": "string"}, "a path", func(s string) (string, bool) { return s, s != "" })
	wordKind  = scalar(schema{"type": []string{"string", "number"}}, "a word", func(s string) (string, bool) { return s, true })
	// prefixKind is an address and how long the network's part of it is.
	prefixKind = scalar(schema{"type": "string"}, "an address with the length of its network, as 10.0.0.1/24 or fd00::1/64", func(s string) (netip.Prefix, bool) {
		p, err := netip.ParsePrefix(s)
		return p, err == nil && p.Addr().Zone() == "" && !p.Addr().Is4In6() && p.Addr().IsGlobalUnicast() && p.Bits() > 0
	})
)

// namePattern is that of a label in a domain name (RFC 1123 section 2.1).
const namePattern = `^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`

var nameSyntax = regexp.MustCompile(namePattern)

func parseName(s string) (string, bool) { return s, nameSyntax.MatchString(s) }

func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n > 0
}

func parseBytes(s string) (int64, bool) {
	size := int64(1)
	for _, u := range []struct {
		name string
		size int64
	}{{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}} {
		if number, ok := strings.CutSuffix(s, u.name); ok {
			s, size = number, u.size
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	return n * size, err == nil && n > 0
}

// cutProtocol cuts udp:// or tcp:// off.
func cutProtocol(s string) (rest string, udp bool) {
	if rest, ok := strings.CutPrefix(s, "udp://"); ok {
		return rest, true
	}
	return strings.TrimPrefix(s, "tcp://"), false
}

// parseLoopback reads [ADDRESS:]PORT of this machine's loopback.
func parseLoopback(s string, least uint64) (at netip.AddrPort, ok bool) {
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	port := s
	if strings.Contains(s, ":") {
		host, p, err := net.SplitHostPort(s)
		if err != nil {
			return at, false
		}
		if host == "localhost" {
			host = "127.0.0.1"
		}
		if ip, err = netip.ParseAddr(host); err != nil || !ip.IsLoopback() || ip.Zone() != "" {
			return at, false
		}
		port = p
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), err == nil && n >= least
}

// parseTarget reads HOST:PORT.
func parseTarget(s string) (string, bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return s, false
	}
	_, ok := parsePort(port)
	return s, ok && host != ""
}

// IsName tells whether something can be a lab's or a host's name.
func IsName(s string) bool { return nameSyntax.MatchString(s) }
