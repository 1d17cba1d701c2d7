package labup

import (
	"encoding/json"
	"net/http"
)

// A FaultRequest asks for a fault, as POST /fault.
type FaultRequest struct {
	Target string   `json:"target"`
	From   string   `json:"from,omitempty"`
	Words  []string `json:"words"`
}

// An Answer is what a request gives that changes something.
type Answer struct {
	Error string `json:"error,omitempty"`
}

// Control is what commands ask of the lab: its state, and faults.
func (l *Lab) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /lab", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, l.State()) })
	mux.HandleFunc("POST /fault", func(w http.ResponseWriter, r *http.Request) {
		var f FaultRequest
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&f); err != nil {
			answer(w, http.StatusBadRequest, Answer{err.Error()})
			return
		}
		if err := l.Fault(f.Target, f.From, f.Words); err != nil {
			answer(w, http.StatusBadRequest, Answer{err.Error()})
			return
		}
		answer(w, http.StatusOK, Answer{})
	})
	return mux
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
