package labfile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"sockeye/link"
)

// A Change is what is to change of a link's faults, in the words of link.Faults.Set, and profile for all
// of them: [["profile", "3g"], ["loss", "10%"]].
type Change [][2]string

// ParseChange reads words such as loss=10%.
func ParseChange(words ...string) (c Change, err error) {
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, fmt.Errorf("%q is no fault; one is written as loss=10%% or delay=200ms", w)
		}
		if err := c.add(name, value); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// longest keeps sums of times from overflowing.
const longest = 24 * time.Hour

// add puts one word more into the change. The error says what would be right.
func (c *Change) add(name, value string) error {
	if name == "profile" {
		if _, ok := link.ProfileNamed(value); !ok {
			return fmt.Errorf("there is no profile %q; there are %s", value, strings.Join(link.ProfileNames(), ", "))
		}
		*c = slices.Insert(*c, 0, [2]string{name, value}) // what else is said changes it
		return nil
	}
	var f link.Faults
	switch err := f.Set(name, value); {
	case err != nil:
		return err
	case max(f.Delay, f.Jitter) > longest:
		return fmt.Errorf("%s=%s: want no more than a day", name, value)
	}
	*c = append(*c, [2]string{name, value})
	return nil
}

// has tells whether the change has a word of a name.
func (c Change) has(name string) bool {
	return slices.ContainsFunc(c, func(w [2]string) bool { return w[0] == name })
}

// Apply changes the faults of one direction; down tells whether it leads towards the user, for a
// profile. A jitter keeps packets in order, unless the change says otherwise: only what is faulty
// overtakes. The error says what cannot be together.
func (c Change) Apply(f link.Faults, down bool) (link.Faults, error) {
	for _, w := range c {
		if w[0] != "profile" {
			f.Set(w[0], w[1]) // which add has checked
		} else if p, _ := link.ProfileNamed(w[1]); down {
			f = p.Down
		} else {
			f = p.Up
		}
	}
	if c.has("jitter") && !c.has("order") {
		f.KeepOrder = true
	}
	switch {
	case f.Jitter > 0 && f.Delay == 0:
		return f, fmt.Errorf("jitter=%v: there is no delay that it could vary; add one, as delay=80ms", f.Jitter)
	case f.Reorder.Probability > 0 && f.Delay == 0:
		return f, fmt.Errorf("reorder=%s: packets overtake those that wait for a delay, and there is none; add one, as delay=80ms", f.Get("reorder"))
	case f.Reorder.Gap > 0 && f.Reorder.Probability == 0:
		return f, fmt.Errorf("reorder=%s: no packet would overtake; want a share above 0", f.Get("reorder"))
	}
	return f, nil
}

// String is the words as they are typed.
func (c Change) String() string {
	var words []string
	for _, w := range c {
		words = append(words, w[0]+"="+w[1])
	}
	return strings.Join(words, " ")
}

// Merge moves faults from what they were to what they are to be, field by field: one that somebody else
// has changed meanwhile stays as it is now.
func Merge(now, was, to link.Faults) link.Faults {
	n, w, t := reflect.ValueOf(&now).Elem(), reflect.ValueOf(was), reflect.ValueOf(to)
	for i := range n.NumField() {
		if n.Field(i).Interface() == w.Field(i).Interface() {
			n.Field(i).Set(t.Field(i))
		}
	}
	return now
}
