package labup

import (
	"io"
	"sync"
)

// A turn is a network's to write the capture. What it has to write before, while the network that it
// replaces still writes, is kept.
type turn struct {
	mu    sync.Mutex
	to    io.Writer
	begun bool
	kept  []byte
}

// Write implements io.Writer.
func (t *turn) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		t.kept = append(t.kept, p...)
		return len(p), nil
	}
	return t.to.Write(p)
}

// begin is called when the network before writes no more. An error is met again by the next Write.
func (t *turn) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.to.Write(t.kept)
	t.begun, t.kept = true, nil
}
