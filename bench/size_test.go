package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// Package fmt and what it needs would be a twentieth of the program. Whatever every host leads to must do without:
// String methods, errors of options, calls that are traced.
func TestTheSmallestProgramContainsNoFmt(t *testing.T) {
	program := filepath.Join(t.TempDir(), "hello")
	if _, err := goCommand(t.Context(), "build", "-o", program, "sockeye/bench/hello/stack"); err != nil {
		t.Fatal(err)
	}
	symbols, err := goCommand(t.Context(), "tool", "nm", program)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(symbols, " T main.main\n") {
		t.Fatal("nm does not show main.main")
	}
	if strings.Contains(symbols, " T fmt.") {
		t.Error("it contains package fmt: go build -ldflags=-dumpdep tells who calls it")
	}
}
