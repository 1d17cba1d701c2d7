package link

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"

	"sockeye/event"
	"sockeye/packet"
	"sockeye/wire"
)

// StreamOptions are the properties of a link over a stream. The zero value is what
// QEMU's -netdev stream and passt speak.
type StreamOptions struct {
	MTU      int     // bytes of an IP packet; 0: EthernetMTU
	IP       bool    // frames are IP packets, without an Ethernet header
	Hardware [6]byte // this end's address, if Ethernet; zero: 02:00:00:00:00:01

	// The queue of what waits while the peer does not read, on top of what is being
	// written. A packet that finds it full is dropped.
	QueuePackets int // 0: 1000
	QueueBytes   int // 0: 4 MiB
}

// A Stream is a link whose frames go through a stream, such as a unix stream
// socket, each after its length in four bytes, big endian. Two goroutines serve it
// until it ends.
type Stream struct {
	intake
	stream io.ReadWriteCloser
	props  Properties // what the host sees
	frames Properties // what the stream carries
	limits StreamOptions
	ended  chan struct{}

	mu      sync.Mutex
	filled  *sync.Cond
	queue   []*packet.Packet
	bytes   int
	dropped uint64
	err     error // why it ended
}

// errUnplugged is why a link has ended that its own side closed.
var errUnplugged = errors.New("link: closed")

// NewStream makes a link of a stream, which is the link's from here on. Closing the
// stream must end a Read and a Write that wait, as it does with a net.Conn.
func NewStream(loop *event.Loop, stream io.ReadWriteCloser, o StreamOptions) *Stream {
	if o.MTU == 0 {
		o.MTU = EthernetMTU
	}
	if o.Hardware == [6]byte{} {
		o.Hardware = localAddress(1)
	}
	if o.QueuePackets == 0 {
		o.QueuePackets = 1000
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 4 << 20
	}
	s := &Stream{stream: stream, limits: o, ended: make(chan struct{})}
	s.intake.init(loop)
	s.filled = sync.NewCond(&s.mu)
	s.frames = Properties{MTU: o.MTU, Ethernet: !o.IP, Checksum: ChecksumByHost}
	if s.frames.Ethernet {
		s.frames.Hardware = o.Hardware
	}
	s.props = s.frames
	s.props.MaxGSO, s.props.Checksum = MaxGSO, ChecksumByLink
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.write()
	}()
	go func() {
		defer close(s.ended)
		s.read()
		<-written
	}()
	return s
}

// Send implements Port.
func (s *Stream) Send(p *packet.Packet) {
	n := p.Len()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || len(s.queue) >= s.limits.QueuePackets || s.bytes+n > s.limits.QueueBytes {
		s.dropped += segments(p)
		p.Release()
		return
	}
	s.queue = append(s.queue, p)
	s.bytes += n
	s.filled.Signal()
}

// Properties implements Port: large packets and missing checksums are the link's
// work.
func (s *Stream) Properties() Properties { return s.props }

// Dropped is how many packets found the queue full or the link ended.
func (s *Stream) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// Done is closed when the link has ended and its goroutines with it.
func (s *Stream) Done() <-chan struct{} { return s.ended }

// Err says why the link has ended: io.EOF within, if the peer closed the stream
// between two frames. It is nil while the link lasts, and when Close ended it.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == errUnplugged {
		return nil
	}
	return s.err
}

// Close closes the stream, drops what is in the queue and waits for the goroutines.
// A receiver must not call it.
func (s *Stream) Close() error {
	err := s.fail(errUnplugged)
	<-s.ended
	return err
}

// fail ends the link, for the first reason that is given.
func (s *Stream) fail(reason error) error {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return nil
	}
	s.err = reason
	for _, p := range s.queue {
		p.Release()
	}
	s.queue, s.bytes = nil, 0
	s.filled.Broadcast()
	s.mu.Unlock()
	s.shut()
	return s.stream.Close()
}

// Frames of a stream.
const (
	frameLen  = 4          // of the length
	maxFrame  = 65535 + 18 // the largest IP packet, in a tagged Ethernet frame
	writeSize = 64 << 10   // bytes that are gathered for one write
)

func (s *Stream) read() {
	r := bufio.NewReaderSize(s.stream, 64<<10)
	for {
		p, err := s.readFrame(r)
		if err != nil {
			s.flush()
			s.fail(err)
			return
		}
		s.batch = append(s.batch, p)
		if next, _ := r.Peek(min(frameLen, r.Buffered())); len(s.batch) < maxBatch &&
			len(next) == frameLen && r.Buffered()-frameLen >= int(be.Uint32(next)) {
			continue // the next one has come already
		}
		if !s.flush() {
			return
		}
	}
}

// readFrame reads one frame. Its errors name what was wrong.
func (s *Stream) readFrame(r *bufio.Reader) (*packet.Packet, error) {
	least, what := wire.EthernetLen, "Ethernet frames"
	if !s.frames.Ethernet {
		least, what = wire.IPv4Len, "IP packets"
	}
	head, err := r.Peek(frameLen)
	switch {
	case err == io.EOF && len(head) == 0:
		return nil, fmt.Errorf("link: the peer closed the stream: %w", io.EOF)
	case err == io.EOF:
		return nil, fmt.Errorf("link: the stream ended within the length of a frame: %w", io.ErrUnexpectedEOF)
	case err != nil:
		return nil, fmt.Errorf("link: reading a frame: %w", err)
	}
	length := be.Uint32(head)
	if length < uint32(least) || length > maxFrame {
		return nil, fmt.Errorf("link: the peer announced a frame of %d bytes: "+
			"%s have %d to %d, after their length in 4 bytes, big endian", length, what, least, maxFrame)
	}
	r.Discard(frameLen)
	n := int(length)
	block := packet.New(n)
	slice := block.Slice(0, n)
	if got, err := io.ReadFull(r, block.Bytes()[:n]); err != nil {
		slice.Release()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("link: reading a frame, %d of %d bytes: %w", got, n, err)
	}
	return FromWire(slice, s.frames.Ethernet), nil
}

func (s *Stream) write() {
	var batch []*packet.Packet
	buf := make([]byte, 0, writeSize+frameLen+maxFrame)
	for {
		if batch = s.next(batch[:0]); len(batch) == 0 {
			return
		}
		var err error
		for i, p := range batch {
			var space [maxSegments]*packet.Packet
			for _, p := range s.frames.conform(space[:0], p) {
				buf = be.AppendUint32(buf, uint32(p.Len()))
				buf = p.AppendTo(buf)
				p.Release()
				if len(buf) >= writeSize && err == nil {
					_, err = s.stream.Write(buf)
					buf = buf[:0]
				}
			}
			batch[i] = nil
		}
		if len(buf) > 0 && err == nil {
			_, err = s.stream.Write(buf)
			buf = buf[:0]
		}
		if err != nil {
			s.fail(fmt.Errorf("link: writing a frame: %w", err))
			return
		}
	}
}

// next waits for packets and takes them all; none when the link has ended.
func (s *Stream) next(batch []*packet.Packet) []*packet.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && s.err == nil {
		s.filled.Wait()
	}
	batch = append(batch, s.queue...)
	clear(s.queue)
	s.queue, s.bytes = s.queue[:0], 0
	return batch
}
