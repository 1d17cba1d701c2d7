package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// OnClash is what becomes of a file whose name is taken by something else.
type OnClash int

// What there is to choose from.
const (
	Leave   OnClash = iota // what is there stays, and the file does not come
	Replace                // it takes the place, once it is whole; folders and links are not replaced
	Rename                 // it is called "name (1).ext"
)

// A Receiver is where files go, and how.
type Receiver struct {
	Root    *os.Root
	OnClash OnClash
	// Total, Progress and Result, unless nil, are told of a transfer: how much there will be, bytes that were written
	// or found to be there, and how it went with each thing. They are called by one goroutine.
	Total    func(files int, bytes int64)
	Progress func(bytes int64)
	Result   func(Result)
}

// An incoming is a thing that was offered.
type incoming struct {
	frame
	part  *part
	found *os.File // what has the name already
	err   error    // why the rest of it is thrown away
	from  int64
}

type reception struct {
	Receiver
	*stream
	waiting map[uint64]*incoming
	last    uint64    // ID
	begun   *incoming // what is coming
	folders []frame   // their permissions and times come last
}

// Receive takes one transfer. An error is one of the transfer; what became of each file is told to Result.
func (r Receiver) Receive(ctx context.Context, c net.Conn) error {
	defer c.Close()
	defer until(ctx, c)()
	t := &reception{Receiver: r, stream: newStream(c), waiting: map[uint64]*incoming{}}
	t.echo = true
	if t.Total == nil {
		t.Total = func(int, int64) {}
	}
	if t.Progress == nil {
		t.Progress = func(int64) {}
	}
	if t.Result == nil {
		t.Result = func(Result) {}
	}
	defer func() {
		for _, in := range t.waiting {
			in.close()
		}
		t.finishFolders()
	}()
	err := t.run()
	if bad, ok := errors.AsType[*ProtocolError](err); ok {
		t.now(frame{Kind: "refused", Why: bad.Text})
	}
	return ended(ctx, err)
}

func (in *incoming) close() {
	if in.part != nil {
		in.part.close()
	}
	if in.found != nil {
		in.found.Close()
	}
}

func (t *reception) run() error {
	hello, err := t.receive()
	if err != nil {
		return err
	}
	if hello.Kind != "hello" || hello.Version != Version {
		return wrong("it begins with %q of version %d, and not with hello of version %d", hello.Kind, hello.Version, Version)
	}
	t.Total(hello.Files, hello.Bytes)
	if err := t.now(frame{Kind: "hello", Version: Version}); err != nil {
		return err
	}
	for {
		f, err := t.receive()
		if err != nil {
			return err
		}
		switch f.Kind {
		case "offer":
			err = t.offered(f)
		case "end":
			if len(t.waiting) > 0 {
				return wrong("it ends before %d files", len(t.waiting))
			}
			t.finishFolders()
			return t.now(f)
		default:
			in := t.waiting[f.ID]
			if in == nil {
				return wrong("%q is of the file %d, which was not offered", f.Kind, f.ID)
			}
			err = t.onward(in, f)
		}
		if err == nil && t.r.Buffered() == 0 {
			err = t.flush()
		}
		if err == nil {
			err = t.busy()
		}
		if err != nil {
			return err
		}
	}
}

// result ends a thing.
func (t *reception) result(in *incoming, state State, as string, err error) error {
	delete(t.waiting, in.ID)
	in.close()
	if t.begun == in {
		t.begun = nil
	}
	r := Result{Name: string(in.Name), State: state, Bytes: in.Size, From: in.from}
	if as != r.Name {
		r.As = as
	}
	if err != nil {
		r.Why = reason(err)
	}
	t.Result(r)
	return t.send(frame{Kind: "result", ID: in.ID, State: state, Name: []byte(r.As), Why: r.Why})
}

