package link

import (
	"sockeye/event"
	"sockeye/packet"
)

// CaptureOptions say how a port is captured.
type CaptureOptions struct {
	Name string // of the interface in the file
	// Comment, if not nil, gives a comment to a packet; "" is none. The packet is
	// valid during the call, and not to be changed.
	Comment func(d Direction, p *packet.Packet) string
}

// Capture gives a port in place of another, and writes each packet that goes
// through it to a file, with the loop's time. A large packet is one packet in
// the file. A checksum that nobody has computed is filled in in the file, unless
// the packet is large, as the one packet would not be what anyone checks.
func Capture(loop *event.Loop, port Port, file *Pcapng, o CaptureOptions) Port {
	ethernet := port.Properties().Ethernet
	c := &captured{port: port, loop: loop, file: file, options: o, ethernet: ethernet}
	c.number = file.Interface(o.Name, ethernet)
	port.Attach((*capturedIn)(c))
	return c
}

type captured struct {
	outlet
	port     Port
	loop     *event.Loop
	file     *Pcapng
	number   int
	options  CaptureOptions
	ethernet bool
}

// capturedIn is a captured port's other side.
type capturedIn captured

// Send implements Port.
func (c *captured) Send(p *packet.Packet) {
	c.write(c.loop.Now(), Out, p)
	c.port.Send(p)
}

// Receive implements Receiver.
func (c *capturedIn) Receive(now event.Time, p *packet.Packet) {
	(*captured)(c).write(now, In, p)
	c.outlet.Receive(now, p)
}

func (c *captured) write(now event.Time, d Direction, p *packet.Packet) {
	if p.Sum == packet.SumPartial && p.GSO.Size == 0 {
		fill(p, locate(p, c.ethernet)) // it stays SumPartial: nothing can have damaged it
	}
	var comment string
	if c.options.Comment != nil {
		comment = c.options.Comment(d, p)
	}
	c.file.Packet(now, c.number, d, p, comment)
}

func (c *captured) Properties() Properties { return c.port.Properties() }

func (c *captured) Close() error { return c.port.Close() }
