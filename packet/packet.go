// Package packet is the memory that payload travels in: pooled blocks, shared by
// reference count, and the slices of them that queues and segments hold.
//
// A [Block] is filled once and read from then on. Whoever holds a [Slice] holds one
// reference to its block, and gives it back with Release or passes it on. Bytes that
// follow the filled part of a block may still be written while others read what is
// before them, so that small writes share one block.
package packet

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Blocks come in these sizes; larger ones are made to measure and not pooled.
const (
	minShift = 8  // 256 B
	maxShift = 16 // 64 KiB

	// MaxPooled is the size of the largest block that is used again.
	MaxPooled = 1 << maxShift
)

// A Block is a piece of memory with a count of those who hold it. All of its
// methods may be called from several goroutines.
type Block struct {
	refs  atomic.Int32
	class int8 // of the pool; -1: none
	mem   []byte
}

var pools [maxShift - minShift + 1]sync.Pool

// New gives a block of at least n bytes, held once by the caller. What is in it is
// undefined.
func New(n int) *Block {
	if n > MaxPooled {
		b := &Block{class: -1, mem: make([]byte, n)}
		b.refs.Store(1)
		return b
	}
	class := 0
	if n > 1<<minShift {
		class = bits.Len(uint(n-1)) - minShift
	}
	b, _ := pools[class].Get().(*Block)
	if b == nil {
		b = &Block{class: int8(class), mem: make([]byte, 1<<(minShift+class))}
	}
	b.refs.Store(1)
	return b
}

// Of gives a slice of a new block that holds a copy of p.
func Of(p []byte) Slice {
	b := New(len(p))
	copy(b.mem, p)
	return Slice{b, 0, uint32(len(p))}
}

// Bytes is the whole memory of the block.
func (b *Block) Bytes() []byte { return b.mem }

// Slice is bytes i to j of the block. It takes no reference: the caller's goes into it,
// or the caller adds one with Retain.
func (b *Block) Slice(i, j int) Slice {
	_ = b.mem[i:j:len(b.mem)] // panics if the block is shorter
	return Slice{b, uint32(i), uint32(j)}
}

// A Slice is a range of bytes of a block. The zero Slice is empty and holds nothing.
type Slice struct {
	block    *Block
	from, to uint32
}

// Bytes is what the slice covers. It is valid as long as a reference is held.
func (s Slice) Bytes() []byte {
	if s.block == nil {
		return nil
	}
	return s.block.mem[s.from:s.to:s.to]
}

// Len is the number of bytes.
func (s Slice) Len() int { return int(s.to - s.from) }

// Footprint is the size of the block that the slice keeps in memory.
func (s Slice) Footprint() int {
	if s.block == nil {
		return 0
	}
	return len(s.block.mem)
}

// Sub is bytes i to j of the slice. It takes no reference.
func (s Slice) Sub(i, j int) Slice {
	_ = s.Bytes()[i:j] // panics if the slice is shorter
	return Slice{s.block, s.from + uint32(i), s.from + uint32(j)}
}

// Retain adds a reference and gives the slice that holds it.
func (s Slice) Retain() Slice {
	if s.block != nil {
		s.block.refs.Add(1)
	}
	return s
}

// Release gives the slice's reference back. With the last one the block goes to its
// pool. To release more often than retained is a fault of the program, and panics.
func (s Slice) Release() {
	b := s.block
	if b == nil {
		return
	}
	switch n := b.refs.Add(-1); {
	case n < 0:
		panic("packet: released more often than retained")
	case n == 0 && b.class >= 0:
		pools[b.class].Put(b)
	}
}

// Join gives s and t as one slice, where t continues s in the same block. The one
// slice holds one reference; the other is given back.
func Join(s, t Slice) (Slice, bool) {
	if s.block == nil || s.block != t.block || s.to != t.from {
		return s, false
	}
	t.Release()
	s.to = t.to
	return s, true
}

// Append copies as much of p as fits behind s into s's block, and gives s with it and the
// count. Only the one who filled the block may do so, and only on its last slice.
func (s Slice) Append(p []byte) (Slice, int) {
	if s.block == nil {
		return s, 0
	}
	n := copy(s.block.mem[s.to:], p)
	s.to += uint32(n)
	return s, n
}

// Release releases every slice of a list.
func Release(list []Slice) {
	for i := range list {
		list[i].Release()
		list[i] = Slice{}
	}
}

// Len is the number of bytes in a list of slices.
func Len(list []Slice) (n int) {
	for _, s := range list {
		n += s.Len()
	}
	return n
}
