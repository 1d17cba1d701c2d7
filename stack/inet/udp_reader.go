package inet

import (
	"sync"

	"sockeye"
)

// A reader has the datagrams that are lent to those who receive: they take one after the other without
// the host's lock, which senders hold most of the time. It is locked after the host, or alone.
//
// Whatever is not a plain receive takes them back first, so that nothing else has to know: errors, which come before
// datagrams, options, peeking, ancillary data.
type reader struct {
	mu    sync.Mutex
	queue queue
	freed int // as mailbox.freed
	limit int // of freed
}

// RecvLent is recvfrom(2) without flags of a datagram that is lent; false: there is none. The host need not be locked.
func (u *UDP) RecvLent(p []byte) (n int, from sockeye.Sockaddr, ok bool) {
	r := &u.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	q := &r.queue
	if q.len() == 0 {
		return 0, from, false
	}
	d := q.at(0)
	if d.p == nil {
		n = copy(p, q.data[d.from:d.from+d.n])
	} else {
		n = q.scatter([][]byte{p}, d, 0)
	}
	from = u.name(d.h.src, d.port, d.h.iface.Index)
	r.freed += q.take()
	if q.len() == 0 || r.freed >= r.limit {
		u.memory.Add(-int64(r.freed))
		r.freed = 0
	}
	return n, from, true
}

// Lend lends what is queued to receivers, unless there is more to a receive than that. In lockstep the order of calls
// decides who gets what, and so nothing is lent.
func (u *UDP) Lend() {
	if n := u.queue.len(); u.lent || n == 0 || n != u.batch || u.Err != 0 || u.Opt.PeekOff >= 0 || u.Host.Order != nil {
		return
	}
	r := &u.reader
	r.mu.Lock()
	r.queue, u.queue = u.queue, r.queue
	r.freed, r.limit = u.freed, u.Opt.Rcvbuf/4
	r.mu.Unlock()
	u.lent, u.batch, u.freed = true, 0, 0
}

// recall takes back what is lent.
func (u *UDP) recall() {
	if !u.lent {
		return
	}
	u.lent = false
	r := &u.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	if u.batch = r.queue.len(); u.batch == 0 {
		return
	}
	u.freed, r.freed = r.freed, 0
	r.queue.join(&u.queue)
	r.queue, u.queue = u.queue, r.queue
}

// lends tells whether there is something that is lent.
func (u *UDP) lends() bool {
	if !u.lent {
		return false
	}
	r := &u.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queue.len() > 0
}
