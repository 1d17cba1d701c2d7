package main

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"sockeye/link"
)

func (s seconds) duration() time.Duration { return time.Duration(s) }

// A share is a flag that takes 1% as well as 0.01.
type share float64

func (s *share) String() string { return strconv.FormatFloat(float64(*s), 'g', -1, 64) }
func (s *share) Type() string   { return "share" }
func (s *share) Set(v string) error {
	var f link.Faults
	if f.Set("loss", v) != nil {
		return errors.New("want a share, as 1% or 0.01")
	}
	*s = share(f.Loss)
	return nil
}

// rates is a flag that takes bits per second as tc(8) writes them, for both ways or each: down, up.
type rates [2]int64

func (r *rates) String() string {
	if *r == (rates{}) {
		return "" // no limit
	}
	return strconv.FormatInt(r[0], 10) + "/" + strconv.FormatInt(r[1], 10)
}
func (r *rates) Type() string { return "rate" }
func (r *rates) Set(v string) error {
	down, up, both := strings.Cut(strings.ToLower(v), "/")
	if !both {
		up = down
	}
	for i, word := range []string{down, up} {
		n, ok := parseRate(word)
		if !ok {
			return errors.New("want bits per second, as 500kbit, 5mbit or 1gbit")
		}
		r[i] = n
	}
	return nil
}

// parseRate reads a rate with its unit, more than none.
func parseRate(word string) (int64, bool) {
	var f link.Faults
	err := f.Set("rate", word)
	return f.Rate, err == nil && f.Rate > 0 && strings.HasSuffix(word, "bit")
}
