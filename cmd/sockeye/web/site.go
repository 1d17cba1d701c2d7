package web

import (
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzhttp"
)

// A Site is a folder and how it is served. Close ends it.
type Site struct {
	Options
	root   *os.Root
	shrink func(http.Handler) http.HandlerFunc
}

// Options say how a folder is served.
type Options struct {
	Hidden      bool   // serve what begins with a dot, too
	Upload      bool   // take files
	UploadLimit int64  // most bytes of one; 0: no limit
	Cache       string // Cache-Control of files; "": no-cache, which is to ask again each time
}

// Open gives the site of a folder. An error tells why it can't be read.
func Open(dir string, o Options) (*Site, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	shrink, err := gzhttp.NewWrapper(gzhttp.MinSize(smallest), gzhttp.EnableZstd(true), gzhttp.PreferZstd(true))
	if err != nil {
		return nil, err
	}
	if o.Cache == "" {
		o.Cache = "no-cache"
	}
	return &Site{Options: o, root: root, shrink: shrink}, nil
}

// Close closes the folder.
func (s *Site) Close() error { return s.root.Close() }

// ServeHTTP implements http.Handler.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := s.name(r.URL.Path)
	switch {
	case !ok:
		s.fail(w, r, fs.ErrNotExist)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		s.get(w, r, name)
	case s.Upload && r.Method == http.MethodPut:
		s.put(w, r, name)
	case s.Upload && r.Method == http.MethodPost:
		s.post(w, r, name)
	default:
		allow := "GET, HEAD"
		if s.Upload {
			allow += ", PUT, POST"
		}
		w.Header().Set("Allow", allow)
		http.Error(w, r.Method+" is not for this: "+allow+" are", http.StatusMethodNotAllowed)
	}
}

// name is the name in the folder that a path stands for.
func (s *Site) name(urlPath string) (name string, ok bool) {
	if strings.ContainsRune(urlPath, 0) {
		return "", false
	}
	name = strings.TrimPrefix(path.Clean("/"+urlPath), "/")
	if name == "" {
		name = "."
	}
	hidden := func(part string) bool { return strings.HasPrefix(part, ".") }
	return name, s.Hidden || name == "." || !slices.ContainsFunc(strings.Split(name, "/"), hidden)
}

func (s *Site) get(w http.ResponseWriter, r *http.Request, name string) {
	f, err := s.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a named pipe would wait for a writer
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	slash := strings.HasSuffix(r.URL.Path, "/")
	switch {
	case err != nil:
		s.fail(w, r, err)
	case info.IsDir() && !slash:
		redirect(w, r, path.Base(r.URL.Path)+"/")
	case info.IsDir():
		s.folder(w, r, name, f)
	case !info.Mode().IsRegular():
		s.fail(w, r, fs.ErrPermission)
	case slash:
		redirect(w, r, "../"+path.Base(r.URL.Path))
	default:
		s.file(w, r, f, info)
	}
}

// redirect leads to a name beside the one that was asked for, whatever came before it on the way.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	to = (&url.URL{Path: "./" + to}).String()
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusMovedPermanently)
}

// file gives a file. One that gets smaller is compressed for who accepts it and wants all of it; all
// others go from the file to the socket by themselves (sendfile(2)).
func (s *Site) file(w http.ResponseWriter, r *http.Request, f *os.File, info fs.FileInfo) {
	h := w.Header()
	h.Set("Cache-Control", s.Cache)
	h.Set("X-Content-Type-Options", "nosniff")
	kind := mime.TypeByExtension(path.Ext(info.Name()))
	if kind != "" {
		h.Set("Content-Type", kind)
	}
	coding := ""
	if compresses(kind) && info.Size() >= smallest {
		h.Set("Vary", "Accept-Encoding")
		if r.Header.Get("Range") == "" {
			coding = accepted(r)
		}
	}
	h.Set("ETag", etag(info, coding))
	serve := func(w http.ResponseWriter, r *http.Request) { http.ServeContent(w, r, info.Name(), info.ModTime(), f) }
	if coding != "" {
		serve = s.shrink(http.HandlerFunc(serve))
	}
	serve(w, r)
}

// smallest is the size from which on compression is worth it.
const smallest = 1024

// accepted is the coding that a client gets, of those that it accepts; "": none.
func accepted(r *http.Request) string {
	var codings []string
	for c := range strings.SplitSeq(strings.Join(r.Header["Accept-Encoding"], ","), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(c, " ", ""), ";")
		if strings.Trim(weight, "q=0.") != "" || weight == "" {
			codings = append(codings, strings.ToLower(name))
		}
	}
	for _, c := range []string{"zstd", "gzip"} {
		if slices.Contains(codings, c) {
			return c
		}
	}
	return ""
}

// etag is a file's validator: a new one when its time or size changes, and another for each coding.
func etag(info fs.FileInfo, coding string) string {
	return fmt.Sprintf(`"%x-%x%s"`, info.ModTime().UnixNano(), info.Size(), coding)
}

// compresses tells whether a type gets smaller.
func compresses(kind string) bool {
	kind, _, _ = strings.Cut(kind, ";")
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+xml") || strings.HasSuffix(kind, "+json") ||
		slices.Contains([]string{"application/javascript", "application/json", "application/wasm", "application/xml"}, kind)
}

// fail answers an error. What leads out of the folder is not there.
func (s *Site) fail(w http.ResponseWriter, r *http.Request, err error) {
	errno, known := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, fs.ErrPermission):
		http.Error(w, r.URL.Path+" may not be read", http.StatusForbidden)
	case !known, errors.Is(err, fs.ErrNotExist), errno == syscall.ENOTDIR, errno == syscall.ENAMETOOLONG, errno == syscall.ELOOP:
		http.Error(w, "there is no "+r.URL.Path, http.StatusNotFound)
	default:
		http.Error(w, r.URL.Path+" can't be read", http.StatusInternalServerError)
	}
}
