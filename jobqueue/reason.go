package jobqueue

import "github.com/muster-queue/muster/job"

// Why a job failed: what Job.FailReason can be, and what Bury and Release are told.
// Jobs that agents ran may have others, those of "muster explain".
const (
	FailReasonEnv      = "failed to get environment variables"
	FailReasonCwd      = "working directory does not exist"
	FailReasonStart    = "command failed to start"
	FailReasonCPerm    = "command permission problem"
	FailReasonCFound   = "command not found"
	FailReasonCExit    = "command invalid exit code"
	FailReasonExit     = "command exited non-zero"
	FailReasonRAM      = "command used too much RAM"
	FailReasonTime     = "command used too much time"
	FailReasonAbnormal = "command failed to complete normally"
	FailReasonSignal   = "runner received a signal to stop"
	FailReasonResource = "resource requirements cannot be met"
)

// reasons are muster's for those texts; theirs are the same.
var reasons = func() map[string]job.Reason {
	m := map[string]job.Reason{}
	for r := job.ReasonEnv; r.Word() != ""; r++ {
		if r.String() != "" {
			m[r.String()] = r
		}
		if r == job.ReasonResource {
			break
		}
	}
	return m
}()

// reasonOf is how muster writes down why a job failed. Its own reasons have a say in
// whether a job is tried again; where that is not what was asked for, the text
// stands under another one.
func reasonOf(text string, suits func(job.Reason) bool, other job.Reason) (job.Reason, string) {
	if r, ok := reasons[text]; ok && suits(r) {
		return r, ""
	}
	return other, text
}

// textOfReason is the other way round.
func textOfReason(r job.Reason, message string) string {
	_, known := reasons[message]
	if known || r == job.ReasonWorker && message != "" {
		return message
	}
	return r.String()
}
