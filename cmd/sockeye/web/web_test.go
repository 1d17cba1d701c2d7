package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"sockeye/cmd/sockeye/web"
	"sockeye/kernel"
	"sockeye/lab"
	"sockeye/link"
)

// A visit is a site that is served, and how to get there.
type visit struct {
	dir  string
	url  string
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	http *http.Client
	link *lab.Link // nil on the kernel
	stop func() error
	log  func() []web.Request
	// logged waits until there are so many requests in the log, and gives them.
	logged func(n int) []web.Request
}

// onBothEngines serves a folder with these files on the kernel's sockets, and on those of a host in a lab.
func onBothEngines(t *testing.T, o web.Options, files map[string]string, f func(t *testing.T, v *visit)) {
	t.Run("kernel", func(t *testing.T) {
		h := kernel.Host()
		l, err := h.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f(t, open(t, l, h.DialContext, o, files))
	})
	t.Run("lab", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := lab.New(t)
			client, server := n.Host("client"), n.Host("server")
			wire := n.Link(client, server, link.Faults{Delay: 20 * time.Millisecond, Loss: 0.05})
			v := open(t, server.MustListen("tcp", ":80"), client.DialContext, o, files)
			v.link = wire
			f(t, v)
		})
	})
}

func open(t *testing.T, l net.Listener, dial func(context.Context, string, string) (net.Conn, error), o web.Options, files map[string]string) *visit {
	v := &visit{dir: t.TempDir(), dial: dial}
	for name, text := range files {
		path := filepath.Join(v.dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	site, err := web.Open(v.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var log []web.Request
	more := sync.NewCond(&mu)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	server := &web.Server{Handler: site, Log: func(r web.Request) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, r)
		more.Broadcast()
	}}
	go func() { done <- server.Serve(ctx, l) }()
	v.log = func() []web.Request {
		mu.Lock()
		defer mu.Unlock()
		return log
	}
	v.logged = func(n int) []web.Request {
		mu.Lock()
		defer mu.Unlock()
		for len(log) < n {
			more.Wait()
		}
		return log
	}
	v.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	transport := &http.Transport{DialContext: dial, DisableCompression: true}
	v.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	v.url = "http://" + strings.Replace(l.Addr().String(), "[::]", "server", 1)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := v.stop(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		site.Close()
	})
	return v
}

// do makes a request, and gives the answer with its body.
func (v *visit) do(t *testing.T, method, path string, header map[string]string, body io.Reader) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, v.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for k, h := range header {
		r.Header.Set(k, h)
	}
	resp, err := v.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(all)
}

var someFiles = map[string]string{
	"a.txt": "hello", "sub/index.html": "<p>index", "sub/deep/b": "b", ".secret": "no", ".git/config": "no",
	"big.txt": strings.Repeat("line of text\n", 1000), "odd name?#%.txt": "odd",
}

