package link_test

import (
	"bytes"
	"fmt"
	"time"

	"sockeye/event"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/wire"
)

// hello is a datagram.
func hello(text string) *packet.Packet {
	p := packet.NewPacket()
	h := make([]byte, wire.IPv4Len+wire.UDPLen)
	ip := wire.IPv4{
		Src: wire.AddrFrom4([4]byte{10, 0, 0, 1}), Dst: wire.AddrFrom4([4]byte{10, 0, 0, 2}),
		Protocol: wire.IPPROTO_UDP, TTL: 64,
	}
	ip.Put(h, wire.UDPLen+len(text))
	wire.UDP{SrcPort: 4000, DstPort: 7}.Put(h[wire.IPv4Len:], len(text))
	p.SetHeader(h)
	p.Append(packet.Of([]byte(text)))
	return p
}

// A cable carries packets both ways, without delay. Who sends runs the loop.
func ExampleCable() {
	loop := event.New()
	defer loop.Close()
	a, b := link.Cable(loop, link.CableOptions{MTU: 1500})
	a.Attach(receiver(func(p *packet.Packet) { fmt.Printf("a: %d bytes\n", p.Len()) }))
	b.Attach(receiver(func(p *packet.Packet) { fmt.Printf("b: %d bytes\n", p.Len()) }))
	a.Send(hello("hello"))
	b.Send(hello("good morning"))
	loop.Run()
	// Output:
	// b: 33 bytes
	// a: 40 bytes
}

// A receiver is a function that looks at packets.
type receiver func(*packet.Packet)

func (r receiver) Receive(_ event.Time, p *packet.Packet) {
	r(p)
	p.Release()
}

// Any port can be impaired, and the faults changed at any time. The same seed has
// the same losses.
func ExampleImpair() {
	loop := event.New()
	defer loop.Close()
	a, b := link.Cable(loop, link.CableOptions{})
	b.Attach(receiver(func(p *packet.Packet) {}))
	bad, err := link.Impair(loop, a, link.Impairment{Seed: 7, Out: link.Faults{Loss: 0.1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 1000 {
		bad.Send(hello("hello"))
	}
	if err := bad.Set(link.Out, link.Faults{Partition: true}); err != nil {
		fmt.Println(err)
	}
	bad.Send(hello("anybody there?"))
	loop.Run()
	for fate, n := range bad.Stats(link.Out).Packets {
		if n > 0 {
			fmt.Println(link.Fate(fate), n)
		}
	}
	fmt.Println(bad.Set(link.Out, link.Faults{Loss: 10}))
	// Output:
	// sent 1001
	// delivered 896
	// lost 104
	// partitioned 1
	// link: Loss is 10: a probability is from 0 to 1
}

// A capture shows what goes through a port, in a file that Wireshark reads.
func ExampleCapture() {
	loop := event.New()
	defer loop.Close()
	var file bytes.Buffer
	pcap := link.NewPcapng(&file, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	a, b := link.Cable(loop, link.CableOptions{})
	b.Attach(receiver(func(p *packet.Packet) { fmt.Printf("b: %d bytes\n", p.Len()) }))
	port := link.Capture(loop, a, pcap, link.CaptureOptions{
		Name:    "a",
		Comment: func(d link.Direction, p *packet.Packet) string { return "what goes " + d.String() },
	})
	port.Send(hello("hello"))
	loop.Run()
	fmt.Println("errors:", pcap.Err(), "comment:", bytes.Contains(file.Bytes(), []byte("what goes out")))
	// Output:
	// b: 33 bytes
	// errors: <nil> comment: true
}
