package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programSize builds the smallest program that a peer is used by, which says hello to itself
// over TCP, as go build does without further flags, and stripped (-ldflags "-s -w").
func programSize(ctx context.Context, peer string, _ options) (map[string]float64, error) {
	pkg := "sockeye/bench/hello/" + peer
	if peer == ours {
		pkg = "sockeye/bench/hello/stack"
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	v := make(map[string]float64)
	for name, flags := range map[string]string{"bytes": "", "stripped": "-s -w"} {
		program := filepath.Join(dir, name)
		if _, err := goCommand(ctx, "build", "-ldflags", flags, "-o", program, pkg); err != nil {
			return nil, err
		}
		said, err := exec.CommandContext(ctx, program).Output()
		if err != nil || string(said) != "hello\n" {
			return nil, fmt.Errorf("%s said %q: %v", pkg, said, err)
		}
		info, err := os.Stat(program)
		if err != nil {
			return nil, err
		}
		v[name] = float64(info.Size())
	}
	out, err := goCommand(ctx, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", pkg)
	if err != nil {
		return nil, err
	}
	modules := make(map[string]bool)
	for _, m := range strings.Fields(out) {
		if !strings.HasPrefix(m, "golang.org/x/") && m != "sockeye" && m != "sockeye/bench" {
			modules[m] = true
		}
	}
	v["modules"] = float64(len(modules))
	return v, nil
}

func goCommand(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, errors.String())
	}
	return string(out), nil
}
