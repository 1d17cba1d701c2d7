//go:build linux && !386 && !s390x

package kernel

import (
	"encoding/binary"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"sockeye"
)

// withRights is a message's ancillary data with its descriptors added. They are
// duplicates, so that no close can change what they are meanwhile; the caller
// closes them after sending.
func withRights(m *sockeye.Message) (control []byte, fds []int, err error) {
	if len(m.Rights) == 0 {
		return m.Control, nil, nil
	}
	var data []byte
	for _, d := range m.Rights {
		fd, err := dup(d)
		if err != nil {
			closeAll(fds)
			return nil, nil, err
		}
		fds = append(fds, fd)
		data = binary.NativeEndian.AppendUint32(data, uint32(fd))
	}
	control = append([]byte(nil), m.Control...)
	return sockeye.AppendControl(control, sockeye.SOL_SOCKET, sockeye.SCM_RIGHTS, data), fds, nil
}

func dup(d sockeye.Descriptor) (int, error) {
	if ep, ok := sockeye.EndpointOf(d); ok {
		ep, ok := ep.(*endpoint)
		if !ok {
			return -1, unix.EINVAL // a socket of another engine has no descriptor
		}
		if !ep.use() {
			return -1, net.ErrClosed
		}
		defer ep.release()
		ep.mayLinger.Store(true)
		return unix.FcntlInt(uintptr(ep.fd), unix.F_DUPFD_CLOEXEC, 0)
	}
	c, ok := d.(syscall.Conn)
	if !ok {
		return -1, unix.EINVAL
	}
	conn, err := c.SyscallConn()
	if err != nil {
		return -1, unix.EBADF
	}
	fd, err := -1, error(unix.EBADF)
	conn.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, err
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// takeRights moves the descriptors among the ancillary data received to
// m.Rights: a socket becomes an endpoint, anything else a file.
func takeRights(m *sockeye.Message) {
	var rest []byte
	found := false
	for c := range m.ControlMessages() {
		if c.Level != sockeye.SOL_SOCKET || c.Type != sockeye.SCM_RIGHTS {
			if found {
				rest = sockeye.AppendControl(rest, c.Level, c.Type, c.Data)
			}
			continue
		}
		if !found { // what came before stays where it is
			found = true
			for before := range m.ControlMessages() {
				if before.Level == sockeye.SOL_SOCKET && before.Type == sockeye.SCM_RIGHTS {
					break
				}
				rest = sockeye.AppendControl(rest, before.Level, before.Type, before.Data)
			}
		}
		for fds := c.Data; len(fds) >= 4; fds = fds[4:] {
			fd := int(int32(binary.NativeEndian.Uint32(fds)))
			if ep, err := fromFd(fd); err == nil {
				m.Rights = append(m.Rights, ep)
			} else {
				m.Rights = append(m.Rights, os.NewFile(uintptr(fd), "received"))
			}
		}
	}
	if found {
		m.ControlN = copy(m.Control, rest)
	}
}
