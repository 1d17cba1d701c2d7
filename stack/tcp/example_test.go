package tcp_test

import (
	"fmt"
	"net/netip"

	"sockeye/stack/tcp"
)

// Two hosts, one connection: what one has to send is what the other takes.
func Example() {
	const now = 1 * tcp.Second
	var cfg tcp.Config
	client, server := tcp.NewHost(tcp.Key{1}), tcp.NewHost(tcp.Key{2})
	flow := tcp.Flow{Local: netip.MustParseAddrPort("192.0.2.1:40000"), Remote: netip.MustParseAddrPort("192.0.2.2:80")}
	back := tcp.Flow{Local: flow.Remote, Remote: flow.Local}

	take := func(h *tcp.Host) tcp.Segment {
		s := h.Out[0]
		h.Out = h.Out[:0]
		fmt.Println(s.Flags, s.Len())
		return s
	}

	a := client.Connect(now, &cfg, &tcp.ConnectOptions{ISN: client.ISN(now, flow), TSOffset: client.TSOffset(flow)})
	syn := take(client)
	r := server.NewRequest(now, &cfg, &syn, server.ISN(now, back), server.TSOffset(back))
	r.SYNACK(server, now, &cfg)
	synack := take(server)
	a.Input(now, &synack)
	ack := take(client)
	var b *tcp.Conn
	if r.Input(server, now, &cfg, &ack) == tcp.Complete {
		b = r.Accept(server, now, &cfg, &ack)
	}

	a.Write(now, []byte("hello"), 0)
	data := take(client)
	b.Input(now, &data)
	buf := make([]byte, 100)
	n, _ := b.Read(now, buf)
	fmt.Printf("%v %v %q\n", a.State(), b.State(), buf[:n])
	// Output:
	// [S] 0
	// [S.] 0
	// [.] 0
	// [P.] 5
	// ESTABLISHED ESTABLISHED "hello"
}
