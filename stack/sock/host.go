package sock

import (
	"runtime"
	"sync"

	"sockeye"
)

// A Host is what sockets share with the host that they are on. Its lock
// guards all of them.
type Host struct {
	mu sync.Mutex

	Sysctl Sysctl
	// Credentials are whom the host's programs run as.
	Credentials sockeye.Credentials
	// Privileged programs may do what Linux asks CAP_NET_ADMIN, CAP_NET_RAW or
	// CAP_NET_BIND_SERVICE for.
	Privileged bool

	// Pending says that a call has left packets at a link. Carry, which needs no
	// lock, takes them where they go.
	Pending bool
	Carry   func()
	// Looped says that packets wait that the host sent to itself. Deliver takes them where they
	// go, with the host locked, before it is unlocked.
	Looped  bool
	Deliver func()
	// Crowded says that a queue fills faster than it is emptied. The sender makes way for the
	// receiver then: both run on one processor as a rule, and datagrams for which there is no
	// room are lost.
	Crowded bool
	// Clock is the time since which the host is locked, 0 until somebody asks for it, and Latest
	// what it was before.
	Clock, Latest int64

	// IfaceIndex and IfaceName tell an interface's index by its name, and the other
	// way round: SO_BINDTODEVICE. 0 and "" are none.
	IfaceIndex func(name string) int
	IfaceName  func(index int) string

	fds  []bool // descriptors in use
	free int    // the lowest that may be free

	wakes    sync.Pool       // channels to park on
	woken    []chan struct{} // of calls to be woken at Unlock
	messages []*sockeye.Message
}

// Lock locks the host.
func (h *Host) Lock() { h.mu.Lock() }

// Leave unlocks the host, and the caller carries what was sent.
func (h *Host) Leave() {
	if h.Looped {
		h.Deliver()
	}
	pending := h.Pending
	crowded := h.Crowded
	h.Pending, h.Crowded = false, false
	h.Unlock()
	if pending {
		h.Carry()
	}
	if crowded {
		runtime.Gosched()
	}
}

// takeMessage gives a message for a call with one buffer, and giveMessage takes it back. The
// host is locked.
func (h *Host) takeMessage(p []byte) *sockeye.Message {
	var m *sockeye.Message
	if n := len(h.messages); n > 0 {
		m, h.messages = h.messages[n-1], h.messages[:n-1]
	} else {
		m = new(sockeye.Message)
	}
	m.Buffers = append(m.Buffers[:0], p)
	return m
}

func (h *Host) giveMessage(m *sockeye.Message) {
	m.Buffers[0] = nil
	h.messages = append(h.messages, m)
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
