package slurm

import (
	"os"
	"strings"
	"testing"
)

// TestOptionsAreDocumented compares the page with the table.
func TestOptionsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/emulation.md")
	if err != nil {
		t.Fatal(err)
	}
	words := " " + strings.Join(strings.FieldsFunc(string(page), func(r rune) bool { return strings.ContainsRune(" `\n,=()", r) }), " ") + " "
	for _, o := range sbatchOptions {
		switch o.Name {
		case "help", "usage", "version":
			continue
		}
		if !strings.Contains(words, " --"+o.Name+" ") {
			t.Errorf("--%s is not in docs/emulation.md", o.Name)
		}
	}
}
