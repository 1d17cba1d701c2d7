package packet

import "sync"

// A List is the payload of one packet: slices in their order, each with a reference. It is a
// value: a copy of it that is used must be the only one used. The zero List is empty.
type List struct {
	size int32 // bytes
	n    int32 // slices
	few  [2]Slice
	more *array // in place of few, when there are more
}

type array struct{ s []Slice }

var arrays = sync.Pool{New: func() any { return &array{make([]Slice, 0, 16)} }}

// Len is the number of bytes.
func (l *List) Len() int { return int(l.size) }

// Slices is the list as a slice, valid until the list changes.
func (l *List) Slices() []Slice {
	if l.more != nil {
		return l.more.s
	}
	return l.few[:l.n]
}

// Push appends s and takes over its reference.
func (l *List) Push(s Slice) {
	l.size += int32(s.Len())
	if l.more == nil && int(l.n) < len(l.few) {
		l.few[l.n] = s
		l.n++
		return
	}
	if l.more == nil {
		l.more = arrays.Get().(*array)
		l.more.s = append(l.more.s[:0], l.few[:]...)
	}
	l.more.s = append(l.more.s, s)
	l.n++
}

// Retain gives a second list of the same slices, with references of its own.
func (l *List) Retain() (t List) {
	for _, s := range l.Slices() {
		t.Push(s.Retain())
	}
	return t
}

// Forget empties the list without giving the references back: somebody took them over.
func (l *List) Forget() {
	if l.more != nil {
		clear(l.more.s)
		arrays.Put(l.more)
	}
	*l = List{}
}

// Release gives all references back and empties the list.
func (l *List) Release() {
	if l.n == 0 {
		return
	}
	for _, s := range l.Slices() {
		s.Release()
	}
	l.Forget()
}

// TrimFront drops the first n bytes.
func (l *List) TrimFront(n int) {
	if n >= l.Len() {
		l.Release()
		return
	}
	l.size -= int32(n)
	s := l.Slices()
	k := 0
	for ; n >= s[k].Len(); k++ {
		n -= s[k].Len()
		s[k].Release()
	}
	s[k] = s[k].Sub(n, s[k].Len())
	l.cut(s, copy(s, s[k:]))
}

// TrimBack keeps the first n bytes.
func (l *List) TrimBack(n int) {
	switch {
	case n <= 0:
		l.Release()
		return
	case n >= l.Len():
		return
	}
	l.size = int32(n)
	s := l.Slices()
	k := 0
	for ; n > s[k].Len(); k++ {
		n -= s[k].Len()
	}
	s[k] = s[k].Sub(0, n)
	for _, drop := range s[k+1:] {
		drop.Release()
	}
	l.cut(s, k+1)
}

// cut keeps the first n slices.
func (l *List) cut(s []Slice, n int) {
	clear(s[n:])
	l.n = int32(n)
	if l.more != nil {
		l.more.s = s[:n]
	}
}

// CopyTo copies the bytes from offset on into p and gives their number.
func (l *List) CopyTo(p []byte, offset int) (n int) {
	for _, s := range l.Slices() {
		if offset >= s.Len() {
			offset -= s.Len()
			continue
		}
		n += copy(p[n:], s.Bytes()[offset:])
		offset = 0
	}
	return n
}