// offered answers an offer.
func (t *reception) offered(f frame) error {
	if f.ID != t.last+1 {
		return wrong("the offer %d comes after %d", f.ID, t.last)
	}
	t.last = f.ID
	in := &incoming{frame: f}
	if err := named(f); err != nil {
		return t.result(in, Failed, "", err)
	}
	switch f.Type {
	case "folder":
		return t.folder(in)
	case "link":
		return t.link(in)
	case "file":
	default:
		return wrong("it offers a %q; there are file, folder and link", f.Type)
	}
	if f.Size < 0 || len(t.waiting) == window {
		return wrong("it offers a file of %d bytes, with %d on their way", f.Size, len(t.waiting))
	}
	info, err := t.Root.Lstat(string(f.Name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t.take(in)
	case err != nil:
		return t.result(in, Failed, "", err)
	case info.Mode().IsRegular() && info.Size() == f.Size:
		return t.compare(in)
	case info.Mode().IsRegular() || t.OnClash == Rename:
		return t.differs(in)
	}
	return t.result(in, Clash, "", errors.New("something that is not a file has that name"))
}

// compare offers what has the name for comparison.
func (t *reception) compare(in *incoming) error {
	found, err := t.Root.OpenFile(string(in.Name), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return t.result(in, Failed, "", err)
	}
	in.found = found
	d, tail, err := digestOf(found, in.Size, t.busy)
	if err != nil {
		return t.result(in, Failed, "", err)
	}
	t.waiting[in.ID] = in
	return t.send(frame{Kind: "answer", ID: in.ID, Size: in.Size, Sum: d.sum(in.Size, tail), There: true})
}

// differs is a file whose name is taken by another content.
func (t *reception) differs(in *incoming) error {
	if t.OnClash == Leave {
		return t.result(in, Clash, "", errors.New("another file has that name, and stays"))
	}
	return t.take(in)
}

// take tells what is there of the file from an earlier time.
func (t *reception) take(in *incoming) error {
	p, err := openPart(t.Root, in.frame)
	if err != nil {
		return t.result(in, Failed, "", err)
	}
	in.part = p
	if p.digest, p.tail, err = digestOf(p.f, p.at, t.busy); err != nil {
		return t.result(in, Failed, "", err)
	}
	t.waiting[in.ID] = in
	return t.send(frame{Kind: "answer", ID: in.ID, Size: p.at, Sum: p.digest.sum(p.at, p.tail)})
}

// onward goes on with a file.
func (t *reception) onward(in *incoming, f frame) error {
	switch {
	case in.found != nil && f.Kind == "same":
		t.Progress(in.Size)
		in.from = in.Size
		return t.result(in, Same, "", nil)
	case in.found != nil && f.Kind == "differs":
		in.found.Close()
		in.found = nil
		delete(t.waiting, in.ID)
		return t.differs(in)
	case f.Kind == "drop":
		if in.part != nil && f.Void {
			in.part.discard()
			in.part = nil
		}
		if in.err == nil {
			in.err = errors.New("the sender gave it up: " + clip(f.Why))
		}
		return t.result(in, Failed, "", in.err)
	case in.part != nil && t.begun == nil && f.Kind == "start":
		if f.Offset != 0 && f.Offset != in.part.at {
			return wrong("it starts at %d, and %d bytes are there", f.Offset, in.part.at)
		}
		t.begun, in.from = in, f.Offset
		t.Progress(f.Offset)
		if err := in.part.begin(f.Offset); err != nil {
			in.err = err
			return t.now(frame{Kind: "failing", ID: in.ID})
		}
		return nil
	case t.begun == in && f.Kind == "data":
		return t.data(in, f)
	case t.begun == in && f.Kind == "whole":
		return t.whole(in, f)
	}
	return wrong("%q does not follow", f.Kind)
}

func clip(s string) string { return s[:min(len(s), 200)] }

// data takes bytes of a file. Once one could not be written the rest is thrown away, which the sender is told.
func (t *reception) data(in *incoming, f frame) error {
	if in.err == nil && in.part.failed() != nil {
		in.err = in.part.failed()
		if err := t.now(frame{Kind: "failing", ID: in.ID}); err != nil {
			return err
		}
	}
	if in.err != nil {
		if f.Length < 0 || f.Length > blockSize {
			return wrong("%d bytes at once", f.Length)
		}
		_, err := io.CopyN(io.Discard, t.r, int64(f.Length))
		return cut(err)
	}
	before := in.part.at
	b, err := in.part.space(f.Offset, f.Length)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		n, err := io.ReadFull(t.r, b[:min(len(b), stride/2)])
		if b = b[n:]; err != nil {
			in.part.short(len(b))
			return cut(err)
		}
		if err := t.busy(); err != nil {
			in.part.short(len(b))
			return err
		}
	}
	t.Progress(in.part.at - before)
	return nil
}

