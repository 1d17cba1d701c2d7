package web

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed folder.html
var folderHTML string

var folderPage = template.Must(template.New("folder").Funcs(template.FuncMap{
	"link": func(e Entry) string {
		to := (&url.URL{Path: "./" + e.Name}).String()
		if e.Dir {
			to += "/"
		}
		return to
	},
	"size": size,
	"when": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
}).Parse(folderHTML))

// An Entry is what a folder's page, and its JSON, tells of a file.
type Entry struct {
	Name string    `json:"name"`
	Dir  bool      `json:"dir,omitempty"`
	Size int64     `json:"size"` // bytes; 0 of a folder
	Time time.Time `json:"time"`
}

// folder gives a folder's index.html, or else what is in it.
func (s *Site) folder(w http.ResponseWriter, r *http.Request, name string, dir *os.File) {
	index, err := s.root.Open(path.Join(name, "index.html"))
	if err == nil {
		defer index.Close()
		if info, err := index.Stat(); err == nil && info.Mode().IsRegular() {
			s.file(w, r, index, info)
			return
		}
	}
	entries, err := s.entries(name, dir)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept")
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
		h.Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(entries)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	folderPage.Execute(w, struct {
		Path    string
		Top     bool
		Upload  bool
		Entries []Entry
	}{r.URL.Path, name == ".", s.Upload, entries})
}

// entries are what a folder shows: folders first, each by name.
func (s *Site) entries(name string, dir *os.File) ([]Entry, error) {
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	list := []Entry{}
	for _, n := range names {
		if !s.Hidden && strings.HasPrefix(n, ".") {
			continue
		}
		info, err := s.root.Stat(path.Join(name, n)) // of what a link leads to
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			continue
		}
		e := Entry{Name: n, Dir: info.IsDir(), Time: info.ModTime()}
		if !e.Dir {
			e.Size = info.Size()
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Entry) int {
		if a.Dir != b.Dir {
			return cmp.Compare(order(a), order(b))
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return list, nil
}

func order(e Entry) int {
	if e.Dir {
		return 0
	}
	return 1
}

// size is a number of bytes for people.
func size(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1000, 0
	for ; f >= 999.5 && i < len(units)-1; i++ {
		f /= 1000
	}
	return fmt.Sprintf("%.3g %cB", f, units[i])
}
