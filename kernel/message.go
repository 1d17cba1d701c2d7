//go:build linux && !386 && !s390x

package kernel

import (
	"net"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"sockeye"
)

// noSignal keeps SIGPIPE away: its handler would cost a signal per EPIPE.
const noSignal = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// data is the address of p's first byte. Of an empty p it is that of some byte:
// to some calls a null pointer is another thing than no data.
func data(p []byte) unsafe.Pointer {
	if len(p) == 0 {
		return unsafe.Pointer(&nothing)
	}
	return unsafe.Pointer(unsafe.SliceData(p))
}

var nothing byte

func (ep *endpoint) Send(p []byte, flags sockeye.MsgFlags, to sockeye.Sockaddr) (int, error) {
	if !ep.use() {
		return 0, net.ErrClosed
	}
	defer ep.release()
	var r rawSockaddr
	var name unsafe.Pointer
	if !to.IsZero() {
		r.put(to)
		name = unsafe.Pointer(&r.buf)
	}
	for {
		n, errno := sendto(ep.fd, p, uintptr(flags)|noSignal, name, r.n)
		switch errno {
		case 0:
			return n, nil
		case unix.EINTR:
		default:
			return 0, errnoErr(errno)
		}
	}
}

func (ep *endpoint) Recv(p []byte, flags sockeye.MsgFlags) (int, error) {
	if !ep.use() {
		return 0, net.ErrClosed
	}
	defer ep.release()
	for {
		n, errno := recvfrom(ep.fd, p, uintptr(flags)|unix.MSG_DONTWAIT, nil, nil)
		switch errno {
		case 0:
			return n, nil
		case unix.EINTR:
		default:
			return 0, errnoErr(errno)
		}
	}
}

func (ep *endpoint) Recvfrom(p []byte, flags sockeye.MsgFlags) (int, sockeye.Sockaddr, error) {
	if !ep.use() {
		return 0, sockeye.Sockaddr{}, net.ErrClosed
	}
	defer ep.release()
	var r rawSockaddr
	for {
		r.n = uint32(len(r.buf))
		n, errno := recvfrom(ep.fd, p, uintptr(flags)|unix.MSG_DONTWAIT, unsafe.Pointer(&r.buf), unsafe.Pointer(&r.n))
		switch errno {
		case 0:
			return n, r.get(), nil
		case unix.EINTR:
		default:
			return 0, sockeye.Sockaddr{}, errnoErr(errno)
		}
	}
}

// A frame is what sendmsg(2) and recvmsg(2) take of one message.
type frame struct {
	hdr  unix.Msghdr
	name rawSockaddr
	iov  [4]unix.Iovec // for as many buffers; more are allocated
}

// frames are pooled: their addresses go to the kernel.
var frames = sync.Pool{New: func() any { return new(frame) }}

func (f *frame) free() {
	f.hdr, f.iov = unix.Msghdr{}, [4]unix.Iovec{}
	frames.Put(f)
}

// setBuffers points the header to the buffers. more is memory to take vectors
// from when there are many.
func setBuffers(hdr *unix.Msghdr, iov []unix.Iovec, buffers [][]byte) []unix.Iovec {
	if len(buffers) > cap(iov) {
		iov = make([]unix.Iovec, len(buffers))
	}
	iov = iov[:len(buffers)]
	for i, b := range buffers {
		iov[i].Base = (*byte)(data(b))
		iov[i].SetLen(len(b))
	}
	hdr.Iov = unsafe.SliceData(iov)
	hdr.SetIovlen(len(iov))
	return iov
}

func setControl(hdr *unix.Msghdr, b []byte) {
	hdr.Control = nil
	if len(b) > 0 {
		hdr.Control = unsafe.SliceData(b)
	}
	hdr.SetControllen(len(b))
}

func setName(hdr *unix.Msghdr, r *rawSockaddr) {
	hdr.Name, hdr.Namelen = nil, 0
	if r.n > 0 {
		hdr.Name, hdr.Namelen = &r.buf[0], r.n
	}
}

func (ep *endpoint) Sendmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if !ep.use() {
		return net.ErrClosed
	}
	defer ep.release()
	control, fds, err := withRights(m)
	if err != nil {
		return err
	}
	defer closeAll(fds)
	f := frames.Get().(*frame)
	defer f.free()
	f.name.put(m.Name)
	setName(&f.hdr, &f.name)
	setBuffers(&f.hdr, f.iov[:0], m.Buffers)
	setControl(&f.hdr, control)
	n, err := ep.msg(unix.SYS_SENDMSG, &f.hdr, uintptr(flags)|noSignal)
	m.N = n
	return err
}

func (ep *endpoint) Recvmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if !ep.use() {
		return net.ErrClosed
	}
	defer ep.release()
	f := frames.Get().(*frame)
	defer f.free()
	f.name.n = uint32(len(f.name.buf))
	setName(&f.hdr, &f.name)
	setBuffers(&f.hdr, f.iov[:0], m.Buffers)
	setControl(&f.hdr, m.Control)
	n, err := ep.msg(unix.SYS_RECVMSG, &f.hdr, uintptr(flags)|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		m.N = 0
		return err
	}
	f.name.n = f.hdr.Namelen
	received(m, n, &f.hdr, f.name.get())
	return nil
}

