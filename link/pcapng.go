package link

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"sockeye/event"
	"sockeye/packet"
)

// Blocks, options and link types of pcapng (draft-ietf-opsawg-pcapng) and its
// registry of link types.
const (
	pcapngSection   = 0x0a0d0d0a
	pcapngByteOrder = 0x1a2b3c4d
	pcapngInterface = 1
	pcapngPacket    = 6 // enhanced packet block

	optEnd        = 0
	optComment    = 1
	optUserAppl   = 4 // of a section
	optName       = 2 // of an interface
	optResolution = 9 // of an interface
	optFlags      = 2 // of a packet

	flagInbound  = 1
	flagOutbound = 2

	linkEthernet = 1
	linkRaw      = 101
)

// A Pcapng writes packets in the format that Wireshark and tcpdump read, with
// timestamps in nanoseconds. It may take packets of several ports, and then has an
// interface for each. Each block is one Write.
type Pcapng struct {
	mu         sync.Mutex
	w          io.Writer
	base       int64 // nanoseconds of Unix time at event.Time 0
	interfaces int
	buf        []byte
	err        error
}

// NewPcapng begins a file. Base is the time of day at event.Time 0; with a zero base
// the file's times begin in 1970, and a run that is repeated writes the same bytes.
func NewPcapng(w io.Writer, base time.Time) *Pcapng {
	c := &Pcapng{w: w}
	if !base.IsZero() {
		c.base = base.UnixNano()
	}
	c.begin(pcapngSection)
	c.put32(pcapngByteOrder)
	c.put16(1, 0)                            // version
	c.put32(math.MaxUint32, math.MaxUint32)  // length of the section: not known
	c.option(optUserAppl, []byte("sockeye")) // what wrote it
	c.end()
	return c
}

// Err is the first error of the writer. Nothing is written after it.
func (c *Pcapng) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Interface adds an interface and gives its number.
func (c *Pcapng) Interface(name string, ethernet bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	kind := uint16(linkRaw)
	if ethernet {
		kind = linkEthernet
	}
	c.begin(pcapngInterface)
	c.put16(kind, 0)
	c.put32(0) // packets are whole
	c.option(optName, []byte(name))
	c.option(optResolution, []byte{9})
	c.end()
	c.interfaces++
	return c.interfaces - 1
}

// Packet writes a packet that an interface sent or received, and a comment if that is
// not empty. The packet remains the caller's.
func (c *Pcapng) Packet(at event.Time, number int, d Direction, p *packet.Packet, comment string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ts, n := uint64(c.base+int64(at)), uint32(p.Len())
	c.begin(pcapngPacket)
	c.put32(uint32(number), uint32(ts>>32), uint32(ts), n, n)
	c.buf = p.AppendTo(c.buf)
	c.pad()
	if comment != "" {
		c.option(optComment, []byte(comment[:min(len(comment), math.MaxUint16)]))
	}
	flags := uint32(flagOutbound)
	if d == In {
		flags = flagInbound
	}
	c.put16(optFlags, 4)
	c.put32(flags)
	c.end()
}

// begin starts a block: its type, and its length to be.
func (c *Pcapng) begin(kind uint32) {
	c.buf = c.buf[:0]
	c.put32(kind, 0)
}

// end finishes the block, with its length at both ends, and writes it.
func (c *Pcapng) end() {
	c.put16(optEnd, 0)
	n := uint32(len(c.buf) + 4)
	c.put32(n)
	binary.LittleEndian.PutUint32(c.buf[4:], n)
	if c.err != nil {
		return
	}
	if _, err := c.w.Write(c.buf); err != nil {
		c.err = fmt.Errorf("link: capture: %w", err)
	}
}

func (c *Pcapng) option(code uint16, value []byte) {
	c.put16(code, uint16(len(value)))
	c.buf = append(c.buf, value...)
	c.pad()
}

func (c *Pcapng) put16(v ...uint16) {
	for _, v := range v {
		c.buf = binary.LittleEndian.AppendUint16(c.buf, v)
	}
}

func (c *Pcapng) put32(v ...uint32) {
	for _, v := range v {
		c.buf = binary.LittleEndian.AppendUint32(c.buf, v)
	}
}

// pad fills up to a multiple of four bytes.
func (c *Pcapng) pad() {
	for len(c.buf)%4 != 0 {
		c.buf = append(c.buf, 0)
	}
}
