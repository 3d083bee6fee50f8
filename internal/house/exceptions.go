package house

// exceptions are violations that stay, by subject, each with its reason. One
// that no longer occurs must go from the list.
var exceptions = map[string]string{
	"agent/cgroup/cgroup_test.go": "asks the kernel, with a deadline, until a killed group is empty; it signals that to nobody",
	"agent/run/run_test.go":       "asks, with a deadline, until a command that was just started has an output to follow",
}