func TestFilesAreServedAsHTTPHasIt(t *testing.T) {
	type header = map[string]string
	for _, tt := range []struct {
		name, method, path string
		header             header
		status             int
		body               string
		want               header
	}{
		{"a file", "GET", "/a.txt", nil, 200, "hello", header{"Content-Type": "text/plain; charset=utf-8", "Content-Length": "5", "Cache-Control": "no-cache"}},
		{"its head", "HEAD", "/a.txt", nil, 200, "", header{"Content-Length": "5"}},
		{"a range", "GET", "/a.txt", header{"Range": "bytes=1-3"}, 206, "ell", header{"Content-Range": "bytes 1-3/5"}},
		{"its end", "GET", "/a.txt", header{"Range": "bytes=-2"}, 206, "lo", nil},
		{"a range behind the end", "GET", "/a.txt", header{"Range": "bytes=9-"}, 416, "invalid range: failed to overlap\n", header{"Content-Range": "bytes */5"}},
		{"a folder without a slash", "GET", "/sub?x=1", nil, 301, "", header{"Location": "./sub/?x=1"}},
		{"a file with one", "GET", "/a.txt/", nil, 301, "", header{"Location": "./../a.txt"}},
		{"a folder's index", "GET", "/sub/", nil, 200, "<p>index", header{"Content-Type": "text/html; charset=utf-8"}},
		{"an escaped name", "GET", "/odd%20name%3F%23%25.txt", nil, 200, "odd", nil},
		{"what is not there", "GET", "/none", nil, 404, "there is no /none\n", nil},
		{"what is below a file", "GET", "/a.txt/x", nil, 404, "there is no /a.txt/x\n", nil},
		{"a hidden file", "GET", "/.secret", nil, 404, "there is no /.secret\n", nil},
		{"a file in a hidden folder", "GET", "/.git/config", nil, 404, "there is no /.git/config\n", nil},
		{"dots do not lead out", "GET", "/../../../../etc/passwd", nil, 404, "there is no /../../../../etc/passwd\n", nil},
		{"nor do escaped ones", "GET", "/%2e%2e/%2e%2e/etc/passwd", nil, 404, "there is no /../../etc/passwd\n", nil},
		{"nor does a zero byte", "GET", "/a.txt%00", nil, 404, "there is no /a.txt\x00\n", nil},
		{"nor does a link", "GET", "/out", nil, 404, "there is no /out\n", nil},
		{"a link within leads on", "GET", "/in", nil, 200, "hello", nil},
		{"a named pipe", "GET", "/pipe", nil, 403, "/pipe may not be read\n", nil},
		{"a long name", "GET", "/" + strings.Repeat("x", 300), nil, 404, "there is no /" + strings.Repeat("x", 300) + "\n", nil},
		{"another method", "DELETE", "/a.txt", nil, 405, "DELETE is not for this: GET, HEAD are\n", header{"Allow": "GET, HEAD"}},
		{"an upload where none are taken", "PUT", "/new", nil, 405, "PUT is not for this: GET, HEAD are\n", nil},
	} {
		onBothEngines(t, web.Options{}, someFiles, func(t *testing.T, v *visit) {
			for name, to := range map[string]string{"out": "/etc/hostname", "in": "a.txt"} {
				if err := os.Symlink(to, filepath.Join(v.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			if err := syscall.Mkfifo(filepath.Join(v.dir, "pipe"), 0o600); err != nil {
				t.Fatal(err)
			}
			resp, body := v.do(t, tt.method, tt.path, tt.header, nil)
			if resp.StatusCode != tt.status || body != tt.body {
				t.Errorf("%s: %d %q, want %d %q", tt.name, resp.StatusCode, body, tt.status, tt.body)
			}
			for k, want := range tt.want {
				if got := resp.Header.Get(k); got != want {
					t.Errorf("%s: %s is %q, want %q", tt.name, k, got, want)
				}
			}
		})
	}
}

func TestWhatHasNotChangedIsNotSentAgain(t *testing.T) {
	onBothEngines(t, web.Options{Cache: "max-age=60"}, someFiles, func(t *testing.T, v *visit) {
		for _, coding := range []string{"", "gzip", "zstd"} {
			first, _ := v.do(t, "GET", "/big.txt", map[string]string{"Accept-Encoding": coding}, nil)
			if got := first.Header.Get("Cache-Control"); got != "max-age=60" {
				t.Errorf("Cache-Control is %q", got)
			}
			for name, condition := range map[string]map[string]string{
				"If-None-Match":     {"If-None-Match": first.Header.Get("ETag")},
				"If-Modified-Since": {"If-Modified-Since": first.Header.Get("Last-Modified")},
			} {
				condition["Accept-Encoding"] = coding
				again, body := v.do(t, "GET", "/big.txt", condition, nil)
				if again.StatusCode != http.StatusNotModified || body != "" {
					t.Errorf("%s, %q: %d with %d bytes", name, coding, again.StatusCode, len(body))
				}
			}
			os.Chtimes(filepath.Join(v.dir, "big.txt"), time.Now(), time.Now().Add(time.Hour))
			if changed, body := v.do(t, "GET", "/big.txt", map[string]string{"If-None-Match": first.Header.Get("ETag"), "Accept-Encoding": coding}, nil); changed.StatusCode != 200 || body == "" {
				t.Errorf("%q: a changed file gives %d", coding, changed.StatusCode)
			}
			if ranged, body := v.do(t, "GET", "/big.txt", map[string]string{"Range": "bytes=0-3", "If-Range": first.Header.Get("ETag")}, nil); ranged.StatusCode != 200 {
				t.Errorf("a range of what has changed gives %d %q", ranged.StatusCode, body)
			}
			os.Chtimes(filepath.Join(v.dir, "big.txt"), time.Now(), time.Now())
		}
	})
}

func TestTextIsCompressedForWhoAcceptsIt(t *testing.T) {
	onBothEngines(t, web.Options{}, someFiles, func(t *testing.T, v *visit) {
		tags := make(map[string]string)
		for _, tt := range []struct{ accept, want string }{
			{"", ""}, {"gzip", "gzip"}, {"gzip, zstd", "zstd"}, {"gzip, zstd;q=0", "gzip"}, {"br", ""}, {"gzip;q=0", ""}, {"identity", ""},
		} {
			resp, body := v.do(t, "GET", "/big.txt", map[string]string{"Accept-Encoding": tt.accept}, nil)
			if got := resp.Header.Get("Content-Encoding"); got != tt.want {
				t.Errorf("accepting %q gives %q", tt.accept, got)
				continue
			}
			if got := resp.Header.Get("Vary"); got != "Accept-Encoding" {
				t.Errorf("Vary is %q", got)
			}
			if plain := decoded(t, tt.want, body); plain != someFiles["big.txt"] {
				t.Errorf("%q: %d bytes came of %d", tt.want, len(plain), len(someFiles["big.txt"]))
			}
			tags[tt.want] = resp.Header.Get("ETag")
		}
		if len(tags) != 3 || tags[""] == tags["gzip"] || tags["gzip"] == tags["zstd"] {
			t.Errorf("the codings have the ETags %v", tags)
		}
		if resp, body := v.do(t, "GET", "/big.txt", map[string]string{"Accept-Encoding": "gzip", "Range": "bytes=0-3"}, nil); body != "line" {
			t.Errorf("a range is %q, in %q", body, resp.Header.Get("Content-Encoding"))
		}
		if resp, _ := v.do(t, "GET", "/a.txt", map[string]string{"Accept-Encoding": "gzip"}, nil); resp.Header.Get("Content-Encoding") != "" {
			t.Error("five bytes were compressed")
		}
	})
}

func decoded(t *testing.T, coding, body string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		var d *zstd.Decoder
		if d, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1)); err == nil {
			defer d.Close()
			r = d
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

func TestAFolderShowsWhatIsInIt(t *testing.T) {
	files := maps.Clone(someFiles)
	files["<script>alert(1)"] = "x"
	onBothEngines(t, web.Options{}, files, func(t *testing.T, v *visit) {
		_, page := v.do(t, "GET", "/", map[string]string{"Accept": "text/html"}, nil)
		for _, want := range []string{`href="./sub/"`, `href="./a.txt"`, ">5 B<", ">13 kB<", `href="./odd%20name%3F%23%25.txt"`} {
			if !strings.Contains(page, want) {
				t.Errorf("the page has no %s in\n%s", want, page)
			}
		}
		for _, bad := range []string{".secret", "<script>", "<form"} {
			if strings.Contains(page, bad) {
				t.Errorf("the page has %q", bad)
			}
		}
		_, list := v.do(t, "GET", "/", map[string]string{"Accept": "application/json"}, nil)
		var entries []web.Entry
		if err := json.Unmarshal([]byte(list), &entries); err != nil {
			t.Fatal(err)
		}
		if len(entries) != 5 || entries[0].Name != "sub" || !entries[0].Dir || entries[2].Name != "a.txt" || entries[2].Size != 5 {
			t.Errorf("the list is %+v", entries)
		}
	})
	onBothEngines(t, web.Options{Hidden: true, Upload: true}, someFiles, func(t *testing.T, v *visit) {
		_, page := v.do(t, "GET", "/", nil, nil)
		if !strings.Contains(page, ".secret") || !strings.Contains(page, "<form") {
			t.Errorf("the page shows no hidden file, or no form:\n%s", page)
		}
	})
}

func TestUploads(t *testing.T) {
	type header = map[string]string
	for _, tt := range []struct {
		name, path string
		header     header
		body       string
		status     int
		answer     string
		file, want string // what is there then; "": nothing
	}{
		{"a new file", "/new", nil, "new", 201, "", "new", "new"},
		{"an empty one", "/new", nil, "", 201, "", "new", ""},
		{"one in a folder", "/sub/new", nil, "new", 201, "", "sub/new", "new"},
		{"one that is there", "/a.txt", nil, "new", 409, "/a.txt: it is there already; to replace it send If-Match with its ETag, or with *\n", "a.txt", "hello"},
		{"replaced in any case", "/a.txt", header{"If-Match": "*"}, "new", 204, "", "a.txt", "new"},
		{"changed meanwhile", "/a.txt", header{"If-Match": `"1-1"`}, "new", 412, "", "a.txt", "hello"},
		{"gone meanwhile", "/new", header{"If-Match": "*"}, "new", 412, "/new: it is not there, and so If-Match does not hold\n", "", ""},
		{"a folder's name", "/sub", nil, "new", 409, "/sub: a folder has that name\n", "", ""},
		{"no name", "/sub/", nil, "new", 409, "a file needs a name: PUT /sub/NAME\n", "", ""},
		{"a folder that is not there", "/none/new", nil, "new", 409, "/none/new: its folder is not there\n", "", ""},
		{"a hidden name", "/.bashrc", nil, "new", 404, "there is no /.bashrc\n", "", ""},
		{"above the folder", "/../new", nil, "new", 201, "", "new", "new"},
		{"too large", "/new", nil, strings.Repeat("x", 2000), 413, "/new: more than 1000 bytes are not taken\n", "", ""},
		{"a part", "/new", header{"Content-Range": "bytes 0-1/2"}, "ne", 400, "a file is put as a whole, without Content-Range\n", "", ""},
		{"from another site", "/new", header{"Sec-Fetch-Site": "cross-site"}, "new", 403, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onBothEngines(t, web.Options{Upload: true, UploadLimit: 1000}, someFiles, func(t *testing.T, v *visit) {
				resp, answer := v.do(t, "PUT", tt.path, tt.header, strings.NewReader(tt.body))
				if resp.StatusCode != tt.status || tt.answer != "" && answer != tt.answer {
					t.Errorf("%d %q, want %d %q", resp.StatusCode, answer, tt.status, tt.answer)
				}
				if tt.file != "" {
					if got, err := os.ReadFile(filepath.Join(v.dir, tt.file)); err != nil || string(got) != tt.want {
						t.Errorf("%s holds %q, %v", tt.file, got, err)
					}
				} else if _, err := os.Stat(filepath.Join(v.dir, "new")); err == nil {
					t.Error("a file was made")
				}
				nothingLeft(t, v.dir)
			})
		})
	}
}

// nothingLeft checks that no upload left a part of itself.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	if parts, _ := filepath.Glob(filepath.Join(dir, ".upload-*")); len(parts) > 0 {
		t.Errorf("uploads left %v", parts)
	}
}

