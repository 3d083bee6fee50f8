package jobserver

import (
	"github.com/muster-queue/muster/coordinate/cborrpc"
)

func (r *remote) workerHeartbeat(b []byte) ([]byte, error) {
	h := heartbeat{r.string(0), r.optional(1), r.number(2), r.value(3), r.optional(4)}
	if r.err != nil {
		return nil, r.err
	}
	text, err := r.call.workerHeartbeat(h)
	if err != nil {
		return nil, err
	}
	b = cborrpc.AppendBool(cborrpc.AppendList(b, 2), true)
	if text == "" {
		return append(b, cborrpc.Null...), nil
	}
	return cborrpc.AppendString(b, text), nil
}

func (r *remote) workerUnregister(b []byte) ([]byte, error) {
	worker := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	return answerDone(b, r.call.workerUnregister(worker))
}

func (r *remote) listWorkerModes(b []byte) ([]byte, error) {
	modes, err := r.call.listWorkerModes()
	return answerAny(b, modes, err)
}

func (r *remote) modeCounts(b []byte) ([]byte, error) {
	counts, err := r.call.modeCounts()
	return answerAny(b, counts, err)
}

func (r *remote) workerStats(b []byte) ([]byte, error) {
	stats, err := r.call.workerStats()
	return bare(b, stats, err)
}

func (r *remote) getWorkerInfo(b []byte) ([]byte, error) {
	worker := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	info, err := r.call.getWorkerInfo(worker)
	return answerAny(b, info, err)
}

func (r *remote) getChildWorkUnits(b []byte) ([]byte, error) {
	worker := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	all, err := r.call.getChildWorkUnits(worker)
	return answerAny(b, all, err)
}

func (r *remote) getConfig(b []byte) ([]byte, error) {
	config, _, err := r.jobs.GetConfig()
	return answerAny(b, config, err)
}

func (r *remote) archive(b []byte) ([]byte, error) {
	return bare(b, nil, r.call.archive(r.value(0)))
}

func (r *remote) now(b []byte) ([]byte, error) {
	now, err := r.call.now()
	return bare(b, now.Unix(), err)
}
