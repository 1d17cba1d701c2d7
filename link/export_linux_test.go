package link

// WithoutUSO makes the device like one of a kernel before 6.2.
func (t *TUN) WithoutUSO() { t.uso = false }
