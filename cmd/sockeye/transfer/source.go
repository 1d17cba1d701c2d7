package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
)

// A State is how it went with a file.
type State string

// The states.
const (
	Stored  State = "stored"
	Same    State = "same"    // it was there already
	Clash   State = "clash"   // something else has its name, and stays
	Failed  State = "failed"  // Why says why
	Skipped State = "skipped" // it is neither a file, a folder, nor a link
)

// A Result tells how it went with a file, folder or link.
type Result struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	As    string `json:"as,omitempty"` // the name it got, if another
	Why   string `json:"why,omitempty"`
	Bytes int64  `json:"bytes,omitempty"` // its size
	From  int64  `json:"from,omitempty"`  // how much of it was there from an earlier time
}

// Bad tells whether it is not there as it should be.
func (r Result) Bad() bool { return r.State == Clash || r.State == Failed || r.State == Skipped }

// A Source is one thing to send.
type Source struct {
	path string // where it is
	name string // what the receiver is told, below DIR
	info fs.FileInfo
	err  error // why it can't be sent
}

// Sources are the files and folders at the paths, with all that is in these, folders first. A link is followed where
// it is a path itself, and is sent as a link within a folder.
func Sources(paths ...string) ([]Source, error) {
	var all []Source
	whose := map[string]string{}
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(abs)
		if name == "/" {
			return nil, fmt.Errorf("%s has no name that it could have there; send what is in it", p)
		}
		if other, ok := whose[name]; ok {
			return nil, fmt.Errorf("%s and %s would both be called %s there; send them one after the other", other, p, name)
		}
		whose[name] = p
		real, err := filepath.EvalSymlinks(abs)
		if err != nil {
			return nil, err
		}
		err = filepath.WalkDir(real, func(at string, entry fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(real, at)
			s := Source{path: at, name: path.Join(name, rel)}
			if err != nil { // of a folder that can't be read; it is in the list already
				s.err = err
			} else if s.info, s.err = entry.Info(); errors.Is(s.err, fs.ErrNotExist) {
				return nil
			}
			all = append(all, s)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// size is how many bytes are to be sent.
func (s *Source) size() int64 {
	if s.info == nil || !s.info.Mode().IsRegular() {
		return 0
	}
	return s.info.Size()
}
