package addr_test

import (
	"strings"
	"testing"

	"sockeye"
	"sockeye/addr"
)

func TestParseReadsEveryForm(t *testing.T) {
	t.Parallel()
	tcp := addr.Address{Type: sockeye.SOCK_STREAM, Protocol: sockeye.IPPROTO_TCP}
	in := func(a addr.Address, f sockeye.Family, host string, port uint16) addr.Address {
		a.Family, a.Host, a.Port = f, host, port
		return a
	}
	udp := addr.Address{Type: sockeye.SOCK_DGRAM, Protocol: sockeye.IPPROTO_UDP}
	raw := func(f sockeye.Family, p sockeye.Protocol, host string) addr.Address {
		return addr.Address{Family: f, Type: sockeye.SOCK_RAW, Protocol: p, Host: host}
	}
	unix := func(t sockeye.Type, path string) addr.Address {
		return addr.Address{Family: sockeye.AF_UNIX, Type: t, Path: path}
	}
	for _, c := range []struct {
		in   string
		want addr.Address
		out  string // of String, where it differs
	}{
		{"8888", in(tcp, 0, "", 8888), "tcp://:8888"},
		{":8888", in(tcp, 0, "", 8888), "tcp://:8888"},
		{"0", in(tcp, 0, "", 0), "tcp://:0"},
		{"host:8888", in(tcp, 0, "host", 8888), "tcp://host:8888"},
		{"127.0.0.1:65535", in(tcp, 0, "127.0.0.1", 65535), "tcp://127.0.0.1:65535"},
		{"[::1]:8888", in(tcp, 0, "::1", 8888), "tcp://[::1]:8888"},
		{"[fe80::1%eth0]:80", in(tcp, 0, "fe80::1%eth0", 80), "tcp://[fe80::1%eth0]:80"},
		{"tcp://8888", in(tcp, 0, "", 8888), "tcp://:8888"},
		{"TCP://a-b.example:1", in(tcp, 0, "a-b.example", 1), "tcp://a-b.example:1"},
		{"tcp4://:80", in(tcp, sockeye.AF_INET, "", 80), ""},
		{"tcp6://[::]:80", in(tcp, sockeye.AF_INET6, "::", 80), ""},
		{"udp://host:53", in(udp, 0, "host", 53), ""},
		{"udp4://host:53", in(udp, sockeye.AF_INET, "host", 53), ""},
		{"udp6://host:53", in(udp, sockeye.AF_INET6, "host", 53), ""},
		{"unix:/tmp/s", unix(sockeye.SOCK_STREAM, "/tmp/s"), ""},
		{"unix:s", unix(sockeye.SOCK_STREAM, "s"), ""},
		{"unix:///tmp/s", unix(sockeye.SOCK_STREAM, "/tmp/s"), "unix:/tmp/s"},
		{"unix:@name", unix(sockeye.SOCK_STREAM, "\x00name"), ""},
		{"unix:./@name", unix(sockeye.SOCK_STREAM, "./@name"), ""},
		{"unixgram:a:b", unix(sockeye.SOCK_DGRAM, "a:b"), ""},
		{"unix:a://b", unix(sockeye.SOCK_STREAM, "a://b"), ""},
		{"unixpacket:@p", unix(sockeye.SOCK_SEQPACKET, "\x00p"), ""},
		{"icmp://host", raw(0, sockeye.IPPROTO_ICMP, "host"), ""},
		{"icmp6://[::1]", raw(sockeye.AF_INET6, sockeye.IPPROTO_ICMPV6, "::1"), ""},
		{"ip://host/89", raw(0, sockeye.IPPROTO_OSPF, "host"), ""},
		{"ip4:///89", raw(sockeye.AF_INET, sockeye.IPPROTO_OSPF, ""), ""},
		{"ip6://[::1]/255", raw(sockeye.AF_INET6, sockeye.IPPROTO_RAW, "::1"), ""},
		{"unix:" + strings.Repeat("p", 108), unix(sockeye.SOCK_STREAM, strings.Repeat("p", 108)), ""},
	} {
		got, err := addr.Parse(c.in)
		if err != nil || got != c.want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
		}
		if c.out == "" {
			c.out = c.in
		}
		if got.String() != c.out {
			t.Errorf("Parse(%q).String() = %q, want %q", c.in, got, c.out)
		}
	}
}

