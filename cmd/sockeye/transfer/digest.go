package transfer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
	"lukechampine.com/blake3"
)

// A digest is the checksum of a file, or of its beginning. BLAKE3 goes over the whole blocks that are not all zeros,
// each after its number, so that a hole costs nothing; and then over that sum, the size, and what is left behind the
// last whole block.
type digest struct{ blocks *blake3.Hasher }

func newDigest() *digest { return &digest{blake3.New(32, nil)} }

var zeros [blockSize]byte

// block takes a whole block; the numbers rise.
func (d *digest) block(number int64, b []byte) {
	if bytes.Equal(b, zeros[:]) {
		return
	}
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(number))
	d.blocks.Write(n[:])
	d.blocks.Write(b)
}

// sum is the checksum of size bytes, of which the last, behind the whole blocks, are tail.
func (d *digest) sum(size int64, tail []byte) []byte {
	h := blake3.New(32, nil)
	h.Write(d.blocks.Sum(nil))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(size)))
	h.Write(tail)
	return h.Sum(nil)
}

// digestOf reads the first size bytes of a file, and gives their digest and tail. tick is called between blocks.
func digestOf(f *os.File, size int64, tick func() error) (*digest, []byte, error) {
	d := newDigest()
	b := make([]byte, blockSize)
	whole := size / blockSize
	for at := int64(0); at < whole*blockSize; {
		start, end, err := data(f, at, whole*blockSize)
		if err != nil {
			return nil, nil, err
		}
		for i := start / blockSize; i < (end+blockSize-1)/blockSize; i++ {
			if _, err := f.ReadAt(b, i*blockSize); err != nil {
				return nil, nil, shorter(err)
			}
			d.block(i, b)
			if err := tick(); err != nil {
				return nil, nil, err
			}
			end = max(end, (i+1)*blockSize)
		}
		at = end
	}
	tail := b[:size%blockSize]
	if _, err := f.ReadAt(tail, whole*blockSize); err != nil && len(tail) > 0 {
		return nil, nil, shorter(err)
	}
	return d, tail, nil
}

var errShorter = errors.New("it has become shorter meanwhile")

func shorter(err error) error {
	if err == io.EOF {
		return errShorter
	}
	return err
}

// data finds the first stretch at or behind offset, and before size, that is not a hole (lseek(2), SEEK_DATA). There
// is none if start is size.
func data(f *os.File, offset, size int64) (start, end int64, err error) {
	if offset >= size {
		return size, size, nil
	}
	start, err = f.Seek(offset, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) || err == nil && start >= size {
		return size, size, nil
	}
	if err != nil { // a file system that knows no holes
		return offset, size, nil
	}
	if end, err = f.Seek(start, unix.SEEK_HOLE); err != nil {
		return start, size, nil
	}
	return start, min(end, size), nil
}