func TestAFormUploadsFiles(t *testing.T) {
	onBothEngines(t, web.Options{Upload: true}, someFiles, func(t *testing.T, v *visit) {
		var form bytes.Buffer
		m := multipart.NewWriter(&form)
		for name, text := range map[string]string{"one": "1", "../../two": "2"} {
			w, _ := m.CreateFormFile("file", name)
			io.WriteString(w, text)
		}
		m.Close()
		resp, _ := v.do(t, "POST", "/sub/", map[string]string{"Content-Type": m.FormDataContentType()}, &form)
		if resp.StatusCode != http.StatusSeeOther {
			t.Errorf("the answer is %d", resp.StatusCode)
		}
		for name, want := range map[string]string{"one": "1", "two": "2"} {
			if got, err := os.ReadFile(filepath.Join(v.dir, "sub", name)); string(got) != want {
				t.Errorf("%s holds %q, %v", name, got, err)
			}
		}
		if resp, text := v.do(t, "POST", "/sub/", nil, strings.NewReader("x")); resp.StatusCode != 415 || !strings.Contains(text, "multipart/form-data") {
			t.Errorf("%d %q", resp.StatusCode, text)
		}
	})
}

// What breaks off leaves nothing behind.
func TestAnUploadThatBreaksOffIsNoFile(t *testing.T) {
	onBothEngines(t, web.Options{Upload: true}, nil, func(t *testing.T, v *visit) {
		c, err := v.dial(t.Context(), "tcp", strings.TrimPrefix(v.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "PUT /new HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nonly this")
		c.Close()
		if r := v.logged(1)[0]; r.Status != http.StatusBadRequest || r.Path != "/new" {
			t.Errorf("the log has %+v", r)
		}
		if all, _ := os.ReadDir(v.dir); len(all) > 0 {
			t.Errorf("it left %v", all)
		}
	})
}

func TestALargeFileArrivesWhole(t *testing.T) {
	data := make([]byte, 8<<20)
	rand.NewChaCha8([32]byte{}).Read(data)
	onBothEngines(t, web.Options{}, map[string]string{"large": string(data)}, func(t *testing.T, v *visit) {
		if v.link != nil { // it takes longer than a stride's minute, at a stride in half of it
			v.link.Set(link.Faults{Delay: 20 * time.Millisecond, Rate: 100_000, Queue: link.Queue{Bytes: 20_000}})
		}
		if _, body := v.do(t, "GET", "/large", nil, nil); body != string(data) {
			t.Error("the file came damaged")
		}
		if r := v.logged(1)[0]; r.Bytes != int64(len(data)) || r.Status != 200 || r.Method != "GET" {
			t.Errorf("the log has %+v", r)
		}
	})
}

func TestClientsThatDoNotReadAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		client, server := n.Host("client"), n.Host("server")
		n.Link(client, server)
		v := open(t, server.MustListen("tcp", ":80"), client.DialContext, web.Options{Upload: true}, map[string]string{"large": strings.Repeat("x", 32<<20)})
		for _, tt := range []struct {
			name, send string
			after      time.Duration
			logged     bool
		}{
			{"half a head", "GET / HT", 10 * time.Second, false},
			{"silence", "", 10 * time.Second, false},
			{"a body that does not come", "PUT /new HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", time.Minute, true},
			{"nothing is read", "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", time.Minute, true},
		} {
			before := len(v.log())
			c, err := v.dial(t.Context(), "tcp", "server:80")
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			io.WriteString(c, tt.send)
			if tt.logged {
				for len(v.log()) == before && time.Since(start) < time.Hour {
					time.Sleep(time.Second)
				}
			} else {
				io.Copy(io.Discard, c)
			}
			if d := time.Since(start).Round(5 * time.Second); d != tt.after {
				t.Errorf("%s: cut off after %v, want %v", tt.name, d, tt.after)
			}
			c.Close()
		}
		nothingLeft(t, v.dir)
	})
}

func TestADownloadOutlivesAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		client, server := n.Host("client"), n.Host("server")
		wire := n.Link(client, server, link.Faults{Delay: 20 * time.Millisecond, Rate: 10_000_000})
		data := strings.Repeat("0123456789abcdef", 1<<18) // 3.4 s of it
		v := open(t, server.MustListen("tcp", ":80"), client.DialContext, web.Options{}, map[string]string{"large": data})
		n.At(time.Second, wire.Cut)
		n.At(20*time.Second, wire.Mend)
		if _, body := v.do(t, "GET", "/large", nil, nil); body != data || n.Now() < 20*time.Second {
			t.Errorf("%d bytes came of %d, in %v", len(body), len(data), n.Now())
		}
	})
}

func TestAClientLearnsThatTheServerHasCrashed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		client, server := n.Host("client"), n.Host("server")
		n.Link(client, server, link.Faults{Delay: 20 * time.Millisecond, Rate: 10_000_000})
		v := open(t, server.MustListen("tcp", ":80"), client.DialContext, web.Options{}, map[string]string{"large": strings.Repeat("x", 4<<20)})
		n.At(time.Second, func() {
			server.Crash()
			server.Restart()
		})
		resp, err := v.http.Get(v.url + "/large")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, syscall.ECONNRESET) || got == 0 {
			t.Errorf("%d bytes came, and then %v", got, err)
		}
		v.stop = func() error { return nil } // it ended with its host
	})
}

