package link_test

import (
	"net"
	"testing"

	"sockeye/event"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/wire"
)

// An acker takes a connection of the kernel's and acknowledges what comes, without a
// look at it: what it takes is the way through the device.
type acker struct {
	dev     *link.TUN
	packets int
}

func (k *acker) Receive(_ event.Time, p *packet.Packet) {
	b := p.Header()
	n := packet.Len(p.Payload)
	if wire.Version(b) == 4 && wire.Protocol(b[9]) == wire.IPPROTO_TCP {
		h, _, err := wire.ParseTCP(b[wire.IPv4Len:])
		if err != nil {
			panic(err)
		}
		if h.Flags&wire.SYN != 0 {
			n = 1
			h.Options = wire.TCPOptions{Set: wire.OptMSS | wire.OptWindowScale, MSS: 1460, WindowScale: 10}
		} else {
			h.Options = wire.TCPOptions{}
		}
		if n > 0 {
			k.packets++
			k.answer(h, n)
		}
	}
	p.Release()
}

func (k *acker) answer(h wire.TCP, n int) {
	a := wire.TCP{
		SrcPort: h.DstPort, DstPort: h.SrcPort, Seq: isn + 1, Ack: h.Seq.Add(n),
		Flags: wire.ACK, Window: 65535, Options: h.Options,
	}
	if h.Flags&wire.SYN != 0 {
		a.Seq, a.Flags = isn, wire.SYN|wire.ACK
	}
	q := packet.NewPacket()
	var b [wire.IPv4Len + wire.TCPLen + wire.MaxTCPOptions]byte
	ip := wire.IPv4{
		Src: wire.AddrFromNetip(pairs[0].ours), Dst: wire.AddrFromNetip(pairs[0].kernel),
		Protocol: wire.IPPROTO_TCP, TTL: 64,
	}
	end := ip.Put(b[:], a.Len())
	end += a.Put(b[end:])
	q.SetHeader(b[:end])
	k.dev.Send(q)
}

func BenchmarkTUNReceive(b *testing.B) {
	p := connect(b)
	k := &acker{dev: p.dev}
	p.dev.Attach(k)
	c, err := net.Dial("tcp", pairs[0].ours.String()+":80")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	data := make([]byte, 256<<10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, err := c.Write(data); err != nil {
			b.Fatal(err)
		}
		n += len(data)
	}
	b.ReportMetric(float64(n)/float64(k.packets), "B/packet")
}
