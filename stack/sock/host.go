package sock

import (
	"runtime"
	"sync"

	"sockeye"
	"sockeye/event"
)

// A Host is what sockets share with the host that they are on. Its lock
// guards all of them.
type Host struct {
	mu sync.Mutex

	Sysctl Sysctl
	// Order is the loop if that is in lockstep, else nil, and Number the host's in it. They are here, among
	// what does not change, because calls look at them that do not lock the host.
	Order  *event.Loop
	Number uint32
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

	turn bool // a call goes on that has waited for its turn

	// IfaceIndex and IfaceName tell an interface's index by its name, and the other
	// way round: SO_BINDTODEVICE. 0 and "" are none.
	IfaceIndex func(name string) int
	IfaceName  func(index int) string

	fds     []*Descriptor // by number; nil: free
	free    int           // the lowest that may be free
	sockets uint32        // how many there have been
	options DefaultOptions
	closed  bool

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

// freeDescriptor is the lowest free number, which open(2) takes; false: there are too
// many.
func (h *Host) freeDescriptor() (int, bool) {
	for h.free < len(h.fds) && h.fds[h.free] != nil {
		h.free++
	}
	fd := h.free + firstDescriptor
	return fd, fd < h.Sysctl.FileMax
}

// Room tells whether n more descriptors can be had. The host is locked.
func (h *Host) Room(n int) bool {
	n -= h.Sysctl.FileMax - firstDescriptor - len(h.fds)
	for i := h.free; i < len(h.fds) && n > 0; i++ {
		if h.fds[i] == nil {
			n--
		}
	}
	return n <= 0
}

// setDescriptor says whom a number names from now on; nil: nobody.
func (h *Host) setDescriptor(fd int, d *Descriptor) {
	i := fd - firstDescriptor
	if i == len(h.fds) {
		h.fds = append(h.fds, nil)
	}
	if h.fds[i] = d; d == nil {
		h.free = min(h.free, i)
	}
}

// Close closes all descriptors, as the end of a machine does: calls that wait give
// net.ErrClosed, and so does whatever is called from now on. The host is locked.
func (h *Host) Close() {
	h.closed = true
	h.turn = true // nothing is left for later
	for _, d := range h.fds {
		if d != nil {
			d.close()
		}
	}
	h.turn = false
}