// whole gives a file its name, if it is what was sent.
func (t *reception) whole(in *incoming, f frame) error {
	t.Progress(in.Size - in.part.at)
	err := in.part.flush()
	if in.err == nil {
		in.err = err
	}
	if in.err == nil && !bytes.Equal(f.Sum, in.part.digest.sum(in.Size, in.part.tail)) {
		in.part.discard()
		in.part = nil
		in.err = errors.New("what came is not what was sent: the checksums differ")
	}
	if in.err != nil {
		return t.result(in, Failed, "", in.err)
	}
	as, err := in.part.place(in.frame, t.OnClash)
	switch {
	case errors.Is(err, fs.ErrExist) || errors.Is(err, unix.EISDIR):
		return t.result(in, Clash, "", errors.New("something has taken that name meanwhile, and stays"))
	case err != nil:
		return t.result(in, Failed, "", err)
	}
	in.part.f.Close()
	in.part = nil
	return t.result(in, Stored, as, nil)
}

// folder makes a folder, which is open to its owner until the end.
func (t *reception) folder(in *incoming) error {
	err := t.Root.Mkdir(string(in.Name), fs.FileMode(in.Mode)&fs.ModePerm|0o700)
	if errors.Is(err, fs.ErrExist) {
		info, err := t.Root.Lstat(string(in.Name))
		if err == nil && info.IsDir() {
			return t.result(in, Same, "", nil)
		}
		return t.result(in, Clash, "", errors.New("something that is not a folder has that name"))
	}
	if err != nil {
		return t.result(in, Failed, "", err)
	}
	t.folders = append(t.folders, in.frame)
	return t.result(in, Stored, "", nil)
}

// finishFolders gives folders that were made their permissions and times, the inner ones first.
func (t *reception) finishFolders() {
	for i := len(t.folders) - 1; i >= 0; i-- {
		f := t.folders[i]
		t.Root.Chtimes(string(f.Name), time.Time{}, time.Unix(0, f.Time))
		t.Root.Chmod(string(f.Name), fs.FileMode(f.Mode)&fs.ModePerm)
	}
	t.folders = nil
}

// link makes a symbolic link that stays within the folder.
func (t *reception) link(in *incoming) error {
	name, target := string(in.Name), string(in.Target)
	if now, err := t.Root.Readlink(name); err == nil && now == target {
		return t.result(in, Same, "", nil)
	}
	if err := t.within(name, target); err != nil {
		return t.result(in, Failed, "", err)
	}
	err := t.Root.Symlink(target, name)
	switch {
	case errors.Is(err, fs.ErrExist):
		return t.result(in, Clash, "", errors.New("something else has that name, and stays"))
	case err != nil:
		return t.result(in, Failed, "", err)
	}
	return t.result(in, Stored, "", nil)
}

// within checks that a link stays within the folder. For that the dots have to come first, where they mean the folder
// that the name says, and that folder must not be behind another link.
func (t *reception) within(name, target string) error {
	up := strings.LastIndex("/"+target+"/", "/../") // where the last dots are
	if target == "" || len(target) > maxName || path.IsAbs(target) || !filepath.IsLocal(path.Join(path.Dir(name), target)) ||
		up > 0 && strings.Trim(target[:up-1], "./") != "" {
		return fmt.Errorf("the link leads out of the folder, to %q", clip(target))
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if info, err := t.Root.Lstat(dir); err != nil {
			return err
		} else if !info.IsDir() {
			return errors.New("it is behind a link, where no links are made")
		}
	}
	return nil
}