// Connections that wait cost little, and keep nobody else from being served.
func TestTenThousandIdleConnections(t *testing.T) {
	many := 10_000
	if testing.Short() {
		many = 1000
	}
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		client, server := n.Host("client"), n.Host("server")
		n.Link(client, server)
		v := open(t, server.MustListen("tcp", ":80"), client.DialContext, web.Options{}, someFiles)
		before := heap()
		answer := make([]byte, 512)
		for range many - 1 {
			c, err := v.dial(t.Context(), "tcp", "server:80")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, "GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, err := c.Read(answer); err != nil {
				t.Fatal(err)
			}
		}
		if _, body := v.do(t, "GET", "/a.txt", nil, nil); body != "hello" {
			t.Errorf("another client gets %q", body)
		}
		if each := (heap() - before) / int64(many); each > 48<<10 { // of both ends
			t.Errorf("each connection costs %d bytes", each)
		}
	})
}

// heap is the memory in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// A stop lets requests that are under way end.
func TestAStopLetsRequestsEnd(t *testing.T) {
	onBothEngines(t, web.Options{}, map[string]string{"large": strings.Repeat("x", 32<<20)}, func(t *testing.T, v *visit) {
		resp, err := v.http.Get(v.url + "/large")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		stopped := make(chan error)
		go func() { stopped <- v.stop() }()
		if v.link != nil {
			v.link.Set(link.Faults{})
			time.Sleep(time.Second)
		}
		if n, err := io.Copy(io.Discard, resp.Body); n != 32<<20 || err != nil {
			t.Errorf("%d bytes came, %v", n, err)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

func TestAFolderThatIsNoneCannotBeServed(t *testing.T) {
	for _, dir := range []string{filepath.Join(t.TempDir(), "none"), os.Args[0]} {
		if _, err := web.Open(dir, web.Options{}); err == nil {
			t.Errorf("%s can be served", dir)
		}
	}
}
