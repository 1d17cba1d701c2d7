package stack_test

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/wire"
)

func TestGroupsReceiveWhatIsSentToThem(t *testing.T) {
	leak.Check(t)
	for _, v := range []struct {
		name, group string
		family      sockeye.Family
	}{{"IPv4", "239.1.1.1", sockeye.AF_INET}, {"IPv6", "ff02::77", sockeye.AF_INET6}} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t, link.CableOptions{Ethernet: true})
				wildcard := "0.0.0.0"
				if v.family == sockeye.AF_INET6 {
					wildcard = "::"
				}
				server, client := udp(b, v.family, wildcard, 7), udp(a, v.family, "", 0)
				group := sockeye.Membership{Group: netip.MustParseAddr(v.group), Ifindex: 2}
				join, leave := sockeye.IP_ADD_MEMBERSHIP, sockeye.IP_DROP_MEMBERSHIP
				if v.family == sockeye.AF_INET6 {
					join, leave = sockeye.IPV6_ADD_MEMBERSHIP, sockeye.IPV6_DROP_MEMBERSHIP
				}
				sockeye.IP_MULTICAST_IF.Set(client, sockeye.MulticastInterface{Ifindex: 2})
				sockeye.IPV6_MULTICAST_IF.Set(client, 2)
				buf := make([]byte, 10)
				for _, joined := range []bool{false, true, false} {
					if joined {
						if err := join.Set(server, group); err != nil {
							t.Fatal(err)
						}
					}
					if _, err := client.Sendto([]byte("x"), 0, at(v.group, 7)); err != nil {
						t.Fatal(err)
					}
					if _, err := server.Recv(buf, sockeye.MSG_DONTWAIT); (err == nil) != joined {
						t.Errorf("joined %v, received %v", joined, err)
					}
					if joined {
						leave.Set(server, group)
					}
				}
			})
		})
	}
}

func TestBroadcastsReachEveryHost(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, link.CableOptions{Ethernet: true})
		server, client := udp(b, sockeye.AF_INET, "0.0.0.0", 7), udp(a, sockeye.AF_INET, "", 0)
		if _, err := client.Sendto([]byte("x"), 0, at("10.0.0.255", 7)); !errors.Is(err, syscall.EACCES) {
			t.Errorf("without SO_BROADCAST: %v", err)
		}
		sockeye.SO_BROADCAST.Set(client, true)
		if _, err := client.Sendto([]byte("x"), 0, at("10.0.0.255", 7)); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Recv(make([]byte, 1), sockeye.MSG_DONTWAIT); err != nil {
			t.Error(err)
		}
	})
}

// A host tells routers which groups it is in (RFC 3376, RFC 3810).
func TestMembershipIsReported(t *testing.T) {
	leak.Check(t)
	t.Run("IGMPv3", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := pair(t, link.CableOptions{Ethernet: true})
			router := must(b.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.Protocol(wire.IPPROTO_IGMP)))
			join := func(s *sockeye.Socket, group string) {
				sockeye.IP_ADD_MEMBERSHIP.Set(s, sockeye.Membership{Group: netip.MustParseAddr(group), Ifindex: 2})
			}
			join(router, "224.0.0.22")
			member := udp(a, sockeye.AF_INET, "", 0)
			join(member, "239.1.1.1")
			time.Sleep(2 * time.Second)
			member.Close()
			var got []wire.RecordType
			buf := make([]byte, 200)
			for {
				n, err := router.Recv(buf, sockeye.MSG_DONTWAIT)
				if err != nil {
					break
				}
				records, err := wire.ParseIGMPReport(buf[24:n]) // behind the header and its router alert
				if err != nil {
					t.Fatal(err)
				}
				r, _ := records.Next()
				if r.Group.Netip() != netip.MustParseAddr("239.1.1.1") {
					t.Errorf("a report of %v", r.Group)
				}
				got = append(got, r.Type)
			}
			if want := []wire.RecordType{4, 4, 3}; !slices.Equal(got, want) { // to exclude twice, to include
				t.Errorf("got %v, want %v", got, want)
			}
		})
	})
	t.Run("MLDv2", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := pair(t, link.CableOptions{Ethernet: true})
			router := must(b.Sockets().Socket(sockeye.AF_INET6, sockeye.SOCK_RAW, sockeye.IPPROTO_ICMPV6))
			join := func(s *sockeye.Socket, group string) {
				sockeye.IPV6_ADD_MEMBERSHIP.Set(s, sockeye.Membership{Group: netip.MustParseAddr(group), Ifindex: 2})
			}
			join(router, "ff02::16")
			join(udp(a, sockeye.AF_INET6, "", 0), "ff02::77")
			buf := make([]byte, 200)
			n, err := router.Recv(buf, sockeye.MSG_DONTWAIT)
			if err != nil {
				t.Fatal(err)
			}
			records, err := wire.ParseMLDReport(buf[:n])
			if err != nil {
				t.Fatal(err)
			}
			if r, _ := records.Next(); r.Group.Netip() != netip.MustParseAddr("ff02::77") || r.Type != 4 {
				t.Errorf("the report is %+v", r)
			}
		})
	})
}
