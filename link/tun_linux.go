package link

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"sockeye/event"
	"sockeye/packet"
	"sockeye/wire"
)

// TUNOptions are the properties of a TUN device.
type TUNOptions struct {
	Name     string  // of the device, made if there is none; %d in it is a free number; "": tun%d, or tap%d
	MTU      int     // set on the device; 0: as it is, 1500 if it is new
	Ethernet bool    // the device is of layer 2, a TAP device
	Hardware [6]byte // this end's address, if Ethernet; zero: 02:00:00:00:00:01
}

// A TUN is a link to the machine's own kernel, through a TUN or TAP device. Segments and
// checksums are left to the other side in both directions, as far as the kernel
// can. One goroutine reads from it.
type TUN struct {
	intake
	file    *os.File
	raw     syscall.RawConn
	name    string
	props   Properties
	uso     bool // the kernel takes and gives large UDP packets
	ended   chan struct{}
	dropped atomic.Uint64

	// Of the goroutine that reads.
	block *packet.Block
	err   error

	// Of the loop.
	hdr    [wire.VirtioNetLen]byte
	vec    [][]byte
	wrote  error
	writev func(fd uintptr) bool
}

// Offloads that the kernel can be asked for (linux/if_tun.h). Those of UDP are there
// since Linux 6.2.
const (
	tunOffload    = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
	tunOffloadUSO = unix.TUN_F_USO4 | unix.TUN_F_USO6
)

// OpenTUN opens a TUN device in the network namespace of the calling thread, and makes
// it if there is none of that name. It needs CAP_NET_ADMIN, unless the device is the
// caller's. Addresses, and whether the device is up, are the administrator's.
func OpenTUN(loop *event.Loop, o TUNOptions) (*TUN, error) {
	switch {
	case o.Name == "" && o.Ethernet:
		o.Name = "tap%d"
	case o.Name == "":
		o.Name = "tun%d"
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("link: open /dev/net/tun: %w", err)
	}
	t := &TUN{ended: make(chan struct{})}
	if err := t.configure(fd, o); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return t.start(loop, fd)
}

// AdoptTUN makes a link of a TUN or TAP device that somebody else has opened, perhaps in another network
// namespace: with IFF_NO_PI and IFF_VNET_HDR, and the MTU that is told. The descriptor is the link's
// from here on, also if there is an error, and made non-blocking.
func AdoptTUN(loop *event.Loop, fd, mtu int) (*TUN, error) {
	t := &TUN{ended: make(chan struct{})}
	if err := t.adopt(fd, mtu); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return t.start(loop, fd)
}

func (t *TUN) adopt(fd, mtu int) error {
	req, err := unix.NewIfreq("")
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.TUNGETIFF, req)
	}
	if err != nil {
		return fmt.Errorf("link: TUNGETIFF: descriptor %d is of no TUN device: %w", fd, err)
	}
	const want = unix.IFF_NO_PI | unix.IFF_VNET_HDR
	got := req.Uint16()
	if got&want != want {
		return fmt.Errorf("link: the device %s was opened with flags %#x: want IFF_NO_PI and IFF_VNET_HDR", req.Name(), got)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("link: TUN device %s: %w", req.Name(), err)
	}
	t.name = req.Name()
	t.layer(got&unix.IFF_TAP != 0, [6]byte{})
	return t.offloads(fd, mtu)
}

// layer notes of which layer the device is, and this end's address if it has one.
func (t *TUN) layer(ethernet bool, hardware [6]byte) {
	if !ethernet {
		return
	}
	if hardware == [6]byte{} {
		hardware = localAddress(1)
	}
	t.props.Ethernet, t.props.Hardware = true, hardware
}

// start begins to read from a device.
func (t *TUN) start(loop *event.Loop, fd int) (_ *TUN, err error) {
	// Go's poller takes the descriptor only now that a device is behind it.
	t.file = os.NewFile(uintptr(fd), "/dev/net/tun:"+t.name)
	if t.raw, err = t.file.SyscallConn(); err != nil {
		t.file.Close()
		return nil, fmt.Errorf("link: TUN device %s: %w", t.name, err)
	}
	t.writev = func(fd uintptr) bool {
		_, t.wrote = unix.Writev(int(fd), t.vec)
		return true // the loop does not wait
	}
	t.intake.init(loop)
	go t.read()
	return t, nil
}

