package conformance

import (
	"embed"
	"path"
	"strings"
)

//go:embed testdata
var golden embed.FS

// Golden gives what a Linux kernel answered to the scenario of that name.
func Golden(name string) (transcript string, ok bool) {
	group, _, _ := strings.Cut(name, "/")
	file, err := golden.ReadFile(path.Join("testdata", group+".txt"))
	if err != nil {
		return "", false
	}
	_, rest, ok := strings.Cut("\n"+string(file), "\n"+heading(name))
	if !ok {
		return "", false
	}
	transcript, _, _ = strings.Cut(rest, "\n"+headingMark)
	return strings.TrimSuffix(transcript, "\n") + "\n", true
}

const headingMark = "=== "

func heading(name string) string { return headingMark + name + "\n" }

// Format lays out transcripts, by scenario, as a golden file that Golden reads.
func Format(intro string, scenarios []Scenario, transcripts map[string]string) string {
	var b strings.Builder
	b.WriteString("# " + intro + "\n")
	for _, s := range scenarios {
		b.WriteString("\n" + heading(s.Name) + transcripts[s.Name])
	}
	return b.String()
}

// Diff shows how a transcript differs from the one that was wanted: lines that
// are missing begin with a minus, others in their place with a plus, and three
// lines before and after tell where. It is empty when both are equal.
func Diff(want, got string) string {
	if want == got {
		return ""
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	// common[i][j] is how many lines w[i:] and g[j:] have in common, in order.
	common := make([][]int, len(w)+1)
	for i := range common {
		common[i] = make([]int, len(g)+1)
	}
	for i := len(w) - 1; i >= 0; i-- {
		for j := len(g) - 1; j >= 0; j-- {
			if w[i] == g[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var lines []string
	i, j := 0, 0
	for i < len(w) || j < len(g) {
		switch {
		case i < len(w) && j < len(g) && w[i] == g[j]:
			lines = append(lines, "  "+w[i])
			i, j = i+1, j+1
		case j == len(g) || i < len(w) && common[i+1][j] >= common[i][j+1]:
			lines = append(lines, "- "+w[i])
			i++
		default:
			lines = append(lines, "+ "+g[j])
			j++
		}
	}
	return strings.Join(aroundChanges(lines, 3), "\n") + "\n"
}

// aroundChanges leaves out the lines that are further than n from a change.
func aroundChanges(lines []string, n int) []string {
	keep := make([]bool, len(lines))
	for i, l := range lines {
		if l[0] != ' ' {
			for k := max(0, i-n); k <= min(len(lines)-1, i+n); k++ {
				keep[k] = true
			}
		}
	}
	var kept []string
	for i, l := range lines {
		switch {
		case keep[i]:
			kept = append(kept, l)
		case i == 0 || keep[i-1]:
			kept = append(kept, "  ...")
		}
	}
	return kept
}
