package link_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"sockeye/link"
	"sockeye/packet"
)

// Whatever a capture is given, it is whole blocks, each with its length at both ends.
func FuzzPcapng(f *testing.F) {
	f.Add([]byte("packet"), "eth0", "comment", true)
	f.Add([]byte{}, "", "", false)
	f.Add([]byte{0x45, 0, 0, 20}, "name\x00", "\xff\xfe", false)
	f.Fuzz(func(t *testing.T, b []byte, name, comment string, ethernet bool) {
		var out bytes.Buffer
		c := link.NewPcapng(&out, time.Unix(0, 0))
		n := c.Interface(name, ethernet)
		p := link.FromWire(packet.Of(b), ethernet)
		c.Packet(1, n, link.In, p, comment)
		want := p.AppendTo(nil)
		p.Release()
		if err := c.Err(); err != nil {
			t.Fatal(err)
		}
		var kinds []uint32
		rest := out.Bytes()
		for len(rest) > 0 {
			if len(rest) < 12 {
				t.Fatalf("%d bytes behind the last block", len(rest))
			}
			kind, size := binary.LittleEndian.Uint32(rest), int(binary.LittleEndian.Uint32(rest[4:]))
			if size%4 != 0 || size < 12 || size > len(rest) || binary.LittleEndian.Uint32(rest[size-4:]) != uint32(size) {
				t.Fatalf("block %d has a length of %d", len(kinds), size)
			}
			const packetAt = 28
			if kinds = append(kinds, kind); kind == 6 && !bytes.Equal(rest[packetAt:packetAt+len(want)], want) {
				t.Fatal("another packet was written")
			}
			rest = rest[size:]
		}
		if len(kinds) != 3 || kinds[1] != 1 || kinds[2] != 6 {
			t.Errorf("the blocks are of the types %v", kinds)
		}
	})
}
