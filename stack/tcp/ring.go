package tcp

import (
	"math/bits"
	"sync"
)

// A ring is a queue with access by index. One element lives in the ring itself, so that an
// idle or a ping-pong connection holds no more memory; longer queues take a buffer from a pool
// and give it back when they are empty.
type ring[T any] struct {
	big   *ringBuf[T]
	head  uint32
	n     uint32
	small [1]T
}

type ringBuf[T any] struct{ a []T }

// ringPools has buffers of 8, 16, ... elements.
type ringPools[T any] [12]sync.Pool

const ringMin = 8

func (r *ring[T]) len() int { return int(r.n) }

func (r *ring[T]) buf() []T {
	if r.big != nil {
		return r.big.a
	}
	return r.small[:]
}

// at is element i, counted from the front.
func (r *ring[T]) at(i int) *T {
	b := r.buf()
	return &b[(int(r.head)+i)&(len(b)-1)]
}

func (r *ring[T]) last() *T { return r.at(int(r.n) - 1) }

func (r *ring[T]) push(v T, pools *ringPools[T]) {
	if int(r.n) == len(r.buf()) {
		r.grow(pools)
	}
	r.n++
	*r.last() = v
}

// insert puts v before element i.
func (r *ring[T]) insert(i int, v T, pools *ringPools[T]) {
	r.push(v, pools)
	for j := r.len() - 1; j > i; j-- {
		*r.at(j) = *r.at(j - 1)
	}
	*r.at(i) = v
}

// remove takes element i out; it is not the only one.
func (r *ring[T]) remove(i int) {
	for ; i < r.len()-1; i++ {
		*r.at(i) = *r.at(i + 1)
	}
	var zero T
	*r.last() = zero
	r.n--
}

func (r *ring[T]) pop(pools *ringPools[T]) {
	var zero T
	*r.at(0) = zero
	r.head = (r.head + 1) & uint32(len(r.buf())-1)
	if r.n--; r.n == 0 {
		r.head = 0
		r.shrink(pools)
	}
}

func (r *ring[T]) grow(pools *ringPools[T]) {
	size := max(ringMin, 2*len(r.buf()))
	var b *ringBuf[T]
	if class := ringClass(size); class < len(pools) {
		b, _ = pools[class].Get().(*ringBuf[T])
	}
	if b == nil {
		b = &ringBuf[T]{make([]T, size)}
	}
	for i := range int(r.n) {
		b.a[i] = *r.at(i)
	}
	n := r.n
	clear(r.buf())
	r.shrink(pools)
	r.big, r.head, r.n = b, 0, n
}

// shrink gives the buffer back; its elements are zero.
func (r *ring[T]) shrink(pools *ringPools[T]) {
	if r.big == nil {
		return
	}
	if class := ringClass(len(r.big.a)); class < len(pools) {
		pools[class].Put(r.big)
	}
	r.big = nil
}

func ringClass(size int) int { return bits.Len(uint(size/ringMin)) - 1 }
