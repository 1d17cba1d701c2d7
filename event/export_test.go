package event

// Armed tells whether the loop's timer is set, and stops it.
func (l *Loop) Armed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.timer != nil && l.timer.Stop()
}