// configure makes of a descriptor a device.
func (t *TUN) configure(fd int, o TUNOptions) error {
	req, err := unix.NewIfreq(o.Name)
	if err != nil {
		return fmt.Errorf("link: %q is no name for a TUN device: it has 1 to %d bytes", o.Name, unix.IFNAMSIZ-1)
	}
	kind := uint16(unix.IFF_TUN)
	if o.Ethernet {
		kind = unix.IFF_TAP
	}
	req.SetUint16(kind | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return fmt.Errorf("link: TUNSETIFF %s: %w", o.Name, err)
	}
	t.name = req.Name()
	t.layer(o.Ethernet, o.Hardware)
	mtu, err := deviceMTU(t.name, o.MTU)
	if err != nil {
		return err
	}
	return t.offloads(fd, mtu)
}

// offloads agrees with the kernel on what is left to the other side.
func (t *TUN) offloads(fd, mtu int) error {
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, wire.VirtioNetLen); err != nil {
		return fmt.Errorf("link: TUNSETVNETHDRSZ %s: %w", t.name, err)
	}
	t.uso = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tunOffload|tunOffloadUSO) == nil
	if !t.uso {
		if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tunOffload); err != nil {
			return fmt.Errorf("link: TUNSETOFFLOAD %s: %w", t.name, err)
		}
	}
	t.props.MTU, t.props.MaxGSO, t.props.Checksum = mtu, MaxGSO, ChecksumByLink
	return nil
}

// deviceMTU sets a device's MTU, unless it is 0, and gives what it is then.
func deviceMTU(name string, mtu int) (int, error) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("link: a socket to ask for the MTU of %s: %w", name, err)
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if mtu != 0 {
		req.SetUint32(uint32(mtu))
		if err := unix.IoctlIfreq(s, unix.SIOCSIFMTU, req); err != nil {
			return 0, fmt.Errorf("link: MTU %d for %s: %w", mtu, name, err)
		}
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFMTU, req); err != nil {
		return 0, fmt.Errorf("link: the MTU of %s: %w", name, err)
	}
	return int(req.Uint32()), nil
}

// Name is the device's name.
func (t *TUN) Name() string { return t.name }

// Properties implements Port.
func (t *TUN) Properties() Properties { return t.props }

// Dropped is how many packets were longer than the MTU, or not taken by the kernel, as
// when the device is down.
func (t *TUN) Dropped() uint64 { return t.dropped.Load() }

// Done is closed when the link has ended: by Close, or because the device was deleted.
func (t *TUN) Done() <-chan struct{} { return t.ended }

// Err says why a link has ended without Close. It is nil while the link lasts.
func (t *TUN) Err() error {
	select {
	case <-t.ended:
		if t.err != nil {
			return fmt.Errorf("link: reading from TUN device %s: %w", t.name, t.err)
		}
	default:
	}
	return nil
}

// Close gives the device back, which ends with it unless it is persistent, and waits
// for the goroutine that reads. A receiver must not call it.
func (t *TUN) Close() error {
	t.shut()
	err := t.file.Close()
	<-t.ended
	return err
}

// Send implements Port. The write is the loop's work, as the kernel does in it all that
// its side of the link does with a packet.
func (t *TUN) Send(p *packet.Packet) { t.loop.Do((*tunWriter)(t), p) }

// A tunWriter is a TUN in its part as the handler of what is sent.
type tunWriter TUN

// Handle implements event.Handler: a packet is written to the device.
func (w *tunWriter) Handle(_ event.Time, arg any) {
	t, p := (*TUN)(w), arg.(*packet.Packet)
	if t.props.carries(p) {
		t.write(p)
		return
	}
	var space [maxSegments]*packet.Packet
	n := segments(p)
	list := t.props.conform(space[:0], p)
	t.dropped.Add(n - uint64(len(list)))
	for _, p := range list {
		t.write(p)
	}
}

// write leaves to the kernel what it can do, and does the rest here.
func (t *TUN) write(p *packet.Packet) {
	if hdr, ok := t.offload(p); ok {
		t.writePacket(hdr, p)
		return
	}
	var space [maxSegments]*packet.Packet
	for _, p := range Segment(space[:0], p, t.props.Ethernet) {
		hdr, _ := t.offload(p)
		t.writePacket(hdr, p)
	}
}

