package sock

import (
	"sync"

	"sockeye"
)

// A Host is what sockets share with the host that they are on. Its lock
// guards all of them.
type Host struct {
	sync.Mutex

	Sysctl Sysctl
	// Credentials are whom the host's programs run as.
	Credentials sockeye.Credentials
	// Privileged programs may do what Linux asks CAP_NET_ADMIN, CAP_NET_RAW or
	// CAP_NET_BIND_SERVICE for.
	Privileged bool

	fds  []bool // descriptors in use
	free int    // the lowest that may be free

	wakes   []chan struct{} // to park on, not in use
	message sockeye.Message // scratch for calls with one buffer
}

// A Sysctl holds the settings that an administrator can change, named as in
// /proc/sys (socket(7), unix(7), ip(7), tcp(7)).
type Sysctl struct {
	Somaxconn    int // net.core.somaxconn
	RmemDefault  int // net.core.rmem_default
	RmemMax      int // net.core.rmem_max
	WmemDefault  int // net.core.wmem_default
	WmemMax      int // net.core.wmem_max
	MaxDgramQlen int // net.unix.max_dgram_qlen
	FileMax      int // the limit of descriptors, RLIMIT_NOFILE
	OptmemMax    int // net.core.optmem_max
}

// DefaultSysctl is a fresh Linux 6 machine's.
func DefaultSysctl() Sysctl {
	return Sysctl{
		Somaxconn:    4096,
		RmemDefault:  212992,
		RmemMax:      212992,
		WmemDefault:  212992,
		WmemMax:      212992,
		MaxDgramQlen: 512,
		FileMax:      1 << 20,
		OptmemMax:    131072,
	}
}

// firstDescriptor is the number of the first socket: 0 to 2 are taken, as in
// any program.
const firstDescriptor = 3

// takeDescriptor gives the lowest free number, as open(2) does; false: there
// are too many.
func (h *Host) takeDescriptor() (int, bool) {
	for i := h.free; i < len(h.fds); i++ {
		if !h.fds[i] {
			h.fds[i], h.free = true, i+1
			return i + firstDescriptor, true
		}
	}
	if len(h.fds)+firstDescriptor >= h.Sysctl.FileMax {
		return 0, false
	}
	h.fds = append(h.fds, true)
	h.free = len(h.fds)
	return len(h.fds) - 1 + firstDescriptor, true
}

// hasDescriptor tells whether takeDescriptor would give one.
func (h *Host) hasDescriptor() bool {
	fd, ok := h.takeDescriptor()
	if ok {
		h.dropDescriptor(fd)
	}
	return ok
}

func (h *Host) dropDescriptor(fd int) {
	fd -= firstDescriptor
	h.fds[fd] = false
	h.free = min(h.free, fd)
}
