package datagram

import (
	"bytes"
	"sync"
	"syscall"
)

// maxWaiting is how many datagrams wait for one receiver.
const maxWaiting = 256

// A Backlog keeps datagrams for receivers that can't take them yet, so that
// nobody else has to wait for these. The zero Backlog is empty.
type Backlog[Receiver comparable] struct {
	mu      sync.Mutex
	waiting map[Receiver][][]byte
}

// Hold makes datagrams for the receiver wait from now on, until Drain has
// nothing more to send to it.
func (b *Backlog[Receiver]) Hold(to Receiver) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		b.waiting = make(map[Receiver][][]byte)
	}
	b.waiting[to] = nil
}

// Add puts a copy of a datagram behind those that wait. One whose receiver is
// not held is left to the caller: taken is false. With too many waiting it is
// lost, and the error ENOBUFS.
func (b *Backlog[Receiver]) Add(to Receiver, p []byte) (taken bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ps, held := b.waiting[to]
	switch {
	case !held:
		return false, nil
	case len(ps) == maxWaiting:
		return true, syscall.ENOBUFS
	}
	b.waiting[to] = append(ps, bytes.Clone(p))
	return true, nil
}

// Drain sends what waits for the receiver, in its order, until nothing does.
func (b *Backlog[Receiver]) Drain(to Receiver, send func(p []byte)) {
	for {
		b.mu.Lock()
		ps := b.waiting[to]
		if len(ps) == 0 {
			delete(b.waiting, to)
			b.mu.Unlock()
			return
		}
		b.waiting[to] = nil
		b.mu.Unlock()
		for _, p := range ps {
			send(p)
		}
	}
}
