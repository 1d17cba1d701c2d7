package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"sockeye/cmd/sockeye/labup"
)

// settle is how long a file is to be left alone before it is read: editors write in several steps.
const settle = 100 * time.Millisecond

// watcher sees changes of the file. It is made before the file is read, so that none is missed.
func (u *upper) watcher() (*fsnotify.Watcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	if err := w.Add(filepath.Dir(u.path)); err != nil { // editors put another file in its place
		w.Close()
		return nil, err
	}
	return w, nil
}

// watch applies the file whenever it has changed.
func (u *upper) watch(ctx context.Context, w *fsnotify.Watcher, l *labup.Lab, d *doors, tell func(string)) {
	quiet := time.NewTimer(settle)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-w.Errors:
			tell("changes of the file may go unseen: " + oneLine(err.Error()))
		case e := <-w.Events:
			if filepath.Clean(e.Name) == filepath.Clean(u.path) && !e.Has(fsnotify.Remove) && e.Op != fsnotify.Chmod {
				quiet.Reset(settle)
			}
		case <-quiet.C:
			u.reload(l, tell)
			d.show(l)
		}
	}
}

// reload applies the file as it is now. If anything is wrong with it, the lab stays as it is.
func (u *upper) reload(l *labup.Lab, tell func(string)) {
	file, err := u.read()
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			tell(strings.TrimSpace(line))
		}
		tell("the lab stays as it is, until the file is right")
		return
	}
	file.Name = l.File().Name // by which commands know it
	changed, err := l.Change(file)
	if len(changed) > 0 {
		tell("changed as the file has it: " + strings.Join(changed, ", "))
	}
	if err != nil {
		tell(explain(startError(err)))
	}
}
