package transfer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"lukechampine.com/blake3"
)

// A block is what came of one block of a file.
type block struct {
	number int64
	parts  [][2]int // what is to be written of it
	data   []byte   // up to the end of the file
}

// A part is a file that is on its way. It has a name of its own until it is whole, by which it is found when the
// transfer is taken up again.
type part struct {
	root *os.Root
	name string
	f    *os.File
	size int64 // that it has to have

	digest *digest
	tail   []byte // of what was there
	at     int64  // up to here is all there
	now    *block
	blocks chan *block
	free   chan *block
	worker sync.WaitGroup
	mu     sync.Mutex
	err    error // of the worker
}

// partName is the name of a file until it is whole: another one for each content that name may have.
func partName(f frame) string {
	dir, base := path.Split(string(f.Name))
	sum := blake3.Sum256(fmt.Appendf(nil, "%q %d %d", f.Name, f.Size, f.Time))
	return dir + "." + base[:min(len(base), 200)] + ".part-" + hex.EncodeToString(sum[:8])
}

// openPart opens what there is of a file, or begins it.
func openPart(root *os.Root, f frame) (*part, error) {
	p := &part{root: root, name: partName(f), size: f.Size}
	var err error
	if p.f, err = root.OpenFile(p.name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600); err != nil {
		return nil, err
	}
	info, err := p.f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New(p.name + " is in the way")
	}
	if err == nil {
		if err = unix.Flock(int(p.f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == unix.EWOULDBLOCK {
			err = errors.New("it is being received already")
		}
	}
	if err != nil {
		p.f.Close()
		return nil, err
	}
	p.at = min(info.Size(), p.size)
	return p, nil
}

// begin makes ready to write from offset, which is how much is there, or 0.
func (p *part) begin(offset int64) error {
	if offset != p.at {
		p.at, p.digest, p.tail = 0, newDigest(), nil
	}
	if err := p.f.Truncate(p.at); err != nil {
		return err
	}
	p.blocks, p.free = make(chan *block, 3), make(chan *block, 3)
	for range cap(p.free) - 1 {
		p.free <- nil // made when it is needed
	}
	p.now = p.newBlock(p.at / blockSize)
	copy(p.now.data, p.tail)
	p.worker.Go(func() {
		for b := range p.blocks {
			p.store(b)
			p.free <- b
		}
	})
	return nil
}

func (p *part) newBlock(number int64) *block {
	return &block{number: number, data: make([]byte, min(blockSize, p.size-number*blockSize))}
}

// store writes a block, and takes it into the digest if it is a whole one.
func (p *part) store(b *block) {
	if p.failed() != nil {
		return
	}
	var err error
	for _, w := range b.parts {
		if _, err = p.f.WriteAt(b.data[w[0]:w[1]], b.number*blockSize+int64(w[0])); err != nil {
			break
		}
	}
	if err != nil {
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		return
	}
	if (b.number+1)*blockSize <= p.size {
		p.digest.block(b.number, b.data)
	}
}

func (p *part) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// space is where n bytes at offset have to be put. They lie within one block, and behind what came before.
func (p *part) space(offset int64, n int) ([]byte, error) {
	number, from := offset/blockSize, int(offset%blockSize)
	if offset < p.at || n <= 0 || from+n > blockSize || offset+int64(n) > p.size {
		return nil, wrong("%d bytes at %d of a file of %d, after %d", n, offset, p.size, p.at)
	}
	if number != p.now.number {
		p.blocks <- p.now
		next := <-p.free
		if next == nil {
			p.now = p.newBlock(number)
		} else {
			clear(next.data)
			p.now = &block{number: number, parts: next.parts[:0], data: next.data}
		}
	}
	p.at = offset + int64(n)
	if last := len(p.now.parts) - 1; last >= 0 && p.now.parts[last][1] == from {
		p.now.parts[last][1] = from + n
	} else {
		p.now.parts = append(p.now.parts, [2]int{from, from + n})
	}
	return p.now.data[from : from+n], nil
}

// short takes back space at the end that was not used.
func (p *part) short(n int) {
	p.at -= int64(n)
	p.now.parts[len(p.now.parts)-1][1] -= n
}

// flush writes all that came.
func (p *part) flush() error {
	if p.now == nil {
		return nil
	}
	p.blocks <- p.now
	close(p.blocks)
	p.worker.Wait()
	p.tail = p.now.data[:p.size%blockSize]
	if p.now.number != p.size/blockSize {
		p.tail = zeros[:p.size%blockSize]
	}
	p.now = nil
	return p.failed()
}

// close leaves what is there for another time. What holds nothing goes.
func (p *part) close() {
	p.flush()
	if info, err := p.f.Stat(); err == nil && info.Size() == 0 {
		p.root.Remove(p.name)
	}
	p.f.Close()
}

// discard removes it.
func (p *part) discard() {
	p.flush()
	p.root.Remove(p.name)
	p.f.Close()
}

// place gives the file its size, permissions, time and name, and tells which name that is.
func (p *part) place(f frame, o OnClash) (string, error) {
	if err := p.f.Truncate(p.size); err != nil {
		return "", err
	}
	if err := p.f.Chmod(fs.FileMode(f.Mode) & fs.ModePerm); err != nil {
		return "", err
	}
	if err := p.root.Chtimes(p.name, time.Time{}, time.Unix(0, f.Time)); err != nil {
		return "", err
	}
	name := string(f.Name)
	if o == Replace {
		return name, p.root.Rename(p.name, name)
	}
	as := name
	for i := 1; ; i++ {
		err := p.root.Link(p.name, as) // which fails if there is something
		switch {
		case err == nil:
			return as, p.root.Remove(p.name)
		case !errors.Is(err, fs.ErrExist) || o == Leave:
			return "", err
		}
		as = numbered(name, i)
	}
}

// numbered puts a number before the ending of a name.
func numbered(name string, i int) string {
	dir, base := path.Split(name)
	ext := path.Ext(base)
	if ext == base { // .profile
		ext = ""
	}
	return dir + strings.TrimSuffix(base, ext) + " (" + strconv.Itoa(i) + ")" + ext
}

// named checks a name that a peer gave.
func named(f frame) error {
	name := string(f.Name)
	switch {
	case name == "" || len(name) > maxName || strings.ContainsRune(name, 0):
		return errors.New("that is no name for a file")
	case !filepath.IsLocal(name) || path.Clean(name) != name || name == ".":
		return errors.New("its name leads out of the folder")
	}
	return nil
}

// reason says why a file could not be stored.
func reason(err error) string {
	errno, _ := errors.AsType[syscall.Errno](err)
	switch {
	case errno == syscall.ENOSPC:
		return "the disk is full"
	case errno == syscall.EDQUOT:
		return "the quota is used up"
	case errno == syscall.ENAMETOOLONG:
		return "its name is too long"
	case errno == syscall.EFBIG:
		return "it is too large for the file system"
	case errno == syscall.EROFS:
		return "the file system may not be written to"
	case errno == syscall.ENOTDIR:
		return "a file has the name of its folder"
	case errno != 0:
		return errno.Error()
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