func TestParseSaysWhatIsWrongAndWhatToType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, problem, hint string }{
		{"", "it is empty", "8888, host:8888 or unix:PATH"},
		{"host", "no port", "tcp://host:8888"},
		{"host:", "no port", "tcp://host:8888"},
		{"host:99999", "port 99999 is too large: ports go from 0 to 65535", ""},
		{"99999", "port 99999 is too large: ports go from 0 to 65535", ""},
		{"host:-1", `port "-1" is not a number`, ""},
		{"host:https", `port "https" is not a number`, "tcp://host:443"},
		{"::1", "an IPv6 address stands in brackets, with a port behind", "[::1]:8888"},
		{"fe80::1%eth0", "an IPv6 address stands in brackets, with a port behind", "[fe80::1%eth0]:8888"},
		{"[::1]", "no port", "tcp://[::1]:8888"},
		{"[host]:80", `brackets are for IPv6 addresses, which "host" is not`, ""},
		{"256.0.0.1:80", "256.0.0.1 is not an IPv4 address, which is four numbers from 0 to 255", ""},
		{"a host:80", `"a host" is not a host's name`, ""},
		{"tcp4://[::1]:80", "::1 is an IPv6 address", "the scheme tcp6"},
		{"tcp6://127.0.0.1:80", "127.0.0.1 is an IPv4 address", "the scheme tcp4"},
		{"tcp://host:80/", "nothing can follow the port", "tcp://host:80"},
		{"tcp:host:80", "the scheme tcp is followed by //", "tcp://host:80"},
		{"udp:53", "the scheme udp is followed by //", "udp://:53"},
		{"tpc://host:80", `unknown scheme "tpc"`, "tcp://host:80"},
		{"udp5://host:80", `unknown scheme "udp5"`, "udp://host:80"},
		{"unxi:/tmp/s", `unknown scheme "unxi"`, "unix:/tmp/s"},
		{"unixgarm://tmp/s", `unknown scheme "unixgarm"`, "unixgram:tmp/s"},
		{"http://host/page", `"http" is a protocol above the socket`, "tcp://host:80"},
		{"https://host:8443", `"https" is a protocol above the socket`, "tcp://host:8443"},
		{"unix:", "no path", "unix:/tmp/socket or unix:@name"},
		{"unix:@", "no path", "unix:/tmp/socket or unix:@name"},
		{"unix:a\x00b", "a path can't hold a NUL byte", ""},
		{"unix:" + strings.Repeat("p", 109), "the path has 109 bytes, and a socket address holds 108", "a shorter one, or a relative one"},
		{"unix:@" + strings.Repeat("n", 108), "the name has 108 bytes, and a socket address holds 107", "a shorter one"},
		{"/tmp/s", "a path needs the scheme unix:", "unix:/tmp/s"},
		{"@name", "an abstract name needs the scheme unix:", "unix:@name"},
		{"icmp://host/8", "nothing can follow the host", "icmp://host"},
		{"icmp://::1", "an IPv6 address stands in brackets", "[::1]"},
		{"ip://host", "no protocol number", "ip://host/89 for OSPF"},
		{"ip://host/256", `protocol "256" is not a number from 1 to 255`, ""},
		{"ip://host/0", "protocol 0 can't be opened: they go from 1 to 255", ""},
	} {
		_, err := addr.Parse(c.in)
		got, ok := err.(*addr.Error)
		if !ok || *got != (addr.Error{Input: c.in, Problem: c.problem, Hint: c.hint}) {
			t.Errorf("Parse(%q): %v; want %s; try %s", c.in, err, c.problem, c.hint)
		}
	}
	if _, err := addr.Parse("gopherd://host"); err == nil || !strings.Contains(err.Error(), "unixpacket") {
		t.Errorf("an unknown scheme near none: %v; want a list of all", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"8888", "[::1]:80", "tcp://h:1", "unix:@a", "unix:////x", "uniX://////", "ip://h/89", "icmp6://[::1]",
		"tcp:1", "::1:80", "[fe80::1%e]:0", "unixpacket:p", "http://h", "[", "]:", "a@b:1", "icmp://:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := addr.Parse(s)
		if err != nil {
			if text := err.Error(); text == "" || strings.ContainsAny(text, "\r\n") && !strings.ContainsAny(s, "\r\n") {
				t.Errorf("Parse(%q): %q is not one line", s, text)
			}
			return
		}
		again, err := addr.Parse(a.String())
		if err != nil || again != a {
			t.Errorf("Parse(%q) = %+v, but Parse(%q) = %+v, %v", s, a, a, again, err)
		}
	})
}
