package main

import (
	"encoding/json"
	"strings"
	"testing"

	"sockeye"
	"sockeye/kernel"
)

// optionLines gives what options --json says, by name.
func optionLines(t *testing.T, args ...string) map[string]optionLine {
	t.Helper()
	p := run(t, append([]string{"options", "--json"}, args...)...)
	if status := p.status(); status != 0 {
		t.Fatalf("options %q: status %d", args, status)
	}
	all := map[string]optionLine{}
	for line := range strings.Lines(p.out.text()) {
		var l optionLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all[l.Name] = l
	}
	return all
}

func TestOptionsOfEachKindOfSocket(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scheme, family, typ string
		has, lacks          []string
	}{
		{"tcp4", "AF_INET", "SOCK_STREAM", []string{"TCP_NODELAY", "IP_TTL", "IP_ADD_MEMBERSHIP"}, []string{"UDP_CORK", "IPV6_V6ONLY", "ICMP_FILTER"}},
		{"tcp", "AF_INET6", "SOCK_STREAM", []string{"TCP_NODELAY", "IPV6_V6ONLY"}, []string{"UDP_CORK"}},
		{"udp6://", "AF_INET6", "SOCK_DGRAM", []string{"UDP_CORK", "IPV6_V6ONLY"}, []string{"TCP_NODELAY"}},
		{"unix:", "AF_UNIX", "SOCK_STREAM", []string{"SO_PEERCRED", "SO_PASSCRED"}, []string{"TCP_NODELAY", "IP_TTL", "IP_ADD_MEMBERSHIP"}},
		{"unixpacket", "AF_UNIX", "SOCK_SEQPACKET", []string{"SO_PASSCRED"}, []string{"TCP_NODELAY"}},
	} {
		all := optionLines(t, c.scheme)
		if all["SO_DOMAIN"].Value != c.family || all["SO_TYPE"].Value != c.typ {
			t.Errorf("%s: a socket of %v, %v", c.scheme, all["SO_DOMAIN"].Value, all["SO_TYPE"].Value)
		}
		for _, name := range c.has {
			if _, ok := all[name]; !ok {
				t.Errorf("%s: no %s", c.scheme, name)
			}
		}
		for _, name := range c.lacks {
			if l, ok := all[name]; ok {
				t.Errorf("%s: has %+v", c.scheme, l)
			}
		}
	}
	if all := optionLines(t, "--all", "unix"); len(all) != len(sockeye.Options()) {
		t.Errorf("--all gives %d options of %d", len(all), len(sockeye.Options()))
	}
}

func TestOptionsTellTheValuesOfTheSocket(t *testing.T) {
	t.Parallel()
	s, err := kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sndbuf, err := sockeye.SO_SNDBUF.Get(s)
	if err != nil {
		t.Fatal(err)
	}
	all := optionLines(t)
	for name, want := range map[string]any{
		"SO_SNDBUF": float64(sndbuf), "SO_REUSEADDR": false, "TCP_KEEPIDLE": 7200.0, "SO_PROTOCOL": "IPPROTO_TCP", "SO_ERROR": nil,
	} {
		if l := all[name]; l.Value != want || l.Errno != nil {
			t.Errorf("%+v, want the value %v", l, want)
		}
	}
	if l := all["SO_PEERNAME"]; l.Errno == nil || *l.Errno != "ENOTCONN" || l.Value != nil {
		t.Errorf("%+v, want ENOTCONN", l)
	}
	if l := all["SO_TYPE"]; l.Access != "read-only" || l.Level != "SOL_SOCKET" || l.Number != 3 || l.Type != "int" {
		t.Errorf("%+v", l)
	}
	if l := all["SO_LINGER"]; l.Value.(map[string]any)["On"] != false {
		t.Errorf("%+v", l)
	}
}

func TestOptionsOfAConnectedSocket(t *testing.T) {
	t.Parallel()
	_, at := tcpServer(t)
	all := optionLines(t, at)
	if got := all["SO_PEERNAME"].Value; got != at {
		t.Errorf("SO_PEERNAME is %v, want %s", got, at)
	}
	if info := all["TCP_INFO"].Value.(map[string]any); info["State"] != "ESTABLISHED" || info["RTT"].(float64) <= 0 {
		t.Errorf("TCP_INFO is %v", info)
	}
	p := run(t, "options", at)
	if status := p.status(); status != 0 {
		t.Errorf("status %d", status)
	}
	for line := range strings.Lines(p.out.text()) {
		if len(strings.Split(line, "\t")) != 5 {
			t.Errorf("not five fields in %q", line)
		}
	}
	p.out.await(t, "SOL_SOCKET\tSO_PEERNAME\t"+at+"\tstruct sockaddr\tread-only\n")
	p.out.await(t, "State=ESTABLISHED ")
}

func TestFamiliesTellWhatOpens(t *testing.T) {
	t.Parallel()
	p := run(t, "families", "--json")
	if status := p.status(); status != 0 {
		t.Errorf("status %d", status)
	}
	got := map[string]string{}
	for line := range strings.Lines(p.out.text()) {
		var k kind
		if err := json.Unmarshal([]byte(line), &k); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got[k.Family+" "+k.Type+" "+k.Protocol] = "yes"
		if !k.Open {
			got[k.Family+" "+k.Type+" "+k.Protocol] = *k.Errno
		}
	}
	for what, want := range map[string]string{
		"AF_UNIX SOCK_STREAM ": "yes", "AF_UNIX SOCK_SEQPACKET ": "yes", "AF_INET SOCK_STREAM ": "yes",
		"AF_INET6 SOCK_DGRAM ": "yes", "AF_INET SOCK_SEQPACKET ": "ESOCKTNOSUPPORT", "AF_IPX SOCK_STREAM ": "EAFNOSUPPORT",
	} {
		if got[what] != want {
			t.Errorf("%s: %q, want %q", what, got[what], want)
		}
	}
	table := run(t, "families")
	table.out.await(t, "AF_UNIX\tyes\tyes\tyes\tESOCKTNOSUPPORT\t")
	table.ends(0, table.out.text())
}
