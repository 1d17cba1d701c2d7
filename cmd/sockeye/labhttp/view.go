package labhttp

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"sockeye/lab"
)

// A Lab is what a View shows.
type Lab struct {
	Name    string
	Network *lab.Network
	// Forwards are the ports of the machine that lead into the lab, or out of it.
	Forwards []Forward
	// Log, if not nil, is told what somebody has changed.
	Log func(what string)
}

// A Forward is a port that leads somewhere else.
type Forward struct {
	Listen string `json:"listen"`         // tcp://127.0.0.1:8080
	To     string `json:"to"`             // web:80
	Host   string `json:"host,omitempty"` // by way of which it leads
	Open   string `json:"open,omitempty"` // what a browser opens to see it: http://127.0.0.1:8080/
}

// A View is an http.Handler that shows a lab.
type View struct {
	mux     *http.ServeMux
	lab     atomic.Pointer[Lab]
	change  sync.Mutex // held by who changes faults: they depend on what they were
	streams atomic.Int32
}

// NewView makes a View that shows nothing yet.
func NewView() *View {
	v := &View{mux: http.NewServeMux()}
	for _, c := range v.calls() {
		v.mux.HandleFunc(c.pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := c.answer(r)
			reply(w, answer, err)
		})
	}
	v.mux.HandleFunc("GET /api/events", v.stream)
	v.mux.HandleFunc("/api/", v.noCall)
	v.mux.Handle("/", pages())
	return v
}

// Show makes l what is shown from now on. The lab shown before may then be closed.
func (v *View) Show(l Lab) { v.lab.Store(&l) }

// ServeHTTP implements http.Handler.
func (v *View) ServeHTTP(w http.ResponseWriter, r *http.Request) { v.mux.ServeHTTP(w, r) }

// A call is one thing that can be asked for.
type call struct {
	pattern string
	answer  func(*http.Request) (any, error)
}

func (v *View) calls() []call {
	return []call{
		{"GET /api/state", v.state},
		{"GET /api/settings", v.settings},
		{"GET /api/hosts/{host}/sockets", v.sockets},
		{"GET /api/ladders", v.ladders},
		{"GET /api/ladders/{id}", v.ladder},
		{"POST /api/links/{link}", v.changeLink},
		{"POST /api/hosts/{host}/links", v.changeHost},
		{"POST /api/pairs/{a}/{b}", v.changePair},
		{"POST /api/hosts/{host}/crash", v.hostAction("crashed", func(l *Lab, h *lab.Host) { h.Crash() })},
		{"POST /api/hosts/{host}/restart", v.hostAction("restarted", func(l *Lab, h *lab.Host) { h.Restart() })},
		{"POST /api/hosts/{host}/isolate", v.hostAction("isolated", func(l *Lab, h *lab.Host) { l.Network.Isolate(h) })},
		{"POST /api/part", v.part},
		{"POST /api/join", v.join},
	}
}

func (v *View) noCall(w http.ResponseWriter, r *http.Request) {
	list := []string{"GET /api/events"}
	for _, c := range v.calls() {
		list = append(list, c.pattern)
	}
	slices.Sort(list)
	reply(w, nil, refuse(http.StatusNotFound, "there is no %s %s; there are %s", r.Method, r.URL.Path, strings.Join(list, ", ")))
}

// shown is the lab.
func (v *View) shown() (*Lab, error) {
	if l := v.lab.Load(); l != nil {
		return l, nil
	}
	return nil, refuse(http.StatusServiceUnavailable, "no lab is up yet; try again in a moment")
}

// A refusal is an answer that is an error.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return refusal{status, fmt.Sprintf(format, args...)}
}

// reply writes an answer or an error.
func reply(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		status = http.StatusBadRequest
		if r, ok := errors.AsType[refusal](err); ok {
			status = r.status
		}
		answer = map[string]string{"error": err.Error()}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		panic(err) // of types that are all ours
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
