// Command gendocs writes the pages of docs/ that are made from the commands and
// the fields of the input. "make generate" calls it.
package main

import (
	"fmt"
	"os"

	"github.com/muster-queue/muster/cli"
)

func main() {
	if err := cli.WriteDocs(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}
