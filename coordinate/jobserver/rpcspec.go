package jobserver

import (
	"github.com/muster-queue/muster/coordinate/cborrpc"
)

func (r *remote) setWorkSpec(b []byte) ([]byte, error) {
	return answerDone(b, r.call.setWorkSpec(r.value(0)))
}

func (r *remote) getWorkSpec(b []byte) ([]byte, error) {
	name := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	v, err := r.call.getWorkSpec(name)
	return bare(b, v, err)
}

func (r *remote) getWorkSpecMeta(b []byte) ([]byte, error) {
	name := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	q, err := r.spec(name)
	if err != nil {
		return answerAny(b, nil, err)
	}
	return answerAny(b, specMeta(q), nil)
}

func (r *remote) controlWorkSpec(b []byte) ([]byte, error) {
	name := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	return answerDone(b, r.call.controlWorkSpec(name, r.value(1)))
}

func (r *remote) listWorkSpecs(b []byte) ([]byte, error) {
	specs, next, err := r.call.listWorkSpecs(r.value(0))
	if err != nil {
		return nil, err
	}
	b = cborrpc.AppendList(cborrpc.AppendList(b, 2), len(specs))
	for _, v := range specs {
		b = append(b, v...)
	}
	if next == "" {
		return append(b, cborrpc.Null...), nil
	}
	return cborrpc.AppendString(b, next), nil
}

func (r *remote) delWorkSpec(b []byte) ([]byte, error) {
	name := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	return answerDone(b, r.call.delWorkSpec(name))
}

func (r *remote) clear(b []byte) ([]byte, error) {
	n, err := r.call.clear()
	return bare(b, n, err)
}
