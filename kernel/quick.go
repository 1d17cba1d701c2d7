//go:build linux && !386 && !s390x

package kernel

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls on sockets that never wait are made with syscall.RawSyscall. To
// Syscall, Go's scheduler takes a call for one that waits as soon as it lasts for
// 20 microseconds, as connect(2) and send(2) on loopback do, where the sender
// does the receiver's work: it gives the processor to another thread, and looks
// again all 20 microseconds. On short connections that is a tenth of all work.
//
// But nothing, the garbage collector included, can stop a goroutine in RawSyscall.
// What copies much, close(2) with SO_LINGER, and setsockopt(2), which may have to
// wait for locks and memory, is made with Syscall; but for TCP's ints, which are
// set with no more than the socket's own lock.

// quickBytes is how much a quick call may send or has room to receive, and
// quickBatch how many messages it has room for.
const (
	quickBytes = 64 << 10
	quickBatch = 32
)

func sendto(fd int, p []byte, flags uintptr, name unsafe.Pointer, namelen uint32) (int, syscall.Errno) {
	if len(p) > quickBytes {
		n, _, errno := syscall.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(data(p)), uintptr(len(p)),
			flags, uintptr(name), uintptr(namelen))
		return int(n), errno
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(data(p)), uintptr(len(p)),
		flags, uintptr(name), uintptr(namelen))
	return int(n), errno
}

func recvfrom(fd int, p []byte, flags uintptr, name, namelen unsafe.Pointer) (int, syscall.Errno) {
	if len(p) > quickBytes {
		n, _, errno := syscall.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(data(p)), uintptr(len(p)),
			flags, uintptr(name), uintptr(namelen))
		return int(n), errno
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(data(p)), uintptr(len(p)),
		flags, uintptr(name), uintptr(namelen))
	return int(n), errno
}

func setsockopt(fd, level, name int, val []byte) syscall.Errno {
	if level == unix.IPPROTO_TCP && name != unix.TCP_CONGESTION && len(val) == 4 {
		_, _, errno := syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
			uintptr(unsafe.Pointer(unsafe.SliceData(val))), uintptr(len(val)), 0)
		return errno
	}
	_, _, errno := syscall.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(unsafe.SliceData(val))), uintptr(len(val)), 0)
	return errno
}