func (ep *endpoint) msg(trap uintptr, hdr *unix.Msghdr, flags uintptr) (int, error) {
	for {
		n, _, errno := syscall.Syscall(trap, uintptr(ep.fd), uintptr(unsafe.Pointer(hdr)), flags)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errnoErr(errno)
		}
	}
}

// received tells m what recvmsg(2) left in the header.
func received(m *sockeye.Message, n int, hdr *unix.Msghdr, name sockeye.Sockaddr) {
	m.N = n
	m.Name = name
	m.Flags = sockeye.MsgFlags(hdr.Flags) &^ sockeye.MSG_CMSG_CLOEXEC
	m.ControlN = int(hdr.Controllen)
	m.Rights = m.Rights[:0]
	if m.ControlN > 0 {
		takeRights(m)
	}
}

// A batch is what sendmmsg(2) and recvmmsg(2) take.
type batch struct {
	hdrs  []mmsghdr
	names []rawSockaddr
	iov   []unix.Iovec
}

type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// maxBatch is UIO_MAXIOV, what the kernel takes at once.
const maxBatch = 1024

var batches = sync.Pool{New: func() any { return new(batch) }}

func (b *batch) free() {
	clear(b.hdrs)
	clear(b.iov)
	batches.Put(b)
}

// set lays out room for n messages with this many buffers in all.
func (b *batch) set(n, buffers int) {
	if cap(b.hdrs) < n {
		b.hdrs, b.names = make([]mmsghdr, n), make([]rawSockaddr, n)
	}
	b.hdrs, b.names = b.hdrs[:n], b.names[:n]
	if cap(b.iov) < buffers {
		b.iov = make([]unix.Iovec, buffers)
	}
	b.iov = b.iov[:buffers]
}

// load points the batch to the messages' buffers, and tells how much these hold.
func (b *batch) load(ms []sockeye.Message) (size int) {
	buffers := 0
	for i := range ms {
		buffers += len(ms[i].Buffers)
		size += ms[i].Len()
	}
	b.set(len(ms), buffers)
	iov := b.iov
	for i := range ms {
		k := len(ms[i].Buffers)
		setBuffers(&b.hdrs[i].hdr, iov[:0:k], ms[i].Buffers)
		iov = iov[k:]
	}
	return size
}

func (ep *endpoint) Sendmmsg(ms []sockeye.Message, flags sockeye.MsgFlags) (int, error) {
	if !ep.use() {
		return 0, net.ErrClosed
	}
	defer ep.release()
	ms = ms[:min(len(ms), maxBatch)]
	b := batches.Get().(*batch)
	defer b.free()
	quick := b.load(ms) <= quickBytes
	var passed []int
	defer func() { closeAll(passed) }()
	for i := range ms {
		h := &b.hdrs[i].hdr
		control, fds, err := withRights(&ms[i])
		if err != nil {
			return 0, err
		}
		passed = append(passed, fds...)
		b.names[i].put(ms[i].Name)
		setName(h, &b.names[i])
		setControl(h, control)
	}
	n, err := ep.mmsg(unix.SYS_SENDMMSG, b.hdrs, uintptr(flags)|noSignal, quick)
	for i := range n {
		ms[i].N = int(b.hdrs[i].n)
	}
	return n, err
}

func (ep *endpoint) Recvmmsg(ms []sockeye.Message, flags sockeye.MsgFlags) (int, error) {
	if !ep.use() {
		return 0, net.ErrClosed
	}
	defer ep.release()
	ms = ms[:min(len(ms), maxBatch)]
	b := batches.Get().(*batch)
	defer b.free()
	b.load(ms)
	for i := range ms {
		h := &b.hdrs[i].hdr
		b.names[i].n = uint32(len(b.names[i].buf))
		setName(h, &b.names[i])
		setControl(h, ms[i].Control)
	}
	n, err := ep.mmsg(unix.SYS_RECVMMSG, b.hdrs, uintptr(flags)|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC, len(ms) <= quickBatch)
	for i := range n {
		h := &b.hdrs[i]
		b.names[i].n = h.hdr.Namelen
		received(&ms[i], int(h.n), &h.hdr, b.names[i].get())
	}
	return n, err
}

func (ep *endpoint) mmsg(trap uintptr, hdrs []mmsghdr, flags uintptr, quick bool) (int, error) {
	for {
		var n uintptr
		var errno syscall.Errno
		if p := unsafe.Pointer(unsafe.SliceData(hdrs)); quick {
			n, _, errno = syscall.RawSyscall6(trap, uintptr(ep.fd), uintptr(p), uintptr(len(hdrs)), flags, 0, 0)
		} else {
			n, _, errno = syscall.Syscall6(trap, uintptr(ep.fd), uintptr(p), uintptr(len(hdrs)), flags, 0, 0)
		}
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errnoErr(errno)
		}
	}
}
