package wire_test

import (
	"net/netip"
	"testing"

	"sockeye/wire"
)

func TestAddrIsWhatNetipSays(t *testing.T) {
	for _, s := range []string{
		"0.0.0.0", "127.0.0.1", "127.255.0.1", "10.0.0.1", "169.254.3.4", "224.0.0.22", "239.1.2.3", "255.255.255.255",
		"::", "::1", "::2", "fe80::1", "febf::1", "fec0::1", "ff02::1", "2001:db8::ff:fe00:1", "::fffe:1.2.3.4",
	} {
		n := netip.MustParseAddr(s)
		a := wire.AddrFromNetip(n)
		if a.Netip() != n || a.String() != n.String() {
			t.Errorf("%s came back as %v", s, a)
		}
		for _, is := range []struct {
			name      string
			got, want bool
		}{
			{"Is4", a.Is4(), n.Is4()},
			{"IsUnspecified", a.IsUnspecified(), n.IsUnspecified()},
			{"IsLoopback", a.IsLoopback(), n.IsLoopback()},
			{"IsMulticast", a.IsMulticast(), n.IsMulticast()},
			{"IsLinkLocal", a.IsLinkLocal(), n.IsLinkLocalUnicast()},
			{"IsLinkLocalMulticast", a.IsLinkLocalMulticast(), n.IsLinkLocalMulticast()},
			{"IsBroadcast", a.IsBroadcast(), s == "255.255.255.255"},
		} {
			if is.got != is.want {
				t.Errorf("%s: %s is %v", s, is.name, is.got)
			}
		}
		if a.Size() != len(n.AsSlice()) || string(a.Append(nil)) != string(n.AsSlice()) {
			t.Errorf("%s: %d bytes, %x", s, a.Size(), a.Append(nil))
		}
		if wire.AddrFrom16(a.As16()) != a || a.Is4() && wire.AddrFrom4(a.As4()) != a {
			t.Errorf("%s: not the same after As16 or As4", s)
		}
	}
}

func TestCommonPrefixCountsTheBitsThatAreShared(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"10.0.0.1", "10.0.0.1", 32},
		{"10.0.0.1", "10.0.0.2", 30},
		{"10.0.0.1", "138.0.0.1", 0},
		{"2001:db8::1", "2001:db8::1", 128},
		{"2001:db8::1", "2001:db8::3", 126},
		{"2001:db8::", "2001:db9::", 31},
		{"2001:db8::8000:0:0:0", "2001:db8::", 64},
		{"10.0.0.1", "::a00:1", 0},
		{"::", "0.0.0.0", 0},
	} {
		if got := addr(c.a).CommonPrefix(addr(c.b)); got != c.want {
			t.Errorf("%s and %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestMulticastGroupsHaveTheirLinkAddress(t *testing.T) {
	for group, want := range map[string]string{
		"224.0.0.22":      "01:00:5e:00:00:16",
		"239.129.2.3":     "01:00:5e:01:02:03", // 23 bits only
		"ff02::16":        "33:33:00:00:00:16",
		"ff02::1:ffaa:1b": "33:33:ff:aa:00:1b",
	} {
		if got := addr(group).MulticastMAC().String(); got != want {
			t.Errorf("%s: %s, want %s", group, got, want)
		}
	}
}

// The example of RFC 4291 section 2.7.1.
func TestSolicitedNodeAddressIsThatOfRFC4291(t *testing.T) {
	if got := addr("4037::01:800:200e:8c6c").SolicitedNode(); got != addr("ff02::1:ff0e:8c6c") {
		t.Errorf("got %v", got)
	}
}
