package jobserver

import (
	"github.com/muster-queue/muster/coordinate/cborrpc"
)

// locking reads the parameters of methods about locks.
func (r *remote) locking() (locking, error) {
	l := locking{locker: r.optional(0), keys: r.value(len(r.method.params) - 1)}
	if len(r.method.params) == 3 {
		l.lease = duration(r.number(1))
	}
	return l, r.err
}

func (r *remote) onLocks(b []byte, do func(call, locking) error) ([]byte, error) {
	l, err := r.locking()
	if err != nil {
		return nil, err
	}
	return answerDone(b, do(r.call, l))
}

func (r *remote) lock(b []byte) ([]byte, error)   { return r.onLocks(b, call.lock) }
func (r *remote) renew(b []byte) ([]byte, error)  { return r.onLocks(b, call.renew) }
func (r *remote) unlock(b []byte) ([]byte, error) { return r.onLocks(b, call.unlock) }

func (r *remote) locksome(b []byte) ([]byte, error) {
	l, err := r.locking()
	if err != nil {
		return nil, err
	}
	granted, err := r.call.locksome(l)
	return answerPair(b, err, cborrpc.Null, func(b []byte) []byte { return appendGranted(b, l.keys, granted) })
}

// appendGranted appends the paths that were locked, each as it was sent, and null
// for the others.
func appendGranted(b []byte, keys cborrpc.Value, granted []bool) []byte {
	b = cborrpc.AppendList(b, len(granted))
	i := 0
	for key := range keys.Items() {
		if !granted[i] {
			b = append(b, cborrpc.Null...)
		} else {
			b = cborrpc.AppendList(b, key.Len())
			for label := range key.Items() {
				clean, _ := label.Clean() // the path was read without an error
				b = append(b, clean...)
			}
		}
		i++
	}
	return b
}

func (r *remote) readlock(b []byte) ([]byte, error) {
	owners, err := r.call.readlock(r.value(0))
	return bare(b, owners, err)
}

func (r *remote) deleteNamespace(b []byte) ([]byte, error) {
	label, err := r.value(0).Decode()
	if err != nil {
		return nil, err
	}
	n, err := r.call.deleteNamespace(plain(label))
	return bare(b, n, err)
}