// offload describes what is left to the kernel, and prepares the packet for it:
// the checksum's field holds the pseudo-header's sum. It gives false for a large
// packet that the kernel would not cut.
func (t *TUN) offload(p *packet.Packet) (hdr wire.VirtioNet, ok bool) {
	switch {
	case p.GSO.Size == 0 && p.Sum == packet.SumGood:
		return wire.VirtioNet{Flags: wire.VIRTIO_NET_HDR_F_DATA_VALID}, true
	case p.GSO.Size == 0 && p.Sum == packet.SumUnknown:
		return hdr, true
	}
	l := locate(p, t.props.Ethernet)
	h := p.Header()
	tcp, udp := l.sum != 0 && l.protocol == wire.IPPROTO_TCP, l.sum != 0 && l.protocol == wire.IPPROTO_UDP
	if !tcp && !udp {
		FillChecksum(p, t.props.Ethernet)
		return hdr, p.GSO.Size == 0
	}
	be.PutUint16(h[l.sum:], pseudoSum(h, l, p.Len()-l.transport).Fold())
	hdr = wire.VirtioNet{
		Flags:     wire.VIRTIO_NET_HDR_F_NEEDS_CSUM,
		HdrLen:    uint16(l.end),
		CsumStart: uint16(l.transport), CsumOffset: uint16(l.sum - l.transport),
	}
	if p.GSO.Size == 0 || packet.Len(p.Payload) <= p.GSO.Size {
		return hdr, true
	}
	hdr.GSOSize = uint16(p.GSO.Size)
	switch {
	case udp:
		hdr.GSOType = wire.VIRTIO_NET_HDR_GSO_UDP_L4
		return hdr, t.uso
	case l.version == 4:
		hdr.GSOType = wire.VIRTIO_NET_HDR_GSO_TCPV4
	default:
		hdr.GSOType = wire.VIRTIO_NET_HDR_GSO_TCPV6
	}
	if h[l.transport+13]&byte(wire.CWR) != 0 {
		hdr.GSOType |= wire.VIRTIO_NET_HDR_GSO_ECN
	}
	return hdr, true
}

// writePacket writes one packet and releases it.
func (t *TUN) writePacket(hdr wire.VirtioNet, p *packet.Packet) {
	hdr.Put(t.hdr[:])
	t.vec = append(t.vec[:0], t.hdr[:], p.Header())
	for _, s := range p.Payload {
		t.vec = append(t.vec, s.Bytes())
	}
	if err := t.raw.Write(t.writev); err != nil || t.wrote != nil {
		t.dropped.Add(segments(p))
	}
	clear(t.vec)
	p.Release()
}

// copyBreak is up to where a packet that was read is copied into a block of its size,
// rather than holding the large one that it was read into.
const copyBreak = packet.MaxPooled / 8

// read brings packets into the network until the device is closed.
func (t *TUN) read() {
	defer close(t.ended)
	t.block = packet.New(packet.MaxPooled)
	defer func() { t.block.Slice(0, 0).Release() }()
	var hdr [wire.VirtioNetLen]byte
	vec := make([][]byte, 2)
	ended := false
	readv := func(fd uintptr) bool {
		t.err = nil
		for len(t.batch) < maxBatch {
			vec[0], vec[1] = hdr[:], t.block.Bytes()
			n, err := unix.Readv(int(fd), vec)
			switch {
			case err == unix.EINTR:
			case err == unix.EAGAIN && len(t.batch) > 0:
				// A packet that has come since is one that the poller tells of: to ask again costs a
				// system call for each that came alone.
				ended = !t.flush()
				return ended
			case err == unix.EAGAIN:
				return false
			case err != nil:
				t.err = err
				return true
			case n > len(hdr):
				t.take(hdr[:], n-len(hdr))
			}
		}
		return true
	}
	for {
		if err := t.raw.Read(readv); err != nil || ended || !t.flush() {
			return // closed
		}
		if t.err != nil {
			return
		}
	}
}

// take adds a packet of n bytes, which are in the block, to the batch.
func (t *TUN) take(header []byte, n int) {
	hdr, _, err := wire.ParseVirtioNet(header)
	if err == wire.ErrVersion { // that the packet is not behind the header here is no error
		return
	}
	var s packet.Slice
	if n <= copyBreak {
		s = packet.Of(t.block.Bytes()[:n])
	} else {
		s = t.block.Slice(0, n)
		t.block = packet.New(packet.MaxPooled)
	}
	p := FromWire(s, t.props.Ethernet)
	switch {
	case hdr.NeedsChecksum():
		p.Sum = packet.SumPartial
	case hdr.Flags&wire.VIRTIO_NET_HDR_F_DATA_VALID != 0:
		p.Sum = packet.SumGood
	}
	if hdr.GSOType != wire.VIRTIO_NET_HDR_GSO_NONE {
		p.GSO.Size = int(hdr.GSOSize)
	}
	t.batch = append(t.batch, p)
}
