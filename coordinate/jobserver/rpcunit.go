package jobserver

import (
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/engine"
)

func (r *remote) addWorkUnits(b []byte) ([]byte, error) {
	name := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	return answerDone(b, r.call.addWorkUnits(name, r.value(1)))
}

func (r *remote) countWorkUnits(b []byte) ([]byte, error) {
	name := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	counts, err := r.call.countWorkUnits(name)
	return answerAny(b, counts, err)
}

func (r *remote) getWorkUnits(b []byte) ([]byte, error) {
	name := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	units, err := r.call.getWorkUnits(name, r.value(1))
	return answerPair(b, err, cborrpc.Null, func(b []byte) []byte {
		b = cborrpc.AppendList(b, len(units))
		for _, u := range units {
			b = cborrpc.AppendBytes(cborrpc.AppendTuple(b, 2), u.Key)
			b = append(b, unitData(u)...)
		}
		return b
	})
}

func (r *remote) getWorkUnitStatus(b []byte) ([]byte, error) {
	name, keys := r.string(0), r.strings(1)
	if r.err != nil {
		return nil, r.err
	}
	all, err := r.call.getWorkUnitStatus(name, keys)
	return answerAny(b, all, err)
}

func (r *remote) prioritizeWorkUnits(b []byte) ([]byte, error) {
	name := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	return answerDone(b, r.call.prioritizeWorkUnits(name, r.value(1)))
}

func (r *remote) delWorkUnits(b []byte) ([]byte, error) {
	name := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	n, err := r.call.delWorkUnits(name, r.value(1))
	return answerPair(b, err, zeroValue, func(b []byte) []byte { return cborrpc.AppendInt(b, n) })
}

func (r *remote) updateWorkUnit(b []byte) ([]byte, error) {
	name, key := r.string(0), r.string(1)
	if r.err != nil {
		return nil, r.err
	}
	changed, err := r.call.updateWorkUnit(name, key, r.value(2))
	return answerPair(b, err, falseValue, func(b []byte) []byte { return cborrpc.AppendBool(b, changed) })
}

func (r *remote) getWork(b []byte) ([]byte, error) {
	worker := r.string(0)
	if r.err != nil {
		return nil, r.err
	}
	grants, single, err := r.call.getWork(worker, r.value(1))
	return answerPair(b, err, nil, func(b []byte) []byte { return appendWork(b, grants, single) })
}

// appendWork appends what get_work answers: one tuple, or a list of them.
func appendWork(b []byte, grants []engine.Grant, single bool) []byte {
	if single && len(grants) == 0 {
		return append(cborrpc.AppendTuple(b, 3), 0xf6, 0xf6, 0xf6)
	}
	if !single {
		b = cborrpc.AppendList(b, len(grants))
	}
	for i := range grants {
		g := &grants[i]
		b = cborrpc.AppendString(cborrpc.AppendTuple(b, 3), g.Queue)
		b = append(cborrpc.AppendBytes(b, g.Key), outData(g.Data)...)
	}
	return b
}
