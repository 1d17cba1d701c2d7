package transfer

import (
	"bytes"
	"context"
	"errors"

	"io/fs"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Sender says what is told of a transfer. The functions may be nil.
type Sender struct {
	Progress func(bytes int64) // that were sent, or are there already. It is called by one goroutine
	Result   func(Result)      // how it went with each thing. It is called by one goroutine at a time
}

// An outgoing is a source that was offered.
type outgoing struct {
	*Source
	id      uint64
	file    *os.File
	answers chan frame // answer, and result
	failing atomic.Bool
	from    int64
}

type dispatch struct {
	Sender
	*stream
	mu      sync.Mutex
	offered map[uint64]*outgoing
	last    uint64 // ID
	telling sync.Mutex
	gone    chan struct{} // when nothing more is read
	err     error         // why
}

// Total gives how much the sources are.
func Total(sources []Source) (files int, size int64) {
	for i := range sources {
		size += sources[i].size()
	}
	return len(sources), size
}

// Send makes one transfer. An error is one of the transfer; what became of each source is told to Result.
func (s Sender) Send(ctx context.Context, c net.Conn, sources []Source) error {
	defer c.Close()
	defer until(ctx, c)()
	t := &dispatch{Sender: s, stream: newStream(c), offered: map[uint64]*outgoing{}, gone: make(chan struct{})}
	if t.Progress == nil {
		t.Progress = func(int64) {}
	}
	if t.Result == nil {
		t.Result = func(Result) {}
	}
	return ended(ctx, t.run(sources))
}

func (t *dispatch) run(sources []Source) error {
	files, size := Total(sources)
	if err := t.now(frame{Kind: "hello", Version: Version, Files: files, Bytes: size}); err != nil {
		return err
	}
	hello, err := t.receive()
	if err != nil {
		return err
	}
	if hello.Kind != "hello" || hello.Version != Version {
		return wrong("it answers with %q of version %d, and not with hello of version %d", hello.Kind, hello.Version, Version)
	}
	go func() {
		defer close(t.gone)
		if t.err = t.listen(); t.err != nil {
			t.conn.Close()
		}
	}()
	err = t.all(sources)
	if err == nil {
		err = t.now(frame{Kind: "end"})
	}
	if err != nil {
		t.conn.Close()
	}
	<-t.gone
	if t.err != nil && (err == nil || !errors.Is(t.err, net.ErrClosed)) {
		return t.err
	}
	return err
}

// listen hears the receiver, until its end.
func (t *dispatch) listen() error {
	for {
		f, err := t.receive()
		if err != nil {
			return err
		}
		t.mu.Lock()
		o := t.offered[f.ID]
		if f.Kind == "result" {
			delete(t.offered, f.ID)
		}
		left := len(t.offered)
		t.mu.Unlock()
		switch {
		case f.Kind == "end" && left == 0:
			return nil
		case f.Kind == "end":
			return wrong("it ends without a word of %d files", left)
		case o == nil:
			return wrong("%q is of the file %d, which is not on its way", f.Kind, f.ID)
		case f.Kind == "failing":
			o.failing.Store(true)
			continue
		case f.Kind == "result":
			switch f.State {
			case Stored, Same, Clash, Failed:
			default:
				return wrong("%q is no result", f.State)
			}
			t.tell(Result{Name: o.name, State: f.State, As: string(f.Name), Why: clip(f.Why), Bytes: o.size(), From: o.from})
		case f.Kind != "answer":
			return wrong("%q is not for the sender", f.Kind)
		}
		select {
		case o.answers <- f:
		default:
			return wrong("there are too many answers for the file %d", f.ID)
		}
	}
}

func (t *dispatch) tell(r Result) {
	t.telling.Lock()
	defer t.telling.Unlock()
	t.Result(r)
}

// all offers the sources, some ahead of the one whose turn it is.
func (t *dispatch) all(sources []Source) error {
	var ahead []*outgoing
	defer func() {
		for _, o := range ahead {
			o.close()
		}
	}()
	for len(sources) > 0 || len(ahead) > 0 {
		for len(sources) > 0 && len(ahead) < window {
			o, err := t.offer(&sources[0])
			if err != nil {
				return err
			}
			if o != nil {
				ahead = append(ahead, o)
			}
			sources = sources[1:]
		}
		if len(ahead) == 0 {
			continue
		}
		if err := t.turn(ahead[0]); err != nil {
			return err
		}
		ahead[0].close()
		ahead = ahead[1:]
	}
	return nil
}

func (o *outgoing) close() {
	if o.file != nil {
		o.file.Close()
	}
}

// offer offers a source; nil: there is nothing to offer.
func (t *dispatch) offer(s *Source) (*outgoing, error) {
	bad := func(state State, why string) (*outgoing, error) {
		t.Progress(s.size())
		t.tell(Result{Name: s.name, State: state, Why: why})
		return nil, nil
	}
	if s.err != nil {
		return bad(Failed, reason(s.err))
	}
	o := &outgoing{Source: s, answers: make(chan frame, 3), id: t.last + 1}
	f := frame{
		Kind: "offer", ID: o.id, Name: []byte(s.name), Type: "file",
		Mode: uint32(s.info.Mode().Perm()), Time: s.info.ModTime().UnixNano(),
	}
	switch s.info.Mode().Type() {
	case 0:
		var err error
		if o.file, err = os.OpenFile(s.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0); err != nil {
			return bad(Failed, reason(err))
		}
		if s.info, err = o.file.Stat(); err != nil || !s.info.Mode().IsRegular() {
			o.close()
			return bad(Failed, "it is no file any more")
		}
		f.Size, f.Time = s.info.Size(), s.info.ModTime().UnixNano()
	case fs.ModeDir:
		f.Type = "folder"
	case fs.ModeSymlink:
		f.Type = "link"
		target, err := os.Readlink(s.path)
		if err != nil {
			return bad(Failed, reason(err))
		}
		f.Target = []byte(target)
	default:
		return bad(Skipped, "it is neither a file, a folder nor a link")
	}
	t.last++
	t.mu.Lock()
	t.offered[o.id] = o
	t.mu.Unlock()
	return o, t.send(f)
}

// turn does what the receiver wants of a source.
func (t *dispatch) turn(o *outgoing) error {
	for {
		a, err := t.answer(o)
		if err != nil {
			return err
		}
		size := o.size()
		switch {
		case a.Kind == "result":
			t.Progress(size)
			return nil
		case o.file == nil || a.Size < 0 || a.Size > size:
			return wrong("it has %d bytes of %s, which has %d", a.Size, o.name, size)
		}
		d, tail, err := digestOf(o.file, a.Size, t.busy)
		if errors.Is(err, errShorter) {
			return t.drop(o, true, err.Error())
		}
		if err != nil {
			return err
		}
		equal := bytes.Equal(a.Sum, d.sum(a.Size, tail))
		switch {
		case a.There && equal && a.Size == size:
			o.from = size
			t.Progress(size)
			return t.send(frame{Kind: "same", ID: o.id})
		case a.There:
			if err := t.send(frame{Kind: "differs", ID: o.id}); err != nil {
				return err
			}
			continue
		case !equal:
			return t.body(o, 0, newDigest(), nil)
		}
		return t.body(o, a.Size, d, tail)
	}
}

// answer waits for what the receiver has to say.
func (t *dispatch) answer(o *outgoing) (frame, error) {
	select {
	case a := <-o.answers:
		return a, nil
	default:
	}
	if err := t.flush(); err != nil {
		return frame{}, err
	}
	select {
	case a := <-o.answers:
		return a, nil
	case <-t.gone:
		if t.err == nil {
			return frame{}, wrong("it ends too early")
		}
		return frame{}, t.err
	}
}

func (t *dispatch) drop(o *outgoing, void bool, why string) error {
	return t.send(frame{Kind: "drop", ID: o.id, Void: void, Why: why})
}

// body sends a file from offset, up to where it is in the digest.
func (t *dispatch) body(o *outgoing, offset int64, d *digest, tail []byte) error {
	o.from = offset
	if err := t.send(frame{Kind: "start", ID: o.id, Offset: offset}); err != nil {
		return err
	}
	t.Progress(offset)
	size := o.size()
	sum := summing(o.file, size, d)
	defer sum.end()
	last := int64(-1) // block
	if len(tail) > 0 {
		last = offset / blockSize
	}
	for at := offset; at < size; {
		start, end, err := data(o.file, at, size)
		if err != nil {
			return err
		}
		t.Progress(start - at)
		for at = start; at < end; {
			if o.failing.Load() {
				t.Progress(size - at)
				return t.drop(o, false, "it could not be stored")
			}
			if number := at / blockSize; number != last {
				sum.block(last)
				last = number
			}
			n := int(min(end, (at/blockSize+1)*blockSize) - at)
			if err := t.send(frame{Kind: "data", ID: o.id, Offset: at, Length: n}); err != nil {
				return err
			}
			sent, err := t.sendFile(o.file, at, n, t.Progress)
			if err != nil {
				return err
			}
			if at += int64(n); sent < n {
				t.Progress(size - at + int64(n-sent))
				if _, err := t.w.Write(zeros[:n-sent]); err != nil {
					return err
				}
				return t.drop(o, true, errShorter.Error())
			}
		}
	}
	sum.block(last)
	whole, err := sum.end()
	now, gone := o.file.Stat()
	switch {
	case err != nil:
		return t.drop(o, true, reason(err))
	case gone != nil || now.Size() != size || !now.ModTime().Equal(o.info.ModTime()):
		return t.drop(o, true, "it has changed meanwhile")
	}
	return t.send(frame{Kind: "whole", ID: o.id, Sum: whole})
}

// A summation makes the digest of what is being sent, at the same time.
type summation struct {
	blocks chan int64
	end    func() ([]byte, error)
}

func summing(f *os.File, size int64, d *digest) *summation {
	s := &summation{blocks: make(chan int64, 4)}
	var tail []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, min(blockSize, size))
		for number := range s.blocks {
			if err != nil {
				continue
			}
			n := min(blockSize, size-number*blockSize)
			if _, e := f.ReadAt(b[:n], number*blockSize); e != nil {
				err = shorter(e)
			} else if n < blockSize {
				tail = b[:n]
			} else {
				d.block(number, b)
			}
		}
		if err == nil && tail == nil {
			tail = zeros[:size%blockSize]
		}
	}()
	s.end = sync.OnceValues(func() ([]byte, error) {
		close(s.blocks)
		<-done
		if err != nil {
			return nil, err
		}
		return d.sum(size, tail), nil
	})
	return s
}

// block tells that a block was sent; -1 is none.
func (s *summation) block(number int64) {
	if number >= 0 {
		s.blocks <- number
	}
}
