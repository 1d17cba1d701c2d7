package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

func (s seconds) duration() time.Duration { return time.Duration(s) }

// A share is a flag that takes 1% as well as 0.01.
type share float64

func (s *share) String() string { return strconv.FormatFloat(float64(*s), 'g', -1, 64) }
func (s *share) Type() string   { return "share" }
func (s *share) Set(v string) error {
	number, percent := strings.CutSuffix(v, "%")
	f, err := strconv.ParseFloat(number, 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 1) {
		return errors.New("want a share, as 1% or 0.01")
	}
	*s = share(f)
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

func parseRate(word string) (int64, bool) {
	number := strings.TrimRight(word, "kmgbit")
	unit, ok := map[string]float64{"bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}[word[len(number):]]
	f, err := strconv.ParseFloat(number, 64)
	n := f * unit
	return int64(n), ok && err == nil && n >= 1 && n <= 1e15
}
