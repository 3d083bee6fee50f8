package simulate

import _ "embed" // for the example

// Example is a workload with comments that runs.
//
//go:embed example.yaml
var Example []byte
