package sockeye_test

import (
	"fmt"
	"testing"

	"sockeye"
)

func TestConstantsPrintAsInC(t *testing.T) {
	for _, tt := range []struct {
		v    fmt.Stringer
		want string
	}{
		{sockeye.AF_INET6, "AF_INET6"},
		{sockeye.Family(99), "99"},
		{sockeye.SOCK_STREAM, "SOCK_STREAM"},
		{sockeye.SOCK_DGRAM | sockeye.SOCK_NONBLOCK | sockeye.SOCK_CLOEXEC, "SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC"},
		{sockeye.Type(9), "9"},
		{sockeye.SOCK_RAW | 0x100, "SOCK_RAW|0x100"},
		{sockeye.IPPROTO_ICMPV6, "IPPROTO_ICMPV6"},
		{sockeye.Protocol(0), "0"},
		{sockeye.SHUT_RDWR, "SHUT_RDWR"},
		{sockeye.How(7), "7"},
		{sockeye.MsgFlags(0), "0"},
		{sockeye.MSG_PEEK | sockeye.MSG_DONTWAIT, "MSG_PEEK|MSG_DONTWAIT"},
		{sockeye.MSG_OOB | 0x200, "MSG_OOB|0x200"},
		{sockeye.Events(0), "0"},
		{sockeye.POLLIN | sockeye.POLLRDHUP, "POLLIN|POLLRDHUP"},
		{sockeye.TCP_CLOSE_WAIT, "CLOSE-WAIT"},
		{sockeye.TCPState(99), "99"},
		{sockeye.TCP_CA_Recovery, "recovery"},
		{sockeye.SO_EE_ORIGIN_ICMP, "SO_EE_ORIGIN_ICMP"},
		{sockeye.Linger{}, "off"},
		{sockeye.Linger{On: true, Seconds: 2}, "on, 2 s"},
		{sockeye.Credentials{PID: 1, UID: 2, GID: 3}, "pid 1, uid 2, gid 3"},
		{sockeye.SO_REUSEADDR, "SO_REUSEADDR"},
	} {
		if got := tt.v.String(); got != tt.want {
			t.Errorf("%#v prints as %q, want %q", tt.v, got, tt.want)
		}
	}
	if typ := sockeye.SOCK_SEQPACKET | sockeye.SOCK_CLOEXEC; typ.Base() != sockeye.SOCK_SEQPACKET {
		t.Errorf("Base of %v is %v", typ, typ.Base())
	}
}
