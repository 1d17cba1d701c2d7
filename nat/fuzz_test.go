package nat_test

import (
	"testing"
	"time"

	"sockeye/nat"
	"sockeye/packet"
	"sockeye/wire"
)

// whole tells whether all checksums of a packet that a table may change are right.
func whole(b []byte) bool {
	d, err := read(b)
	return err == nil && (d.proto == wire.IPPROTO_TCP || d.proto == wire.IPPROTO_UDP || d.proto == wire.IPPROTO_ICMP)
}

// Whatever comes, a packet that was whole is whole afterwards, one that is dropped or the host's own was not touched,
// lengths stay, and what goes out comes back when it is answered.
func FuzzTable(f *testing.F) {
	for _, b := range [][]byte{
		udp(ann+":5000", eve+":7").bytes(), tcp(wire.SYN, ann+":5000", eve+":7").bytes(), echo(wire.ICMP_ECHO, ann+":5000", eve+":0").bytes(),
		udp(eve+":7", box+":5000").bytes(), errorAbout(eve, udp(box+":5000", eve+":7").bytes(), 60), errorAbout(ann, udp(eve+":7", ann+":5000").bytes(), 28),
	} {
		f.Add(uint8(0), uint16(0), b)
		f.Add(uint8(0xff), uint16(0xffff), b)
	}
	f.Fuzz(func(t *testing.T, behaviour uint8, later uint16, b []byte) {
		c := nat.Config{
			Mapping: nat.Dependence(behaviour&3) % 3, Filtering: nat.Dependence(behaviour>>2&3) % 3, Ports: nat.PortChoice(behaviour>>4&3) % 3,
			NoHairpin: behaviour&0x40 != 0, AdoptTCP: behaviour&0x80 != 0, Sessions: 4,
		}
		n := table(t, c)
		send(t, n, 0, udp(ann+":5000", eve+":7"))
		send(t, n, 0, tcp(wire.SYN, ann+":5000", eve+":7"))
		now := at(time.Duration(later) * 10 * time.Millisecond)
		for i, f := range []func(p *packet.Packet) nat.Verdict{
			func(p *packet.Packet) nat.Verdict { return n.Out(now, p) },
			func(p *packet.Packet) nat.Verdict { return n.In(now, p) },
			func(p *packet.Packet) nat.Verdict { return n.Hairpin(now, p) },
		} {
			p := packetOf(b)
			v := f(p)
			after := p.AppendTo(nil)
			p.Release()
			switch {
			case len(after) != len(b):
				t.Fatalf("%d bytes became %d", len(b), len(after))
			case v != nat.Translated && i < 2 && string(after) != string(b):
				t.Fatalf("%v, and it was changed:\n%x\n%x", v, b, after)
			case whole(b) && !whole(after):
				t.Fatalf("%v:\n%x was whole, and is\n%x", v, b, after)
			}
			if d, err := read(after); i == 0 && v == nat.Translated && err == nil && d.typ != wire.ICMP_DEST_UNREACH && d.proto != wire.IPPROTO_ICMP {
				before, _ := read(b)
				d.flags, d.body = wire.SYN, nil
				if got, v := through(t, n.In, time.Duration(now-1), d.answer()); v != nat.Translated || got.dst != before.src {
					t.Fatalf("the answer to %v -> %v: %v, to %v", before.src, before.dst, v, got.dst)
				}
			}
		}
	})
}
