package agent

import (
	"github.com/muster-queue/muster/agent/run"
)

// reach is how a command that is lent a token reaches the agent's server; nil for the
// others, and where only this process can reach it.
func (a *Agent) reach(lent string) *run.Reach {
	if lent == "" {
		return nil
	}
	w, err := a.cfg.Client.Reach()
	if err != nil {
		a.log.Warn("a command is not told how to reach the server", "err", err)
		return nil
	}
	return &run.Reach{Token: lent, Data: w.Data, Address: w.Address, CAFile: w.CAFile}
}
