package web

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"syscall"
)

// A refusal is why an upload is not taken, with the status that says so.
type refusal struct {
	status int
	text   string
}

func (e refusal) Error() string { return e.text }

// put makes or replaces a file (RFC 9110 section 9.3.4).
func (s *Site) put(w http.ResponseWriter, r *http.Request, name string) {
	if name == "." || strings.HasSuffix(r.URL.Path, "/") {
		http.Error(w, "a file needs a name: PUT "+path.Join(r.URL.Path, "NAME"), http.StatusConflict)
		return
	}
	if r.Header.Get("Content-Range") != "" { // RFC 9110 section 14.5
		http.Error(w, "a file is put as a whole, without Content-Range", http.StatusBadRequest)
		return
	}
	replaced, err := s.store(name, s.body(w, r), r.Header.Get("If-Match"))
	if err != nil {
		refuse(w, r.URL.Path, err)
		return
	}
	if info, err := s.root.Stat(name); err == nil {
		w.Header().Set("ETag", etag(info, ""))
	}
	if replaced {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Location", r.URL.EscapedPath())
	w.WriteHeader(http.StatusCreated)
}

// post takes the files of a form into a folder.
func (s *Site) post(w http.ResponseWriter, r *http.Request, name string) {
	r.Body = s.body(w, r)
	parts, err := r.MultipartReader()
	if err != nil {
		http.Error(w, "a form with files is wanted (multipart/form-data); a program does better with PUT", http.StatusUnsupportedMediaType)
		return
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			refuse(w, r.URL.Path, err)
			return
		}
		file, ok := s.name(part.FileName()) // without folders, as FileName has it
		if file == "." && part.FormName() != "file" {
			continue
		}
		if file == "." || !ok {
			refuse(w, r.URL.Path, refusal{http.StatusBadRequest, fmt.Sprintf("a file named %q is not taken", part.FileName())})
			return
		}
		if _, err := s.store(path.Join(name, file), part, ""); err != nil {
			refuse(w, path.Join(r.URL.Path, file), err)
			return
		}
	}
	http.Redirect(w, r, r.URL.EscapedPath(), http.StatusSeeOther)
}

// body is a request's body up to the limit, as long as it keeps coming.
func (s *Site) body(w http.ResponseWriter, r *http.Request) io.ReadCloser {
	b := io.ReadCloser(&giver{ReadCloser: r.Body, control: http.NewResponseController(w)})
	if s.UploadLimit > 0 {
		b = http.MaxBytesReader(w, b, s.UploadLimit)
	}
	return b
}

// store writes a file beside its place, and gives it its name when all is there. match is If-Match: of what may
// be replaced.
func (s *Site) store(name string, from io.Reader, match string) (replaced bool, err error) {
	now, err := s.root.Stat(name)
	switch {
	case err == nil && now.IsDir():
		return false, refusal{http.StatusConflict, "a folder has that name"}
	case err == nil && match == "":
		return false, refusal{http.StatusConflict, "it is there already; to replace it send If-Match with its ETag, or with *"}
	case err == nil && match != "*" && match != etag(now, ""):
		return false, refusal{http.StatusPreconditionFailed, "it has changed meanwhile: its ETag is " + etag(now, "")}
	case errors.Is(err, fs.ErrNotExist) && match != "":
		return false, refusal{http.StatusPreconditionFailed, "it is not there, and so If-Match does not hold"}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	part := path.Join(path.Dir(name), ".upload-"+rand.Text())
	f, err := s.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return false, err
	}
	defer s.root.Remove(part)
	_, err = io.Copy(f, from)
	if end := f.Close(); err == nil {
		err = end
	}
	if err != nil {
		return false, err
	}
	if match != "" {
		return true, s.root.Rename(part, name)
	}
	return false, s.root.Link(part, name) // which fails if somebody else was faster
}

// refuse says why an upload was not taken.
func refuse(w http.ResponseWriter, name string, err error) {
	status, text := http.StatusInternalServerError, "it can't be written"
	wrong, isRefusal := errors.AsType[refusal](err)
	large, isLarge := errors.AsType[*http.MaxBytesError](err)
	errno, known := errors.AsType[syscall.Errno](err)
	switch {
	case isRefusal:
		status, text = wrong.status, wrong.text
	case isLarge:
		status, text = http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d bytes are not taken", large.Limit)
	case errors.Is(err, fs.ErrPermission):
		status, text = http.StatusForbidden, "the folder may not be written to"
	case errors.Is(err, fs.ErrExist):
		status, text = http.StatusConflict, "somebody else has just made it"
	case errno == syscall.ENOENT, errno == syscall.ENOTDIR:
		status, text = http.StatusConflict, "its folder is not there"
	case errno == syscall.ENAMETOOLONG:
		status, text = http.StatusBadRequest, "its name is too long"
	case errno == syscall.ENOSPC, errno == syscall.EDQUOT:
		status, text = http.StatusInsufficientStorage, "the disk is full"
	case !known:
		status, text = http.StatusBadRequest, "it did not come whole"
	}
	http.Error(w, name+": "+text, status)
}
